package bpf

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"
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

// A kernel without type information is told as such.
func TestWithoutTypeInformation(t *testing.T) {
	if os.Geteuid() != 0 {
		skip(t, "needs root")
	}
	open(t, Options{})
	child := exec.Command("/proc/self/exe", "-test.run=^TestResetHere$", "-test.v")
	child.Dir, child.Env = "/", append(os.Environ(), "BPF_TEST_HIDE_BTF=1", "RAMPLOAD_NO_SKIP=")
	child.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS} // what it mounts is its own
	if out, err := child.CombinedOutput(); err != nil || !strings.Contains(string(out), "the kernel carries no type information; needs CONFIG_DEBUG_INFO_BTF") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestMain lets the test binary serve as a process without type information, or as
// one that holds programs until it is killed.
func TestMain(m *testing.M) {
	if os.Getenv("BPF_TEST_HIDE_BTF") != "" {
		if err := unix.Mount("none", "/sys/kernel/btf", "tmpfs", 0, ""); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
	if os.Getenv("BPF_TEST_HOLD") != "" {
		p, err := Open(Options{Ports: []uint16{1}})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		for _, one := range p.tellers {
			info, err := one.Info()
			if err != nil {
				os.Exit(1)
			}
			id, _ := info.ID()
			fmt.Println(id)
		}
		fmt.Println("holds")
		select {}
	}
	os.Exit(m.Run())
}

// Nothing stays in the kernel when the process is killed.
func TestKilledLeavesNothing(t *testing.T) {
	if os.Geteuid() != 0 {
		skip(t, "needs root")
	}
	open(t, Options{})
	child := exec.Command("/proc/self/exe")
	child.Env = append(os.Environ(), "BPF_TEST_HOLD=1")
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var held []ebpf.ProgramID
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "holds" {
		var id ebpf.ProgramID
		if _, err := fmt.Sscan(lines.Text(), &id); err != nil {
			t.Fatalf("the child says %q", lines.Text())
		}
		held = append(held, id)
	}
	there := func() (n int) {
		for _, id := range held {
			if p, err := ebpf.NewProgramFromID(id); err == nil {
				p.Close()
				n++
			}
		}
		return n
	}
	if len(held) < 2 || there() != len(held) {
		t.Errorf("%d of %d programs are in the kernel while they are held", there(), len(held))
	}
	_ = child.Process.Kill()
	_ = child.Wait()
	for there() > 0 { // the kernel frees them a little later; a test that never ends fails
		_, _ = unix.Poll(nil, 1)
	}
}
