package ramp

import (
	"time"
)

// holdStep is the finest step in which connections are asked for: those that are due
// within it are due at its end.
const holdStep = time.Millisecond

// wanted returns how many connections of a group are to be held at t.
func (r *run) wanted(g *group, t time.Duration) int {
	conns, on := r.sched.Conns(t)
	if !on {
		return 0
	}
	return r.cfg.Slice.part(int(float64(conns)*g.share + 0.5))
}

// hold keeps the connections that connections stages want, each from when it is due.
func (r *run) hold(sent <-chan struct{}) {
	if r.fixed == nil {
		return // a schedule that grows holds none
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	held := make([]int, len(r.groups))
	due := r.cfg.From
	for {
		for i, g := range r.groups {
			if n := r.wanted(g, due); n != held[i] {
				g.via.HoldAt(n, due)
				held[i] = n
			}
		}
		next, ok := r.fixed.ConnsAfter(due)
		if !ok {
			return
		}
		due = max(next, due+holdStep)
		timer.Reset(due - r.now())
		select {
		case <-timer.C:
		case <-r.stopped:
			return
		case <-sent:
			return
		}
	}
}
