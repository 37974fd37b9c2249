package kernelclock

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/probe"
)

func TestParseShift(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"": 0,
		"monotonic           0         0\nboottime            0         0\n":     0,
		"monotonic       86400       500\nboottime        86400         0\n":     24*time.Hour + 500,
		"monotonic      -86400 999999999\nboottime            0         0\n":     -24*time.Hour + 999999999,
		"boottime            7         0\n":                                      0,
		"monotonic           x         0\n":                                      0,
		"monotonic  9999999999999999999999 0\nmonotonic           3         0\n": 3 * time.Second,
	} {
		if got := parseShift([]byte(text)); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

// What the kernel dated is on the run's clock, whatever time namespace this is.
func TestOffset(t *testing.T) {
	clock := probe.NewClock(time.Now().Add(-time.Hour))
	offset, err := Offset(clock)
	if err != nil {
		t.Fatal(err)
	}
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		t.Fatal(err)
	}
	kernel := time.Duration(ts.Nano()) - shift("/proc/self")
	if at := kernel + offset; at < time.Hour || at > time.Hour+time.Minute {
		t.Errorf("it is %s on a clock that was begun an hour ago", at)
	}
	if got := shift(t.TempDir()); got != 0 {
		t.Errorf("a process that is not there is ahead by %s", got)
	}
}
