package logs

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rampload/rampload/probe"
)

// printing starts a program that has a file open to print into, and prints nothing.
func printing(t *testing.T, path, name string, args ...string) int32 {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cmd := exec.Command(name, args...)
	cmd.Stdout = f
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return int32(cmd.Process.Pid)
}

// told watches what processes print while something happens, until it says so.
func told(t *testing.T, claims *Claims, happens func(), until string, pids ...int32) (events []probe.Event, missing []*probe.Unsupported) {
	t.Helper()
	w := NewWritten("of a test", "web", "", func() string { return "gunicorn" }, func() []int32 { return pids }, claims, probe.NewClock(time.Now()))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	heard, done := make(chan probe.Event, 1000), make(chan struct{})
	go func() { defer close(done); _ = w.Watch(ctx, func(e probe.Event) { heard <- e }) }()
	late := time.After(20 * time.Second)
	for {
		happens()
		select {
		case e := <-heard:
			if events = append(events, e); strings.Contains(e.Reason, until) {
				cancel()
				<-done
				return events, w.Missing()
			}
		case <-time.After(200 * time.Millisecond):
		case <-late:
			cancel()
			<-done
			return events, w.Missing()
		}
	}
}

// Lines of a file that another program prints into as well are the file's, and nobody's own;
// what two watchers find is told of by one of them; and what rampload itself prints is not
// told of at all.
func TestSharedFiles(t *testing.T) {
	dir := t.TempDir()
	shared, own := filepath.Join(dir, "all.log"), filepath.Join(dir, "own.log")
	// Neither is the other's parent: both are this process' children, which is not watched.
	a := printing(t, shared, "tail", "-f", "/dev/null")
	printing(t, shared, "sleep", "1000")
	add(t, shared, "")
	events, missing := told(t, nil, func() { add(t, shared, "ERROR: boom\n") }, "boom", a)
	if len(events) == 0 || events[0].Process != "all" {
		t.Errorf("it tells %+v", events)
	}
	if len(missing) != 1 || !strings.Contains(missing[0].Reason, "sleep prints into "+shared+", too") {
		t.Errorf("it lacks %v", missing)
	}
	claims := &Claims{}
	other := NewWritten("of another", "web", "", func() string { return "nginx" }, func() []int32 { return nil }, claims, probe.NewClock(time.Now()))
	info, err := os.Stat(shared)
	if err != nil {
		t.Fatal(err)
	}
	if id, ok := identify(info); !ok || !claims.take(id, other) {
		t.Fatal("nobody else has it")
	}
	b := printing(t, own, "tail", "-f", "/dev/null")
	mine, err := os.OpenFile(own, os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer mine.Close()
	alone := filepath.Join(dir, "alone.log")
	c := printing(t, alone, "tail", "-f", "/dev/null")
	events, _ = told(t, claims, func() {
		add(t, shared, "ERROR: of both\n")
		add(t, own, "ERROR: of rampload\n")
		add(t, alone, "ERROR: of gunicorn\n")
	}, "of gunicorn", a, b, c)
	if len(events) == 0 || slices.ContainsFunc(events, func(e probe.Event) bool { return e.Process != "gunicorn" || e.Reason != "ERROR: of gunicorn" }) {
		t.Errorf("it tells %+v", events)
	}
}

// What a process calls its file may be another one here: it is told by a path that leads
// to it.
func TestFilesOfAnotherRoot(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: a mount namespace")
	}
	dir := t.TempDir()
	// The decoy has the name that the process uses.
	add(t, filepath.Join(dir, "app.log"), "ERROR: decoy\n")
	cmd := exec.Command("unshare", "--mount", "--propagation", "private", "sh", "-c",
		"mount -t tmpfs tmpfs "+dir+" && exec tail -f /dev/null >> "+dir+"/app.log")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	pid := int32(cmd.Process.Pid)
	inside := fmt.Sprintf("/proc/%d/root%s/app.log", pid, dir)
	wait(t, "the file", func() bool { _, err := os.Stat(inside); return err == nil })
	events, _ := told(t, nil, func() { add(t, inside, "ERROR: inside\n") }, "inside", pid)
	if len(events) == 0 || events[0].Line.File != inside || events[0].Process != "gunicorn" {
		t.Errorf("it tells %+v, not of %s", events, inside)
	}
}

// The names that HAProxy gives its servers are addresses in its configuration.
func TestServersOfHAProxy(t *testing.T) {
	got := haproxyServers(`global
  log stdout format raw local0
defaults # server x 1.2.3.4:5
  mode http
backend orders
  server s1 10.0.3.1:8080 check
  server s2 ipv4@10.0.3.2:8080 # the second
  server s6 [fd00::6]:8080
  server bare 10.0.3.3
  server var "${ADDR}:80"
  server sock unix@/run/x.sock
listen pay
  bind :80
  server s1 payments:8081
frontend web
  server none 10.0.0.9:1
`)
	want := map[string]string{"orders/s1": "10.0.3.1:8080", "orders/s2": "10.0.3.2:8080", "orders/s6": "[fd00::6]:8080", "pay/s1": "payments:8081"}
	if len(got) != len(want) {
		t.Errorf("%v", got)
	}
	for name, addr := range want {
		if got[name] != addr {
			t.Errorf("%s is %q, not %q", name, got[name], addr)
		}
	}
	two := &servers{configs: func() []string {
		return []string{"backend a\n server s 10.0.0.1:1", "backend a\n server s 10.0.0.2:1\n server t 10.0.0.3:1"}
	}}
	if s, u := two.at("a/s", 0), two.at("a/t", 0); s != "" || u != "10.0.0.3:1" {
		t.Errorf("of two balancers: %q, %q", s, u)
	}
}
