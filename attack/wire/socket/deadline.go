package socket

import "time"

// Never is the deadline of what has no time limit.
const Never = time.Duration(1<<63 - 1)

// instant returns the time at which a clock will show another.
func instant(at time.Duration, clock func() time.Duration) time.Time {
	if at == Never {
		return time.Time{}
	}
	return time.Now().Add(at - clock())
}
