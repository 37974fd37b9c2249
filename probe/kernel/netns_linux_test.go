package kernel

import (
	"fmt"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// skip skips a test for a reason, unless everything must run.
func skip(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("RAMPLOAD_NO_SKIP") == "1" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// testNetns is a new network namespace with its loopback up, gone at the end of
// the test.
type testNetns struct {
	ns   Namespace
	work chan func()
}

func newNetns(t testing.TB) *testNetns {
	t.Helper()
	if os.Geteuid() != 0 {
		skip(t, "needs root for a network namespace")
	}
	n := &testNetns{work: make(chan func())}
	ready := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread, and the namespace, end with the test
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			ready <- fmt.Errorf("unshare: %w", err)
			return
		}
		n.ns = Namespace{Path: fmt.Sprintf("/proc/%d/task/%d/ns/net", os.Getpid(), unix.Gettid())}
		ready <- loopbackUp()
		for f := range n.work {
			f()
		}
	}()
	if err := <-ready; err != nil {
		skip(t, "needs a network namespace: %v", err)
	}
	t.Cleanup(func() { close(n.work) })
	return n
}

// do runs f on a thread of the namespace.
func (n *testNetns) do(f func()) {
	done := make(chan struct{})
	n.work <- func() { defer close(done); f() }
	<-done
}

func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	r, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	r.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, r)
}

// sysctl writes a setting of the namespace.
func (n *testNetns) sysctl(t testing.TB, name, value string) {
	t.Helper()
	n.do(func() {
		if err := os.WriteFile("/proc/sys/"+name, []byte(value), 0o644); err != nil {
			t.Errorf("set %s: %v", name, err)
		}
	})
}

// listen opens a listener on any port with a backlog; nobody accepts from it.
func (n *testNetns) listen(t testing.TB, addr [4]byte, backlog int) (port int, fd int) {
	t.Helper()
	return n.listenOn(t, addr, 0, backlog)
}

func (n *testNetns) listenOn(t testing.TB, addr [4]byte, want, backlog int) (port int, fd int) {
	t.Helper()
	n.do(func() {
		var err error
		if fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err == nil {
			if err = unix.Bind(fd, &unix.SockaddrInet4{Addr: addr, Port: want}); err == nil {
				err = unix.Listen(fd, backlog)
			}
		}
		if err != nil {
			t.Errorf("listen: %v", err)
			return
		}
		sa, _ := unix.Getsockname(fd)
		port = sa.(*unix.SockaddrInet4).Port
	})
	t.Cleanup(func() { unix.Close(fd) })
	return port, fd
}

// connect starts a connection without waiting for it.
func (n *testNetns) connect(t testing.TB, port int) (fd int, err error) {
	n.do(func() {
		if fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0); err != nil {
			return
		}
		err = unix.Connect(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: port})
		if err == unix.EINPROGRESS {
			err = nil
		}
	})
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd, nil
}

// connections opens a number of connections; nobody accepts them, so each takes
// one descriptor for its two sockets.
func (n *testNetns) connections(t testing.TB, count int) {
	t.Helper()
	const backlog = 4000
	for ; count > 0; count -= backlog {
		port, _ := n.listen(t, [4]byte{}, backlog)
		for range min(count, backlog) {
			if _, err := n.connect(t, port); err != nil {
				t.Fatal(err)
			}
		}
	}
}
