package main_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rampload/rampload/report"
)

// storeProgram returns a store that "make stores" built.
func storeProgram(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("RAMPLOAD_STORES")
	if dir == "" {
		t.Skipf("needs %s: make stores builds it", name)
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	return path
}

// victoriaLogs is a VictoriaLogs that lines are shipped to as collectors do: some hundred
// at once, a while after they were written.
type victoriaLogs struct {
	url     string
	fields  string // how its fields are called
	mu      sync.Mutex
	waiting bytes.Buffer
	refused string
}

func startVictoriaLogs(t *testing.T, fields string) *victoriaLogs {
	t.Helper()
	program := storeProgram(t, "victoria-logs")
	addr := "127.0.0.1:" + freePort(t)
	startDaemon(t, program, "-storageDataPath="+t.TempDir(), "-httpListenAddr="+addr, "-loggerLevel=ERROR", "-memory.allowedBytes=256MB")
	v := &victoriaLogs{url: "http://" + addr, fields: fields}
	until(t, "VictoriaLogs", answers(v.url+"/health"))
	every(t, 700*time.Millisecond, v.ship, func() {
		v.ship()
		if v.refused != "" {
			t.Errorf("VictoriaLogs refused lines: %s", v.refused)
		}
	})
	return v
}

// every does something again and again until the test ends, and at the end something once.
func every(t *testing.T, interval time.Duration, do, end func()) {
	ticker := time.NewTicker(interval)
	done, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		for {
			select {
			case <-ticker.C:
				do()
			case <-done:
				return
			}
		}
	}()
	t.Cleanup(func() {
		ticker.Stop()
		close(done)
		<-over
		end()
	})
}

func (v *victoriaLogs) ship() {
	v.mu.Lock()
	body := bytes.Clone(v.waiting.Bytes())
	v.waiting.Reset()
	v.mu.Unlock()
	if len(body) == 0 {
		return
	}
	r, err := http.Post(v.url+"/insert/jsonline?"+v.fields, "application/stream+json", bytes.NewReader(body))
	if err != nil {
		v.refused = err.Error()
		return
	}
	defer r.Body.Close()
	if said, _ := io.ReadAll(r.Body); r.StatusCode/100 != 2 {
		v.refused = string(said)
	}
}

// write takes a line of a service.
func (v *victoriaLogs) write(fields map[string]any) {
	line, _ := json.Marshal(fields)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.waiting.Write(append(line, '\n'))
}

// has counts what it has of a query.
func (v *victoriaLogs) has(t *testing.T, query string) int {
	t.Helper()
	r, err := http.Get(v.url + "/select/logsql/query?" + url.Values{"query": {query}}.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, _ := io.ReadAll(r.Body)
	return bytes.Count(body, []byte("\n"))
}

// TestVictoriaLogs has a run read what three services shipped to a real VictoriaLogs: one
// of them breaks off requests, and says why, with the request's id; one says so of its
// caller's; and one writes much that has nothing to do with it, hostile text too. Every
// failed transaction is joined, by its id.
func TestVictoriaLogs(t *testing.T) {
	store := startVictoriaLogs(t, "_stream_fields=service&_time_field=timestamp")
	failed := serveAndShip(t, store)
	r, text := runWithLogs(t, failed.url, fmt.Sprintf("{url: '%s', query: '*', fields: {message: what}}", store.url))
	target := r.Targets[0]
	n := uint64(failed.count())
	if target.Failed != n || n < 50 {
		t.Fatalf("%d requests failed, the service failed %d\n%s", target.Failed, n, text)
	}
	joined := map[string]uint64{}
	for _, s := range target.Said {
		if s.Joined == "id" {
			joined[s.Service+" "+s.Peer] += s.Times
		}
		if strings.ContainsAny(s.Says, "\x1b\n") {
			t.Errorf("it is not clean: %q", s.Says)
		}
	}
	if joined["payments 10.0.3.2:5432"] != n || joined["orders 10.0.3.2:8080"] != n {
		t.Errorf("joined are %v of %d; the store has %d lines of payments, %d of orders:\n%+v\n%+v",
			joined, n, store.has(t, "service:payments level:error"), store.has(t, "service:orders level:warn"), target.Said, r.Sources)
	}
	if said := told(r.Findings[0]); !strings.Contains(said, "connection pool exhausted") {
		t.Errorf("why is not said:\n%s", said)
	}
}

// shippedFault is a service that breaks off requests, and how many.
type shippedFault struct {
	url string
	mu  sync.Mutex
	n   int
}

func (f *shippedFault) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.n
}

// serveAndShip starts the services.
func serveAndShip(t *testing.T, store *victoriaLogs) *shippedFault {
	t.Helper()
	f := &shippedFault{}
	served := 0
	say := func(level, service, id, address, text string) {
		store.write(map[string]any{
			"timestamp": time.Now().UTC().Format(time.RFC3339Nano), "level": level, "what": text, "service": service,
			"transactionId": id, "peer": "db", "remoteAddress": address, "http": map[string]any{"took_ms": 3},
		})
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get("X-Transaction-Id")
		if id == "" {
			return
		}
		f.mu.Lock()
		served++
		bad := served > 300 && served%6 == 0
		if bad {
			f.n++
		}
		f.mu.Unlock()
		for range 10 {
			say("info", "catalogue", "", "", "read \x1b[31m3 items\x1b[0m <script>alert(1)</script>")
		}
		if !bad {
			say("info", "payments", id, "", "paid")
			return
		}
		say("error", "payments", id, "10.0.3.2:5432", "cannot pay: connection pool exhausted")
		say("warn", "orders", id, "10.0.3.2:8080", "payment failed: read tcp 10.0.3.1:40312->10.0.3.2:8080: connection reset by peer")
		abort(w)
	}))
	t.Cleanup(s.Close)
	f.url = s.URL
	return f
}

// runWithLogs loads a service for some seconds, with logs of this machine, and returns the
// report and what was printed.
func runWithLogs(t *testing.T, target string, logs ...string) (*report.Report, string) {
	t.Helper()
	dir := t.TempDir()
	profile := fmt.Sprintf("name: said\ntargets: [{name: shop, url: '%s'}]\nload: [{from: 40/s, to: 160/s, over: 10s}]\nabort-if: []\nhosts: [{name: local, processes: [{pid: %d}], logs: [%s]}]\n",
		target, os.Getpid(), strings.Join(logs, ", "))
	if err := os.WriteFile(filepath.Join(dir, "said.yaml"), []byte(profile), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), buildProgram(t), "--profile", filepath.Join(dir, "said.yaml"), "--out", filepath.Join(dir, "out.json"))
	out, failed := cmd.CombinedOutput()
	f, err := os.Open(filepath.Join(dir, "out.json"))
	if err != nil {
		t.Fatalf("%v\n%s", cmp.Or(failed, err), out)
	}
	defer f.Close()
	r, err := report.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	return r, string(out)
}
