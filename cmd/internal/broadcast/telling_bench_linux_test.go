//go:build bench

package broadcast_test

import (
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/benchtable"
	"github.com/rampload/rampload/attack/ramp"
	"github.com/rampload/rampload/attack/wire/protocol"
	"github.com/rampload/rampload/cmd/internal/broadcast"
	"github.com/rampload/rampload/cmd/internal/meter"
	"github.com/rampload/rampload/cmd/internal/session"
	"github.com/rampload/rampload/cmd/internal/spans"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report/runlog"
)

// BenchmarkTelling prints what telling others of a run costs it: a closed loop that tells
// nobody, one whose page of metrics is fetched each second, one that sends by remote write
// each second, and one with a collector of traces and no request sampled, in turns of a
// second. What is printed is how much more processor time a request takes than in the plain
// turn beside it, which bounds the rate and does not depend on what else the machine does:
// the median, and how far apart the turns lie. Receiver and fetcher are of this process, and
// so of the figure. It fails nothing.
func BenchmarkTelling(b *testing.B) {
	url := serve(b)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	defer receiver.Close()
	page := "127.0.0.1:" + freePort(b)
	kinds := []struct {
		name   string
		export profiles.Export
		traces profiles.Traces
	}{
		{name: "plain"},
		{name: "metrics page, fetched every second", export: profiles.Export{Listen: page}},
		{name: "remote write every second", export: profiles.Export{Every: time.Second, RemoteWrite: profiles.Receiver{URL: receiver.URL}}},
		{name: "traces to a collector, none sampled", traces: profiles.Traces{To: profiles.SpanSink{URL: receiver.URL}}},
	}
	rounds := int(setting("RAMPLOAD_BENCH_ROUNDS", 3)) * 7
	for b.Loop() {
		more := make([][]float64, len(kinds))
		for i := range rounds {
			of := make([]float64, len(kinds))
			for k := range kinds {
				at := (i + k) % len(kinds) // each goes first in turn
				of[at] = perRequest(b, url, kinds[at].export, kinds[at].traces)
			}
			for k := range kinds {
				more[k] = append(more[k], of[k]/of[0]-1)
			}
		}
		for k, kind := range kinds[1:] {
			middle, noise := spread(more[k+1])
			mark := "met"
			switch {
			case middle > 0.03 && middle-noise <= 0.03:
				mark = "within noise"
			case middle > 0.03:
				mark = "NOT MET"
			}
			benchtable.Row(b, kind.name+": CPU a request", "<= 3 %", fmt.Sprintf("%+.1f ±%.1f %%", 100*middle, 100*noise), mark)
		}
	}
}

// perRequest returns the processor time of a request in seconds, of a second of load at the
// highest rate.
func perRequest(b *testing.B, url string, export profiles.Export, traces profiles.Traces) float64 {
	b.Helper()
	const window = 250 * time.Millisecond
	p := profiles.Profile{
		Name: "tells", Traces: traces, Load: profiles.Load{profiles.Max{For: time.Second}},
		Targets: []profiles.Target{{
			Name: "nginx", URL: url, Share: 1, Expect: profiles.StatusSet{{Low: 200, High: 299}},
			Requests: []profiles.Request{{Method: http.MethodGet, Path: "/", Weight: 1}},
		}},
		Client: profiles.Client{Connections: 32, MaxInFlight: 10_000, Timeout: 5 * time.Second},
	}
	id, start := attack.RunID{1, 2, 3, 4, 5, 6, 7, 8}, time.Now()
	warn := func(text string) { b.Error(text) }
	told, err := broadcast.Open(broadcast.Config{
		Export: export, Say: func(string) {}, Warn: warn,
		Plan: meter.Plan{Run: "0102030405060708", Name: p.Name, Started: start, Targets: []string{"nginx"}, Interval: window},
	})
	if err != nil {
		b.Fatal(err)
	}
	tracing, err := spans.Open(spans.Config{Sink: traces.To, RunID: id, Profile: p, Start: func() time.Time { return start }})
	if err != nil {
		b.Fatal(err)
	}
	log, err := runlog.NewWriter(io.Discard, runlog.Header{Name: p.Name, Interval: window})
	if err != nil {
		b.Fatal(err)
	}
	tally := &counter{Recorder: told.Tap(log, true)}
	loader, err := ramp.NewDirect(ramp.Config{Profile: p, RunID: id, Window: window, Open: protocol.Open, Start: func() time.Time { return start }, Ended: tracing.Ended()})
	if err != nil {
		b.Fatal(err)
	}
	before := processorTime()
	done := make(chan struct{})
	if export.Listen != "" {
		go func() {
			defer close(done)
			fetch(b, "http://"+export.Listen+"/metrics")
		}()
	} else {
		close(done)
	}
	if _, err = loader.Run(b.Context(), tally); err != nil {
		b.Fatal(err)
	}
	<-done
	used := processorTime() - before
	told.Over(b.Context(), nil)
	tracing.Finish(b.Context(), func() (*runlog.Log, error) { return nil, io.EOF }, func(string) {}, nil)
	return used.Seconds() / float64(tally.requests)
}

// fetch reads a page once, half a second from now.
func fetch(b *testing.B, page string) {
	<-time.After(500 * time.Millisecond)
	r, err := http.Get(page)
	if err != nil {
		b.Error(err)
		return
	}
	defer r.Body.Close()
	if n, err := io.Copy(io.Discard, r.Body); err != nil || n < 1000 {
		b.Errorf("the page has %d bytes: %v", n, err)
	}
}

// counter counts the requests that went well.
type counter struct {
	session.Recorder
	requests uint64
}

func (c *counter) Window(w attack.Window) {
	for _, cell := range w.Cells {
		if cell.Fault == attack.None {
			c.requests += cell.Requests
		}
	}
	c.Recorder.Window(w)
}

// processorTime is what this process has used.
func processorTime() time.Duration {
	var use unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &use) // of itself it always can
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}

// spread returns the median, and the median of how far the others are from it.
func spread(v []float64) (middle, off float64) {
	of := func(v []float64) float64 {
		v = slices.Sorted(slices.Values(v))
		return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
	}
	middle = of(v)
	var away []float64
	for _, x := range v {
		away = append(away, math.Abs(x-middle))
	}
	return middle, of(away)
}

// serve starts a server on a port of its own.
func serve(b *testing.B) (url string) {
	b.Helper()
	if _, err := exec.LookPath("nginx"); err != nil {
		b.Skip("nginx is not installed")
	}
	dir, addr := b.TempDir(), "127.0.0.1:"+freePort(b)
	conf := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, `daemon off; master_process off; pid %[1]s/pid; error_log %[1]s/error.log;
events { worker_connections 1024; }
http { access_log off; keepalive_requests 1000000000; keepalive_timeout 3600s;
client_body_temp_path %[1]s/a; proxy_temp_path %[1]s/b; fastcgi_temp_path %[1]s/c; uwsgi_temp_path %[1]s/d; scgi_temp_path %[1]s/e;
server { listen %[2]s; location / { return 200 "ok"; } } }`, dir, addr), 0o600); err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command("nginx", "-e", filepath.Join(dir, "error.log"), "-c", conf)
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for range 100 {
		if c, err := net.DialTimeout("tcp", addr, time.Second); err == nil {
			c.Close()
			return "http://" + addr
		}
		<-time.After(20 * time.Millisecond)
	}
	b.Fatal("nginx does not answer")
	return ""
}

func freePort(b *testing.B) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

func setting(name string, otherwise float64) float64 {
	if v, err := strconv.ParseFloat(os.Getenv(name), 64); err == nil {
		return v
	}
	return otherwise
}
