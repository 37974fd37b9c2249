package ramp

import (
	"time"
)

// holdStep is the finest step in which connections are asked for: those that are due
// within it are due at its end.
const holdStep = time.Millisecond

// wanted returns how many connections of a group are to be held at t.
func (run *run) wanted(g *group, t time.Duration) int {
	conns, on := run.sched.Conns(t)
	if !on {
		return 0
	}
	return run.cfg.Slice.part(int(float64(conns)*g.share + 0.5))
}

// hold keeps the connections that connections stages want, each from when it is due.
func (run *run) hold(sent <-chan struct{}) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	held := make([]int, len(run.groups))
	for due := run.cfg.From; ; {
		for i, g := range run.groups {
			if n := run.wanted(g, due); n != held[i] {
				g.via.HoldAt(n, due)
				held[i] = n
			}
		}
		var on bool
		if due, on = run.holdsNext(due, timer, sent); !on {
			return
		}
	}
}

// holdsNext waits until the number of connections to hold changes, and returns false
// when it does not any more.
func (run *run) holdsNext(due time.Duration, timer *time.Timer, sent <-chan struct{}) (time.Duration, bool) {
	for {
		grown := run.grown()
		next, ok := run.sched.ConnsAfter(due)
		var then <-chan time.Time
		if ok {
			next = max(next, due+holdStep)
			timer.Reset(next - run.now())
			then = timer.C
		} else if grown == nil {
			return 0, false
		}
		select {
		case <-then:
			return next, true
		case <-grown: // it may be another time now
		case <-run.stopped:
			return 0, false
		case <-sent:
			return 0, false
		}
	}
}
