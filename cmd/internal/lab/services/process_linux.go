package services

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// limitFiles sets the soft RLIMIT_NOFILE of this process.
func limitFiles(n uint64) error {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return err
	}
	l.Cur = n
	// syscall and not unix: it also keeps Go from giving children another limit.
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l)
}

// limitCores binds all threads of this process to the last n processors that it
// may use; threads made later inherit that.
func limitCores(n int) error {
	var all unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return err
	}
	var some unix.CPUSet
	for cpu := len(all)*64 - 1; cpu >= 0 && some.Count() < n; cpu-- {
		if all.IsSet(cpu) {
			some.Set(cpu)
		}
	}
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, t := range tasks {
		tid, err := strconv.Atoi(t.Name())
		if err != nil {
			return err
		}
		if err := unix.SchedSetaffinity(tid, &some); err != nil && !errors.Is(err, unix.ESRCH) {
			return err
		}
	}
	return nil
}

// outOfFiles reports whether an error means that descriptors ran out.
func outOfFiles(err error) bool {
	return errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE)
}

// listenBacklog listens with an accept queue of the given length; net.Listen
// always takes net.core.somaxconn.
func listenBacklog(addr string, backlog int) (*net.TCPListener, error) {
	ap, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", addr, err)
	}
	ln, err := net.Listen("tcp", ap.String())
	if err != nil {
		return nil, err
	}
	tl := ln.(*net.TCPListener)
	raw, err := tl.SyscallConn()
	if err == nil {
		// A second listen(2) on a listening socket changes its backlog.
		ctlErr := raw.Control(func(fd uintptr) { err = unix.Listen(int(fd), backlog) })
		err = errors.Join(err, ctlErr)
	}
	if err != nil {
		tl.Close()
		return nil, fmt.Errorf("set backlog of %s: %w", addr, err)
	}
	return tl, nil
}

// burn uses the given CPU time of the calling thread, however long that takes.
func burn(d time.Duration) {
	var from, now unix.Timespec
	if unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &from) != nil {
		return
	}
	x := uint64(1)
	for {
		for range 2000 {
			x = x*6364136223846793005 + 1442695040888963407
		}
		unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &now)
		if time.Duration(now.Nano()-from.Nano()) >= d || x == 0 {
			return
		}
	}
}

// crash ends this process by its own fault, not by another's SIGKILL.
func crash() {
	unix.Kill(unix.Getpid(), unix.SIGABRT)
	select {}
}

// awaitData waits until a connection has something to read, without reading it.
func awaitData(c *net.TCPConn, patience time.Duration) {
	raw, err := c.SyscallConn()
	if err != nil {
		return
	}
	c.SetReadDeadline(time.Now().Add(patience))
	raw.Read(func(fd uintptr) bool {
		n, err := unix.IoctlGetInt(int(fd), unix.SIOCINQ)
		return err != nil || n > 0
	})
}

// nameProcess gives this process a command name of its own, so that it is not
// taken for the generator, which is the same program. It stays as it is where
// that cannot be.
func nameProcess(name string) {
	_ = os.WriteFile("/proc/self/comm", []byte(name), 0o644) // proc(5): at most 15 bytes are kept
}
