package bpf

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A connection that is closed with unread data is told once, to whoever may load
// programs.
func TestResetHere(t *testing.T) {
	l, port := listen(t, 10)
	defer unix.Close(l)
	p := open(t, Options{Ports: []uint16{port}})
	c, err := dial(t, port, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(c)
	s, _, err := unix.Accept(l)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = unix.Write(c, []byte("unread"))
	unix.Close(s)
	sent := 0
	if err := p.Read(func(r Reset) {
		if r.Kind == Sent && r.Local.Port() == port && r.Current.PID == int32(os.Getpid()) {
			sent++
		}
	}); err != nil {
		t.Error(err)
	}
	if sent != 1 {
		t.Errorf("%d resets sent by this process, want 1", sent)
	}
}

// Two capabilities stand for root; without them the error names them.
func TestRights(t *testing.T) {
	if os.Geteuid() != 0 {
		skip(t, "needs root")
	}
	open(t, Options{}) // skips where the kernel cannot
	for _, test := range []struct {
		name string
		caps []uintptr
		says string
	}{
		{"both", []uintptr{unix.CAP_BPF, unix.CAP_PERFMON}, "--- PASS: TestResetHere"},
		{"one", []uintptr{unix.CAP_BPF}, "needs CAP_PERFMON"},
		{"none", nil, "needs CAP_BPF and CAP_PERFMON"},
	} {
		child := exec.Command("/proc/self/exe", "-test.run=^TestResetHere$", "-test.v")
		child.Dir, child.Env = "/", []string{"PATH=" + os.Getenv("PATH")}
		child.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}, AmbientCaps: test.caps}
		if out, err := child.CombinedOutput(); err != nil || !strings.Contains(string(out), test.says) {
			t.Errorf("%s: %v, want %q in\n%s", test.name, err, test.says, out)
		}
	}
}
