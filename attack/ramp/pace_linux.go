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
}

func newAlarm() (*alarm, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("timerfd_create", err)
	}
	a := &alarm{file: os.NewFile(uintptr(fd), "timerfd")}
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
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(d))}
	var failed error
	first := true
	err := a.conn.Read(func(fd uintptr) bool {
		if first {
			first = false
			failed = unix.TimerfdSettime(int(fd), 0, &spec, nil)
			return failed != nil
		}
		var count [8]byte
		_, err := unix.Read(int(fd), count[:])
		return err != unix.EAGAIN
	})
	if err != nil || failed != nil {
		time.Sleep(d) //nolint:forbidigo // the timer failed; the next due time is all there is to wait for
	}
}

func (a *alarm) close() { _ = a.file.Close() }
