package ramp

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// sleepPrecisely sleeps in nanosleep(2) with the thread's timer slack set to
// 1 ns (PR_SET_TIMERSLACK, prctl(2)): it wakes within microseconds, where Go's
// own timers wait in epoll in whole milliseconds. The thread is locked so that
// the slack is that of the thread that sleeps.
//
// A wait too short for a system call returns at once: the caller asks again.
func sleepPrecisely(d time.Duration) {
	if d < 3*time.Microsecond {
		return
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// Without the slack it sleeps up to 50 µs longer: no reason to fail.
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	ts := unix.NsecToTimespec(int64(d))
	// A signal ends it early; the caller looks at the clock again.
	_ = unix.Nanosleep(&ts, nil)
}
