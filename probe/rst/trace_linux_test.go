package rst

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/probetest"
	"github.com/rampload/rampload/probe/rst/tracefs"
)

// needTrace skips where the trace cannot be measured.
func needTrace(t testing.TB) {
	t.Helper()
	if err := NewTrace(TraceOptions{Clock: probe.NewClock(time.Now())}).Check(); errors.Is(err, probe.ErrUnsupported) {
		skip(t, "%v", err)
	} else if err != nil {
		t.Fatal(err)
	}
}

// reset makes one reset over loopback.
func reset(t *testing.T) {
	t.Helper()
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		if c, err := l.AcceptTCP(); err == nil {
			abort(c)
		}
	}()
	_ = ask(t, ns{}, addrPort(l.Addr()))
	<-done
}

func TestTraceContract(t *testing.T) {
	needTrace(t)
	probetest.RunWatcher(t, func(t *testing.T) probe.Watcher {
		return NewTrace(TraceOptions{Clock: probe.NewClock(time.Now())})
	}, reset)
	for _, name := range instances(t) {
		if strings.HasPrefix(name, fmt.Sprintf("rampload-%d-", os.Getpid())) {
			t.Errorf("trace instance %s is left behind", name)
		}
	}
}

func instances(t *testing.T) []string {
	t.Helper()
	fs, err := tracefs.OpenFS("")
	if err != nil {
		t.Fatal(err)
	}
	defer fs.Close()
	entries, err := os.ReadDir(filepath.Join(fs.Root, "instances"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestTraceLeftovers checks that an instance of a dead process is removed, and
// one of a live process is not.
func TestTraceLeftovers(t *testing.T) {
	needTrace(t)
	fs, err := tracefs.OpenFS("")
	if err != nil {
		t.Fatal(err)
	}
	defer fs.Close()
	// Beyond the largest pid that Linux gives (PID_MAX_LIMIT).
	dead := filepath.Join(fs.Root, "instances", "rampload-4194305-7")
	if err := os.Mkdir(dead, 0o700); err != nil {
		t.Fatal(err)
	}
	alive := filepath.Join(fs.Root, "instances", "rampload-1-999")
	if err := os.Mkdir(alive, 0o700); err != nil {
		t.Fatal(err)
	}
	defer unix.Rmdir(alive)
	path, err := fs.Instance()
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Rmdir(path)
	if _, err := os.Stat(dead); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("leftover instance: %v", err)
	}
	if _, err := os.Stat(alive); err != nil {
		t.Errorf("instance of a live process: %v", err)
	}
}

// TestTraceDetached uses tracefs where it is mounted nowhere, as in a network
// namespace entered with "ip netns exec".
func TestTraceDetached(t *testing.T) {
	needTrace(t)
	fd, err := tracefs.MountDetached("tracefs")
	if err != nil {
		skip(t, "mount tracefs: %v", err)
	}
	defer unix.Close(fd)
	trace := NewTrace(TraceOptions{Clock: probe.NewClock(time.Now()), Root: fmt.Sprintf("/proc/self/fd/%d", fd)})
	w := watchAll(t, trace)
	reset(t)
	if n := len(pick(w.stop(), probe.RSTSent, "local")); n == 0 {
		t.Error("no reset seen")
	}
}

// TestTraceLost floods the smallest buffer: every reset is either seen or
// counted as lost.
func TestTraceLost(t *testing.T) {
	n := newNetwork(t)
	needTrace(t)
	trace := NewTrace(TraceOptions{
		Clock: probe.NewClock(time.Now()), BufferKB: 4, Interval: time.Hour, WithoutStates: true, Tracefs: true,
		Hosts: []Host{{Name: "client", Netns: n.client.path}, {Name: "server", Netns: n.server.path}},
	})
	w := watchAll(t, trace)
	before := n.server.snmp(t, "snmp", "OutRsts")
	const many = 500
	for range many {
		_, _ = n.client.dial(netip.AddrPortFrom(n.server.v4, 1))
	}
	sent := n.server.snmp(t, "snmp", "OutRsts") - before
	if sent != many {
		t.Fatalf("the kernel sent %d resets, want %d", sent, many)
	}
	seen, lost := 0, 0
	for _, e := range w.stop() {
		if e.Kind == probe.Lost {
			lost += int(e.Count)
		} else {
			seen += int(max(e.Count, 1))
		}
	}
	// Each reset is sent once and received once; other tests' resets may be lost
	// as well.
	if lost == 0 || seen+lost < 2*many {
		t.Errorf("%d seen and %d lost of %d", seen, lost, 2*many)
	}
	st := trace.Status()
	if st.State != probe.Partial || !strings.Contains(st.Reason, "events lost") {
		t.Errorf("status %+v", st)
	}
}

// unprivileged runs f on a thread without any rights.
func unprivileged(t *testing.T, f func()) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // the thread ends with the goroutine
		const nobody = 65534
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, nobody, nobody, nobody); errno != 0 {
			done <- errno
			return
		}
		f()
		done <- nil
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestUnsupported(t *testing.T) {
	needRoot(t)
	unprivileged(t, func() {
		for _, tt := range []struct {
			check func() error
			want  string
		}{
			{NewTrace(TraceOptions{Tracefs: true}).Check, "reset trace not measured: the kernel shows its tracepoints to root only; needs root"},
			{NewTrace(TraceOptions{}).Check, "reset trace not measured: the kernel shows its tracepoints to root only; this process may not load kernel programs; needs root, or CAP_BPF and CAP_PERFMON"},
			{NewCapture(CaptureOptions{}).Check, "reset capture not measured: this process may not capture packets; needs root or CAP_NET_RAW"},
		} {
			err := tt.check()
			probetest.CheckUnsupported(t, err)
			if err == nil || err.Error() != tt.want || !errors.Is(err, probe.ErrUnsupported) {
				t.Errorf("%v, want %s", err, tt.want)
			}
		}
	})
	trace := NewTrace(TraceOptions{Clock: probe.NewClock(time.Now()), Root: t.TempDir()})
	err := trace.Watch(t.Context(), func(probe.Event) { t.Error("event") })
	if !errors.Is(err, probe.ErrUnsupported) || trace.Status().State != probe.NotMeasured || !strings.Contains(trace.Status().Reason, "Linux 4.16") {
		t.Errorf("empty tracefs: %v, %+v", err, trace.Status())
	}
	capture := NewCapture(CaptureOptions{Clock: probe.NewClock(time.Now()), Netns: "/run/netns/rst-none"})
	err = capture.Watch(t.Context(), func(probe.Event) { t.Error("event") })
	if !errors.Is(err, probe.ErrUnsupported) || !strings.Contains(err.Error(), "no network namespace /run/netns/rst-none") {
		t.Errorf("missing namespace: %v", err)
	}
}

// TestWatchEndsWithContext ends both watchers while they wait.
func TestWatchEndsWithContext(t *testing.T) {
	needTrace(t)
	clock := probe.NewClock(time.Now())
	for _, w := range []readyWatcher{NewTrace(TraceOptions{Clock: clock, Interval: time.Hour}), NewCapture(CaptureOptions{Clock: clock})} {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- w.Watch(ctx, func(probe.Event) {}) }()
		<-w.Ready()
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("%s does not end", w.Source().Name)
		}
	}
}

