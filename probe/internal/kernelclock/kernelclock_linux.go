// Package kernelclock turns the times that the kernel gives to its events into those of a
// run.
package kernelclock

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/probe"
)

// Offset is what to add to a time of the kernel's CLOCK_MONOTONIC to get the run's. Both
// tick alike (Go reads the same clock), so the closest of several readings is exact
// to well under a microsecond. In a time namespace, as of a container that was moved from
// another machine, processes read that clock with an offset that the kernel's own events
// do not have.
func Offset(clock probe.Clock) (time.Duration, error) {
	var offset time.Duration
	best := time.Hour
	for range 10 {
		var ts unix.Timespec
		before := clock.Now()
		if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
			return 0, fmt.Errorf("read monotonic clock: %w", err)
		}
		after := clock.Now()
		if width := after - before; width < best {
			best = width
			offset = before + width/2 - time.Duration(ts.Nano())
		}
	}
	return offset + shift("/proc/self"), nil
}

// shift is by how much the clock of a process is ahead of the kernel's
// (time_namespaces(7)).
func shift(process string) time.Duration {
	own, err := os.Readlink(process + "/ns/time")
	if err != nil {
		return 0 // a kernel before 5.6 has none
	}
	// The file has what holds for children, which is the own one where both are the same.
	if children, err := os.Readlink(process + "/ns/time_for_children"); err != nil || children != own {
		return 0
	}
	text, err := os.ReadFile(process + "/timens_offsets")
	if err != nil {
		return 0
	}
	return parseShift(text)
}

// parseShift reads /proc/PID/timens_offsets: a line for each clock, with seconds and
// nanoseconds.
func parseShift(text []byte) time.Duration {
	for line := range bytes.Lines(text) {
		f := bytes.Fields(line)
		if len(f) != 3 || string(f[0]) != "monotonic" && string(f[0]) != "1" {
			continue
		}
		s, err1 := strconv.ParseInt(string(f[1]), 10, 64)
		ns, err2 := strconv.ParseInt(string(f[2]), 10, 64)
		if err1 == nil && err2 == nil {
			return time.Duration(s)*time.Second + time.Duration(ns)
		}
	}
	return 0
}
