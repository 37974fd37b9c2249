package ramp

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// alarm wakes a goroutine at a time, within microseconds. It is a timerfd
// (timerfd_create(2), which knows no timer slack) in Go's netpoller: Go's own
// timers wait in whole milliseconds, and a goroutine that sleeps in nanosleep(2)
// keeps its processor from others until the runtime notices.
type alarm struct {
	file *os.File
	conn syscall.RawConn

	// The sleep under way, run by step inside the poller's loop: a closure for each
	// would be garbage for each.
	step   func(fd uintptr) bool
	spec   unix.ItimerSpec
	set    bool
	failed error
	count  [8]byte
}

func newAlarm() (*alarm, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("timerfd_create", err)
	}
	a := &alarm{file: os.NewFile(uintptr(fd), "timerfd")}
	a.step = a.advance
	if a.conn, err = a.file.SyscallConn(); err != nil {
		_ = a.file.Close()
		return nil, err
	}
	return a, nil
}

// sleep waits for d.
func (a *alarm) sleep(d time.Duration) {
	if d <= 0 {
		return
	}
	a.spec = unix.ItimerSpec{Value: unix.NsecToTimespec(int64(d))}
	a.set, a.failed = false, nil
	if err := a.conn.Read(a.step); err != nil || a.failed != nil {
		time.Sleep(d) //nolint:forbidigo // the timer failed; the next due time is all there is to wait for
	}
}

// advance is one round of the poller's loop: it sets the timer, then reads it.
func (a *alarm) advance(fd uintptr) bool {
	if !a.set {
		a.set = true
		a.failed = unix.TimerfdSettime(int(fd), 0, &a.spec, nil)
		return a.failed != nil
	}
	_, err := unix.Read(int(fd), a.count[:])
	return err != unix.EAGAIN
}

func (a *alarm) close() { _ = a.file.Close() }
