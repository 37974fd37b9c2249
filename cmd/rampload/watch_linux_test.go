package main_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rampload/rampload/report"
)

// liveNginx is nginx in a network namespace of its own, whose configuration can be
// changed for one that resets some of its connections.
type liveNginx struct {
	dir, netns, url string
	pid             int
}

// until waits for something to come true.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func startLiveNginx(t *testing.T) *liveNginx {
	t.Helper()
	n := &liveNginx{dir: t.TempDir(), netns: fmt.Sprintf("rlw%d", os.Getpid())}
	outer, inner := n.netns+"o", n.netns+"i"
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", n.netns).Run() })
	for _, args := range [][]string{
		{"netns", "add", n.netns},
		{"link", "add", outer, "type", "veth", "peer", "name", inner, "netns", n.netns},
		{"addr", "add", "10.197.31.1/24", "dev", outer},
		{"link", "set", outer, "up"},
		{"-n", n.netns, "addr", "add", "10.197.31.2/24", "dev", inner},
		{"-n", n.netns, "link", "set", inner, "up"},
		{"-n", n.netns, "link", "set", "lo", "up"},
	} {
		run(t, "ip", args...)
	}
	n.url = "http://10.197.31.2:8080"
	n.serve(t, "return 200 ok;")
	conf := fmt.Sprintf(`daemon off; user root; worker_processes 1; error_log %[1]s/error.log warn; pid %[1]s/nginx.pid;
events { worker_connections 512; }
http {
  access_log %[1]s/access.log; reset_timedout_connection on;
  client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
  include %[1]s/server.conf;
}
`, n.dir)
	if err := os.WriteFile(filepath.Join(n.dir, "nginx.conf"), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("ip", "netns", "exec", n.netns, "nginx", "-e", filepath.Join(n.dir, "error.log"), "-c", filepath.Join(n.dir, "nginx.conf"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	n.pid = cmd.Process.Pid // ip has become nginx
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	until(t, "nginx", func() bool {
		r, err := http.Get(n.url)
		if err != nil {
			return false
		}
		r.Body.Close()
		return r.StatusCode == http.StatusOK
	})
	return n
}

func (n *liveNginx) serve(t *testing.T, what string) {
	t.Helper()
	text := fmt.Sprintf("server { listen 8080; location / { %s } }\n", what)
	if err := os.WriteFile(filepath.Join(n.dir, "server.conf"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// reset is how many requests nginx says that it reset.
func (n *liveNginx) reset(t *testing.T) int {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(n.dir, "access.log"))
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Count(data, []byte(`" 444 `))
}

// load sends requests at a rate until ctx is done, and counts those that ended well and
// those that did not.
func (n *liveNginx) load(ctx context.Context, good, bad *atomic.Int64) {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	client := &http.Client{Timeout: 5 * time.Second}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		// No replay hides a reset: a POST is not sent twice.
		r, err := client.Post(n.url, "text/plain", strings.NewReader("x"))
		if err != nil {
			bad.Add(1)
			continue
		}
		_, _ = io.Copy(io.Discard, r.Body)
		r.Body.Close()
		good.Add(1)
	}
}

// TestWatchLiveTraffic watches nginx under the load of others. A release that is marked
// makes it reset connections: the verdict says when, after which mark, and who sent the
// resets; their number is that of the load.
func TestWatchLiveTraffic(t *testing.T) {
	// How long the load is watched without and with resets, whatever its rate.
	const beforeMark, afterMark = 6 * time.Second, 10 * time.Second
	need(t, "nginx", "ip")
	exe := buildProgram(t)
	n := startLiveNginx(t)
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	profile := fmt.Sprintf(`name: live
targets: [{name: orders, url: '%s', hosts: [orders-1]}]
load: [{at: 1/s, for: 1s}]
gate: ["failures == 0"]
hosts: [{name: orders-1, netns: %s, processes: [{listen: 8080}]}]
`, n.url, n.netns)
	if err := os.WriteFile(file("live.yaml"), []byte(profile), 0o600); err != nil {
		t.Fatal(err)
	}
	environ := append(os.Environ(), "XDG_RUNTIME_DIR="+dir)
	mark := func(text string) (string, error) {
		cmd := exec.Command(exe, "mark", text)
		cmd.Env = environ
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := mark("too early"); err == nil || !strings.Contains(out, "no run goes on: start one") {
		t.Errorf("a mark without a run: %v, %s", err, out)
	}
	var text bytes.Buffer
	watch := exec.Command(exe, "watch", file("live.yaml"), "--out", file("out.json"))
	watch.Env, watch.Stdout, watch.Stderr = environ, &text, &text
	if err := watch.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = watch.Process.Kill() }()
	var good, bad atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	loaded := make(chan struct{})
	go func() { defer close(loaded); n.load(ctx, &good, &bad) }()

	until(t, "the watch to take marks", func() bool { _, err := mark("watching"); return err == nil })
	before, began := good.Load(), time.Now()
	until(t, "traffic", func() bool { return good.Load() > before+4000 && time.Since(began) > beforeMark })
	if out, err := mark("deploy v2"); err != nil || !strings.Contains(out, "marked live at ") {
		t.Fatalf("%v: %s", err, out)
	}
	n.serve(t, `if ($connection_requests ~ "5$") { return 444; } return 200 ok;`)
	run(t, "nginx", "-s", "reload", "-e", filepath.Join(n.dir, "error.log"), "-c", filepath.Join(n.dir, "nginx.conf"))
	// A rise that has lasted but a moment is a spell to the statistics, not an onset.
	marked := time.Now()
	until(t, "resets", func() bool { return n.reset(t) > 400 && time.Since(marked) > afterMark })
	stop()
	<-loaded
	if err := watch.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := watch.Wait(); err != nil {
		t.Fatalf("the watch ended with %v\n%s", err, text.String())
	}

	f, err := os.Open(file("out.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := report.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	// A request that crosses the end of its connection at the reload is reset too, and nginx
	// does not know it: whoever sent the load does.
	resets, target := bad.Load(), r.Targets[0]
	if int64(target.WireResets) != resets || int64(target.Failed) != resets || resets < int64(n.reset(t)) {
		t.Errorf("%d connections reset, %d failed; the load met %d, nginx reset %d; read from %+v", target.WireResets, target.Failed, resets, n.reset(t), r.Sources)
	}
	m := target.Onset.Mark
	if target.Onset.Status != report.OnsetFound || m == nil || m.Text != "deploy v2" || m.AfterS > 10 {
		counted, _ := os.ReadFile(file("out.json"))
		t.Errorf("onset %+v, mark %+v; %d requests were seen of %d and %d\n%s", target.Onset, m, target.Requests, good.Load(), resets, counted)
	}
	if len(r.Watched) != 1 || r.Watched[0].By != report.CountedByKernel || !r.Watched[0].Traced || len(r.Gates) != 0 || r.Interrupted || !r.Complete {
		t.Errorf("watched %+v, gates %+v, interrupted %v", r.Watched, r.Gates, r.Interrupted)
	}
	if total := float64(good.Load()); float64(target.Requests) < 0.5*total || float64(target.Requests) > 1.3*total {
		t.Errorf("%d requests were seen, about %g were sent", target.Requests, total)
	}
	if found := r.Findings[0]; found.Cause != "application-abort" || found.Host != "orders-1" {
		t.Errorf("the verdict is %s %s on %s: %s", found.Verdict, found.Cause, found.Host, found.Summary)
	}
	for _, want := range []string{`after "deploy v2": `, "orders resets since ", "marks ", "traffic "} {
		if !strings.Contains(strings.Join(strings.Fields(text.String()), " "), strings.TrimSpace(want)) {
			t.Errorf("%q is not told:\n%s", want, text.String())
		}
	}
}

// TestWatchThroughAgent watches nginx through an agent, with its log: the verdict is of the
// agent's host, and quotes the log. Nobody's requests have ids, so that time joins them.
func TestWatchThroughAgent(t *testing.T) {
	const before, after = 6 * time.Second, 10 * time.Second
	need(t, "nginx", "ip", "nsenter")
	exe := buildProgram(t)
	n := startLiveNginx(t)
	dir := t.TempDir()
	profile := fmt.Sprintf(`name: live
targets: [{name: orders, url: '%s', hosts: [orders-1]}]
load: [{at: 1/s, for: 1s}]
hosts:
  - name: orders-1
    agent: {command: [nsenter, --net=/run/netns/%s, --, %s, agent, --stdio]}
    processes: [{listen: 8080}]
    logs: [{file: %s/error.log, service: nginx}]
`, n.url, n.netns, exe, n.dir)
	if err := os.WriteFile(filepath.Join(dir, "live.yaml"), []byte(profile), 0o600); err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	watch := exec.Command(exe, "watch", filepath.Join(dir, "live.yaml"), "--out", filepath.Join(dir, "out.json"))
	watch.Env, watch.Stdout, watch.Stderr = append(os.Environ(), "XDG_RUNTIME_DIR="+dir), &text, &text
	if err := watch.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = watch.Process.Kill() }()
	var good, bad atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	loaded := make(chan struct{})
	go func() { defer close(loaded); n.load(ctx, &good, &bad) }()
	began := time.Now()
	until(t, "traffic", func() bool { return good.Load() > 2000 && time.Since(began) > before })
	// What it asks is reset once it listens no more: nginx says so in its log.
	n.serve(t, `proxy_pass http://127.0.0.1:9; proxy_connect_timeout 1s; error_page 502 = @cut; } location @cut { return 444;`)
	run(t, "nginx", "-s", "reload", "-e", filepath.Join(n.dir, "error.log"), "-c", filepath.Join(n.dir, "nginx.conf"))
	broke := time.Now()
	until(t, "resets", func() bool { return bad.Load() > 400 && time.Since(broke) > after })
	stop()
	<-loaded
	if err := watch.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := watch.Wait(); err != nil {
		t.Fatalf("the watch ended with %v\n%s", err, text.String())
	}
	f, err := os.Open(filepath.Join(dir, "out.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := report.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	target, found := r.Targets[0], r.Findings[0]
	if int64(target.WireResets) < bad.Load()*9/10 || found.Host != "orders-1" {
		t.Errorf("%d resets of %d; the verdict is %s %s on %s: %s", target.WireResets, bad.Load(), found.Verdict, found.Cause, found.Host, told(found))
	}
	for _, want := range []string{"nginx on orders-1 -> 127.0.0.1:9: ", "Connection refused"} {
		if !strings.Contains(told(found), want) {
			t.Errorf("%q is not told:\n%s\n%s\n%+v", want, told(found), text.String(), r.Sources)
		}
	}
}
