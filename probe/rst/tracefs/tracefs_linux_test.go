package tracefs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/rampload/rampload/probe"
	"golang.org/x/sys/unix"
)

// fixtureFS is a tracefs with the layouts of a kernel.
func fixtureFS(t *testing.T, kernel string, without ...string) tracefs {
	t.Helper()
	root := t.TempDir()
	for event, system := range map[string]string{
		"tcp_send_reset": "tcp", "tcp_receive_reset": "tcp", "tcp_retransmit_skb": "tcp", "inet_sock_set_state": "sock",
	} {
		text, err := os.ReadFile(filepath.Join("testdata/formats", kernel, event))
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(root, "events", system, event)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "format"), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, event := range without {
		if err := os.RemoveAll(filepath.Join(root, "events", event)); err != nil {
			t.Fatal(err)
		}
	}
	return tracefs{root, -1}
}

func TestOldKernels(t *testing.T) {
	for _, tt := range []struct {
		kernel  string
		without []string
		want    string
	}{
		{"6.18", nil, "[]"},
		{"6.1", nil, "[reset reasons not measured: this kernel gives none; needs Linux 6.10 resets that no socket sent not measured: this kernel does not report them; needs Linux 6.9]"},
		{"5.15", nil, "[reset reasons not measured: this kernel gives none; needs Linux 6.10 resets that no socket sent not measured: this kernel does not report them; needs Linux 6.9]"},
		{"6.18", []string{"tcp/tcp_retransmit_skb"}, "[retransmissions not measured: this kernel has no tracepoint tcp/tcp_retransmit_skb]"},
	} {
		b := &Buffers{Fs: fixtureFS(t, tt.kernel, tt.without...), ring: pageRing(t), layouts: map[uint16]layout{}}
		points, err := b.readFormats(tracepoints(Options{}))
		if err != nil || len(points) != 4-len(tt.without) || fmt.Sprint(b.Missing) != tt.want {
			t.Errorf("%s: %v, %v; want %s", tt.kernel, b.Missing, err, tt.want)
		}
	}
	b := &Buffers{Fs: fixtureFS(t, "5.15", "tcp/tcp_send_reset"), ring: pageRing(t), layouts: map[uint16]layout{}}
	if _, err := b.readFormats(tracepoints(Options{})); !errors.Is(err, probe.ErrUnsupported) {
		t.Errorf("no tcp_send_reset: %v", err)
	}
}

func TestSavedLines(t *testing.T) {
	root := t.TempDir()
	self := os.Getpid()
	for name, text := range map[string]string{
		"saved_cmdlines": "12 nginx: worker\n13 <...>\nx y\n\n14\n15 <...>\n16 an earlier one\n",
		"saved_tgids":    fmt.Sprintf("12 10\n13 11\n15 %d\n16 %d\n", self, self),
	} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := NewProcesses(tracefs{root, -1})
	if p.inside {
		skipped(t, "needs the initial pid namespace")
	}
	p.proc = t.TempDir() // where only our process lives
	if err := os.Symlink(fmt.Sprintf("/proc/%d", self), filepath.Join(p.proc, fmt.Sprint(self))); err != nil {
		t.Fatal(err)
	}
	ours := Process{Pid: int32(self), Comm: ownComm(t), Net: Inode(fmt.Sprintf("/proc/%d/ns/net", self))}
	for tid, want := range map[int32]Process{
		12: {Pid: 10, Comm: "nginx: worker"}, 13: {Pid: 11}, 99: {Pid: 99},
		15: ours, 16: ours,
	} {
		if got := p.Find(tid); got != want {
			t.Errorf("thread %d: %+v, want %+v", tid, got, want)
		}
	}
}

func TestProcesses(t *testing.T) {
	p := NewProcesses(tracefs{t.TempDir(), -1})
	if p.inside {
		skipped(t, "needs the initial pid namespace")
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	got := p.Find(int32(unix.Gettid()))
	if got.Pid != int32(os.Getpid()) || got.Comm == "" || got.Net == 0 {
		t.Errorf("own thread: %+v", got)
	}
	if got := p.Find(2); got != (Process{}) { // kthreadd
		t.Errorf("kernel thread: %+v", got)
	}
}

// ownComm is the name of this process's first thread.
func ownComm(t *testing.T) string {
	t.Helper()
	name, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(name))
}

// skipped skips the test with a reason, or fails it where every test must run.
func skipped(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv("RAMPLOAD_NO_SKIP") == "1" {
		t.Fatal("must not skip: " + reason)
	}
	t.Skip(reason)
}
