package main_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rampload/rampload/cmd/internal/boards"
	"github.com/rampload/rampload/report"
)

// startDaemon starts a program that ends with the test.
func startDaemon(t *testing.T, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = io.Discard, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		if t.Failed() {
			text := said.String()
			t.Logf("%s said:\n%s", name, text[max(0, len(text)-3000):])
		}
	})
}

func answers(url string) func() bool {
	return func() bool {
		r, err := http.Get(url)
		if err != nil {
			return false
		}
		r.Body.Close()
		return r.StatusCode == http.StatusOK
	}
}

// promStore is a Prometheus.
type promStore struct{ url string }

// startPrometheus starts one with the given configuration.
func startPrometheus(t *testing.T, config string, args ...string) promStore {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "prometheus.yml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	addr := "127.0.0.1:" + freePort(t)
	startDaemon(t, "prometheus", append([]string{"--config.file=" + filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path=" + filepath.Join(dir, "data"), "--web.listen-address=" + addr, "--log.level=warn"}, args...)...)
	s := promStore{"http://" + addr}
	until(t, "Prometheus", answers(s.url+"/-/ready"))
	return s
}

// ask returns the numbers that a query has, by their labels; over a time its last ones.
func (s promStore) ask(t *testing.T, path string, values url.Values) map[string][]float64 {
	t.Helper()
	r, err := http.Get(s.url + path + "?" + values.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	var answer struct {
		Status, Error string
		Data          struct {
			Result []struct {
				Metric map[string]string
				Value  []any
				Values [][]any
			}
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&answer); err != nil || answer.Status != "success" {
		t.Fatalf("%s: %v %s", values.Get("query"), err, answer.Error)
	}
	out := map[string][]float64{}
	for _, one := range answer.Data.Result {
		if one.Value != nil {
			one.Values = [][]any{one.Value}
		}
		key := fmt.Sprint(one.Metric)
		for _, v := range one.Values {
			n, err := strconv.ParseFloat(v[1].(string), 64)
			if err != nil {
				t.Fatal(err)
			}
			out[key] = append(out[key], n)
		}
	}
	return out
}

// over evaluates an expression over a time.
func (s promStore) over(t *testing.T, expr string, from, to time.Time) map[string][]float64 {
	return s.ask(t, "/api/v1/query_range", url.Values{"query": {expr}, "start": {from.Format(time.RFC3339)}, "end": {to.Format(time.RFC3339)}, "step": {"1"}})
}

// last is the latest value of an expression that has one series.
func (s promStore) last(t *testing.T, expr string) float64 {
	t.Helper()
	for _, v := range s.ask(t, "/api/v1/query", url.Values{"query": {expr}}) {
		return v[len(v)-1]
	}
	return math.NaN()
}

// some reports whether there is a number among values.
func some(values map[string][]float64) bool {
	for _, list := range values {
		for _, v := range list {
			if !math.IsNaN(v) {
				return true
			}
		}
	}
	return false
}

// amAlerts are the names of alerts that an Alertmanager has, and how each is.
func amAlerts(t *testing.T, at string) map[string]string {
	t.Helper()
	r, err := http.Get(at + "/api/v2/alerts?active=true")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	var list []struct {
		Labels map[string]string
		Status struct{ State string }
	}
	if err := json.NewDecoder(r.Body).Decode(&list); err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, a := range list {
		out[a.Labels["alertname"]+" "+a.Labels["gate"]] = a.Status.State
	}
	return out
}

// TestMetricsOfARun has a run that two Prometheus take, one by fetching native histograms
// and one by remote write with classic ones, and that tells a real Alertmanager and a
// webhook. Totals are the report's, every expression of the dashboard and of the rules has
// data in both, and what was told is resolved at the end.
func TestMetricsOfARun(t *testing.T) {
	need(t, "prometheus", "promtool", "prometheus-alertmanager")
	exe := buildProgram(t)
	dir := t.TempDir()
	var served atomic.Int64
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if n := served.Add(1); n > 300 && n%12 == 0 {
			abort(w)
		}
	}))
	defer service.Close()

	rules, err := exec.Command(exe, "alerts").Output()
	if err != nil || string(rules) != boards.RulesFile() {
		t.Fatalf("rampload alerts: %v\n%s", err, rules)
	}
	rulesFile := filepath.Join(dir, "rules.yml")
	if err := os.WriteFile(rulesFile, rules, 0o600); err != nil {
		t.Fatal(err)
	}
	am := "127.0.0.1:" + freePort(t)
	if err := os.WriteFile(filepath.Join(dir, "am.yml"), []byte("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	startDaemon(t, "prometheus-alertmanager", "--config.file="+filepath.Join(dir, "am.yml"), "--storage.path="+filepath.Join(dir, "am"), "--web.listen-address="+am, "--cluster.listen-address=", "--log.level=warn")
	until(t, "Alertmanager", answers("http://"+am+"/-/ready"))
	page := "127.0.0.1:" + freePort(t)
	global := "global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [" + rulesFile + "]\n"
	fetches := startPrometheus(t, global+"scrape_configs: [{job_name: rampload, static_configs: [{targets: ['"+page+"']}]}]\n", "--enable-feature=native-histograms")
	takes := startPrometheus(t, global, "--web.enable-remote-write-receiver")

	var mu sync.Mutex
	var hooked []map[string]any
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var m map[string]any
		if json.NewDecoder(r.Body).Decode(&m) != nil || r.Header.Get("Authorization") != "Bearer let-me-in" {
			http.Error(w, "no", http.StatusBadRequest)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		hooked = append(hooked, m)
	}))
	defer hook.Close()
	profile := fmt.Sprintf(`name: told
targets: [{name: orders, url: '%s', hosts: [here]}]
hosts: [{name: here, processes: [{pid: %d}]}]
load: [{from: 100/s, to: 300/s, over: 8s}, {at: 300/s, for: 6s}]
gate: ['failures < 1%%']
abort-if: []
metrics: {listen: '%s', every: 1s, remote-write: '%s/api/v1/write'}
notify: [{alertmanager: 'http://%s'}, {webhook: {url: '%s', bearer: '${HOOK_TOKEN}'}}]
`, service.URL, os.Getpid(), page, takes.url, am, hook.URL)
	if err := os.WriteFile(filepath.Join(dir, "told.yaml"), []byte(profile), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, "--profile", filepath.Join(dir, "told.yaml"), "--out", filepath.Join(dir, "out.json"))
	cmd.Env = append(os.Environ(), "HOOK_TOKEN=let-me-in")
	var text strings.Builder
	cmd.Stdout, cmd.Stderr = &text, &text
	began := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	fired := false
	for running := true; running; {
		select {
		case <-ended:
			running = false
		case <-time.After(100 * time.Millisecond):
			fired = fired || amAlerts(t, "http://"+am)["RamploadGateFailed failures < 1%"] == "active"
		}
	}
	over := time.Now()
	if got := amAlerts(t, "http://"+am); got["RamploadGateFailed failures < 1%"] == "active" {
		t.Errorf("Alertmanager still has %v", got)
	}
	f, err := os.Open(filepath.Join(dir, "out.json"))
	if err != nil {
		t.Fatalf("%v\n%s", err, text.String())
	}
	defer f.Close()
	r, err := report.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	// A machine that is too busy for this load judges no gate, and says so.
	broken := r.Gates[0].Result == report.GateFailed
	if !broken && !r.Generator.Limited {
		t.Fatalf("the gate is %s\n%s", r.Gates[0].Result, text.String())
	}
	if broken && !fired {
		t.Errorf("Alertmanager was not told of the gate while the run went on\n%s", text.String())
	}
	mu.Lock()
	if n := len(hooked); broken && (n < 2 || hooked[0]["status"] != "firing" || hooked[n-1]["status"] != "resolved" || !strings.Contains(fmt.Sprint(hooked[n-1]["text"]), "is over: ")) {
		t.Errorf("the webhook was told %v", hooked)
	}
	mu.Unlock()
	if r.Totals.WireResets < 50 || strings.Contains(r.Profile.YAML, "let-me-in") {
		t.Fatalf("%d resets\n%s\n%s", r.Totals.WireResets, text.String(), r.Profile.YAML)
	}
	for name, store := range map[string]promStore{"fetched": fetches, "written": takes} {
		sameTotals(t, name, store, r)
		haveData(t, name, store, r, began, over)
	}
	if n := fetches.last(t, "histogram_count(sum(rampload_request_duration_seconds))"); !math.IsNaN(n) && n != float64(r.Totals.OK) {
		t.Errorf("%v latencies in the native histogram, %d requests ended well", n, r.Totals.OK)
	}
}

// sameTotals holds what a store has against the report.
func sameTotals(t *testing.T, name string, s promStore, r *report.Report) {
	t.Helper()
	want := map[string]uint64{
		"sum(last_over_time(rampload_wire_resets_total[2m]))":                        r.Totals.WireResets,
		"sum(last_over_time(rampload_visible_resets_total[2m]))":                     r.Totals.VisibleResets,
		"sum(last_over_time(rampload_attempts_total[2m]))":                           r.Totals.Attempts,
		"sum(last_over_time(rampload_requests_unsent_total[2m]))":                    r.Totals.Unsent,
		`sum(last_over_time(rampload_requests_total{outcome=~"ok|failed"}[2m]))`:     r.Totals.Requests,
		`sum(last_over_time(rampload_requests_total{outcome="failed"}[2m]))`:         r.Totals.Failed,
		`sum(last_over_time(rampload_faults_total{fault="reset",phase="idle"}[2m]))`: r.Totals.IdleResets,
		"max(last_over_time(rampload_exit_code[2m]))":                                uint64(r.ExitCode),
		`max(last_over_time(rampload_run_state{state="over"}[2m]))`:                  1,
	}
	for fault, phases := range r.Totals.Faults {
		for phase, n := range phases {
			want[fmt.Sprintf("sum(last_over_time(rampload_faults_total{fault=%q,phase=%q}[2m]))", fault, phase)] = n
		}
	}
	for status, n := range r.Totals.StatusCodes {
		want[fmt.Sprintf("sum(last_over_time(rampload_responses_total{status=%q}[2m]))", status)] = n
	}
	for expr, n := range want {
		if got := s.last(t, expr); got != float64(n) {
			t.Errorf("%s: %s is %v, the report has %d", name, expr, got, n)
		}
	}
}

// haveData evaluates every expression of the dashboard and of the rules over the run.
func haveData(t *testing.T, name string, s promStore, r *report.Report, from, to time.Time) {
	t.Helper()
	traced := false
	for _, src := range r.Sources {
		traced = traced || strings.HasPrefix(src.Source, "reset trace") && src.State != "not-measured"
	}
	variables := strings.NewReplacer("$run", r.Environment.RunID, "$target", ".*", "$__rate_interval", "5s")
	for _, p := range boards.Panels() {
		for _, q := range p.Queries {
			if strings.Contains(q.Expr, "rampload_resets_sent_total") && !traced {
				continue
			}
			if !some(s.over(t, variables.Replace(q.Expr), from, to.Add(2*time.Second))) {
				t.Errorf("%s: panel %q has no data: %s", name, p.Title, q.Expr)
			}
		}
	}
	for _, rule := range boards.Rules() {
		if !some(s.over(t, rule.Value, from, to.Add(2*time.Second))) {
			t.Errorf("%s: rule %s%s has no data: %s", name, rule.Record, rule.Alert, rule.Value)
		}
		s.over(t, rule.Expr(), from, to) // it can be evaluated
	}
	firing := s.over(t, `ALERTS{alertname="RamploadConnectionsReset", alertstate="firing"}`, from, to.Add(2*time.Second))
	if !some(firing) {
		t.Errorf("%s: no alert of connections that were reset", name)
	}
}
