package netns

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/probe"
)

// file returns the file of the namespace below root.
func (n Namespace) file(root string) string {
	switch {
	case n.Path != "":
		return n.Path
	case n.PID != 0:
		return filepath.Join(root, "proc", strconv.Itoa(int(n.PID)), "ns/net")
	default:
		return filepath.Join("/run/netns", n.Name)
	}
}

// String names the namespace for people.
func (n Namespace) String() string {
	switch {
	case n.Name != "":
		return "network namespace " + n.Name
	case n.Path != "":
		return "network namespace " + n.Path
	case n.PID != 0:
		return fmt.Sprintf("network namespace of process %d", n.PID)
	default:
		return "own network namespace"
	}
}

// Inside calls f with the calling thread in the namespace, and with the
// descriptor of the namespace (0 for rampload's own). Sockets and files below
// /proc/thread-self/net and /proc/sys/net that f opens stay in the namespace and
// can be used from anywhere afterwards.
//
// A thread that changed its namespace must not serve other goroutines, so f runs
// on its own thread, which ends with it. An error matches [probe.ErrUnsupported]
// if rampload may not enter, and [fs.ErrNotExist] if the namespace is gone.
func (n Namespace) Inside(f func(fd int) error) error {
	if n.Own() {
		return f(0)
	}
	ns, err := os.Open(n.file("/"))
	switch {
	case errors.Is(err, fs.ErrPermission):
		return &probe.Unsupported{What: n.String(), Reason: err.Error(), Needs: "root"}
	case err != nil:
		return fmt.Errorf("open %s: %w", n, err)
	}
	defer ns.Close()
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends here
		if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
			if errors.Is(err, unix.EPERM) {
				done <- &probe.Unsupported{What: n.String(), Reason: "setns: " + err.Error(), Needs: "root (CAP_SYS_ADMIN)"}
				return
			}
			done <- fmt.Errorf("enter %s: %w", n, err)
			return
		}
		done <- f(int(ns.Fd()))
	}()
	return <-done
}

// Inode identifies the namespace; equal numbers are the same namespace.
func (n Namespace) Inode(root string) (uint64, error) {
	path := n.file(root)
	if n.Own() {
		// Not of the process: its first thread cannot end, and stays in a namespace that
		// Inside entered with it.
		path = filepath.Join(root, "proc/thread-self/ns/net")
	}
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return 0, &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	return st.Ino, nil
}
