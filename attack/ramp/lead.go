package ramp

import "time"

const (
	// mostLead bounds how much earlier than wanted the pacer has itself woken. What
	// wakes later than that runs on a machine that is overloaded.
	mostLead = 200 * time.Microsecond
	// leadStep is how fast the lead follows.
	leadStep = 2 * time.Microsecond
	// leadShare is the share of wake-ups that are to come in time.
	leadShare = 0.8
	// spinAtOnce is what a sleep would only overshoot.
	spinAtOnce = 15 * time.Microsecond
)

// lead is how long it takes from when a timer expires until the pacer runs: the
// processor leaves its idle state, the kernel and Go's scheduler switch to it. In a
// virtual machine that is 50 µs, and each request would be late by it. The pacer asks
// to be woken so much earlier, and spins for the rest. It is a running quantile:
// each wake-up that comes in time lowers it a little, one that is late raises it by
// more, so that leadShare of them come in time and little is spun.
//
// To lock the pacer to its thread would only cost here: Go switches threads to run
// a goroutine that is locked to one.
type lead time.Duration

// learn takes how late a wake-up was.
func (l *lead) learn(late time.Duration) {
	if late > time.Duration(*l) {
		*l += lead(leadShare * float64(leadStep))
	} else {
		*l -= lead((1 - leadShare) * float64(leadStep))
	}
	*l = min(max(*l, 0), lead(mostLead))
}

// of returns how much earlier to wake, with so much left to sleep: no more than half
// of it is spun.
func (l *lead) of(left time.Duration) time.Duration { return min(time.Duration(*l), left/2) }
