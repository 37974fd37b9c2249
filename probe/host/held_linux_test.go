package host

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/probe"
)

// TestHeldBy has two threads of this process wait, one for a lock on a file and one for
// somebody to read from a full pipe, and finds them by what the kernel says.
func TestHeldBy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	open := func() *os.File {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	holder, waiter := open(), open()
	if err := unix.Flock(int(holder.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	tids, done := make(chan int, 2), make(chan error, 2)
	held := func(wait func() error) int {
		go func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			tids <- unix.Gettid()
			done <- wait()
		}()
		return <-tids
	}
	threads := map[string]int{
		probe.HeldFileLock: held(func() error { return unix.Flock(int(waiter.Fd()), unix.LOCK_EX) }),
		probe.HeldOutput: held(func() error {
			_, err := unix.Write(pipe[1], make([]byte, 1<<20))
			return err
		}),
	}
	task, err := unix.Open("/proc/self/task", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(task)
	for want, tid := range threads {
		name := strconv.Itoa(tid)
		if b, err := os.ReadFile("/proc/self/task/" + name + "/wchan"); err != nil || string(b) == "0" {
			t.Skipf("the kernel does not show what threads wait in: %q %v", b, err)
		}
		for heldBy(task, name) != want { // it is on its way there
			if t.Context().Err() != nil {
				t.Fatalf("thread %s is not found to be held by %s", name, want)
			}
			runtime.Gosched()
		}
	}
	if err := unix.Flock(int(holder.Fd()), unix.LOCK_UN); err != nil {
		t.Fatal(err)
	}
	unix.Close(pipe[0])
	for range threads {
		<-done
	}
	unix.Close(pipe[1])
}