// Where programs cannot be loaded the tracepoints are read, and one line says what is
// missing for it.
func TestTraceWithoutTypeInformation(t *testing.T) {
	needTrace(t)
	if os.Getenv("RST_TEST_HIDE_BTF") == "" {
		needPrograms(t)
		child := exec.Command("/proc/self/exe", "-test.run=^TestTraceWithoutTypeInformation$", "-test.v")
		child.Env = append(os.Environ(), "RST_TEST_HIDE_BTF=1")
		child.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS} // what it mounts is its own
		if out, err := child.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	if err := unix.Mount("none", "/sys/kernel/btf", "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	trace := NewTrace(TraceOptions{Clock: probe.NewClock(time.Now())})
	w := watchAll(t, trace)
	reset(t)
	if n := len(pick(w.stop(), probe.RSTSent, "local")); n == 0 {
		t.Error("no reset seen")
	}
	missing := 0
	for _, u := range trace.Missing() {
		if strings.Contains(u.Error(), "CONFIG_DEBUG_INFO_BTF") {
			missing++
		}
	}
	if state := trace.Status(); missing != 1 || state.State != probe.Partial || strings.Contains(state.Reason, "\n") {
		t.Errorf("%d lines of missing type information, %+v: %v", missing, state, trace.Missing())
	}
}

// Without any right the trace says so in one line, for both ways.
func TestTraceWithoutRights(t *testing.T) {
	if os.Getenv("RST_TEST_NOBODY") == "" {
		needRoot(t)
		child := exec.Command("/proc/self/exe", "-test.run=^TestTraceWithoutRights$", "-test.v")
		child.Dir, child.Env = "/", []string{"RST_TEST_NOBODY=1", "PATH=" + os.Getenv("PATH")}
		child.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		if out, err := child.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	trace := NewTrace(TraceOptions{Clock: probe.NewClock(time.Now())})
	err := trace.Watch(t.Context(), func(e probe.Event) { t.Errorf("%+v", e) })
	state := trace.Status()
	if !errors.Is(err, probe.ErrUnsupported) || state.State != probe.NotMeasured || strings.Contains(state.Reason, "\n") || !strings.Contains(state.Reason, "CAP_BPF and CAP_PERFMON") {
		t.Errorf("%v, %+v", err, state)
	}
}
