package machine

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/probe"
)

// SinceBoot returns a clock that reads the time since this machine was started
// (CLOCK_MONOTONIC, which Go's own monotonic clock is as well). It is the same for all
// processes, so that one that is started again goes on where it was.
func SinceBoot() probe.Clock {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		return probe.NewClock(time.Now())
	}
	return probe.NewClock(time.Now().Add(-time.Duration(t.Nano())))
}
