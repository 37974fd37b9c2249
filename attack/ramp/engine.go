package ramp

import (
	"runtime"
	"sync/atomic"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/ramp/tally"
)

// Slice is the share of a load that one of several generators sends: of the
// requests of the schedule those whose number n is Index modulo Of, of the
// connections to hold an equal share, and closed loops of its own. The slices of
// all generators are the whole load, each request once. The limits of the
// profile's client hold for each generator. The zero value is the whole load.
type Slice struct{ Index, Of uint64 }

func (s Slice) of() uint64 { return max(s.Of, 1) }

// part returns the slice's share of n things.
func (s Slice) part(n int) int {
	return int((uint64(max(n, 0)) + s.of() - 1 - s.Index) / s.of())
}

// next returns the first request of the slice from n on.
func (s Slice) next(n uint64) uint64 {
	return n + (s.Index+s.of()-n%s.of())%s.of()
}

// split returns one of several equal slices of a slice.
func (s Slice) split(i, engines int) Slice {
	return Slice{Index: s.Index + uint64(i)*s.of(), Of: s.of() * uint64(engines)}
}

// engines returns how many engines share the sending: one a processor.
func (c *Config) engines() int {
	if c.Engines > 0 {
		return c.Engines
	}
	return runtime.GOMAXPROCS(0)
}

// flights keeps the number of requests in flight below one limit for all engines,
// without a place that all of them write to: each has a share of the limit, and
// takes of the others' when its own is used up. The shares left and the requests in
// flight always add up to the limit.
type flights struct{ left []share }

type share struct {
	n atomic.Int64
	_ tally.Apart
}

func newFlights(limit int64, engines int) *flights {
	f := &flights{left: make([]share, engines)}
	for i := range f.left {
		n := limit / int64(engines)
		if int64(i) < limit%int64(engines) {
			n++
		}
		f.left[i].n.Store(n)
	}
	return f
}

// take counts one more request in flight, and returns false at the limit.
func (f *flights) take(engine int) bool {
	for i := range f.left {
		s := &f.left[(engine+i)%len(f.left)].n
		for n := s.Load(); n > 0; n = s.Load() {
			if s.CompareAndSwap(n, n-1) {
				return true
			}
		}
	}
	return false
}

// land counts one less. It goes to the share of the engine that sent it: what was
// taken of others' moves to where it is wanted.
func (f *flights) land(engine int) { f.left[engine].n.Add(1) }

// loopSlot is one place of a closed loop. It numbers its requests without asking
// others: those of all slots, stages and generators are different, and while the
// slots are equally fast they follow each other.
type loopSlot struct {
	group *group
	via   attack.Slot
	next  uint64 // number of its next request
	step  uint64
	turn  uint64 // of the group's mix
	turns uint64 // slots of the group
	hint  uint32
	try   attack.Attempt
	_     tally.Apart
}

// What stands for the number of stages and of requests of a schedule that may still
// be changed.
const (
	changedStages = 1 << 10
	changedTotal  = 1 << 48
)

// closedLoops are the stages in which a request follows the one before.
type closedLoops struct{ *run }

// loopEnd returns when a closed loop ends now: the schedule may have been changed.
func (r closedLoops) loopEnd(l closedLoop) time.Duration {
	if r.growing == nil {
		return l.end
	}
	end, on := r.growing.MaxAt(l.start)
	if !on {
		return l.start
	}
	return min(end, l.end)
}

// inLoop reports whether a closed loop is on.
func (r closedLoops) inLoop(l closedLoop, now time.Duration) bool {
	return now < l.end && (r.growing == nil || now < r.loopEnd(l))
}

// loopSlots makes the slots that one of several engines has in a closed loop, which
// is the profile's stage-th stage.
func (r closedLoops) loopSlots(stage, engine, engines int) []*loopSlot {
	all := 0
	for _, g := range r.groups {
		if len(g.endpoints) > 0 {
			all += r.loopSize(g)
		}
	}
	stages, of := uint64(len(r.cfg.Profile.Load)), r.cfg.Slice.of()
	total := r.sched.Total()
	if r.growing != nil { // neither is known
		stages, total = changedStages, changedTotal
	}
	first := total + uint64(r.cfg.From/r.cfg.Window)<<40*of // whoever sent the slice before has numbers below
	var slots []*loopSlot
	i := 0
	for _, g := range r.groups {
		if len(g.endpoints) == 0 {
			continue // polls are none of the load
		}
		size := r.loopSize(g)
		for turn := range size {
			if i%engines == engine {
				slots = append(slots, &loopSlot{
					group: g, via: g.via.Slot(), hint: uint32(i),
					next: first + (uint64(i)*stages+uint64(stage))*of + r.cfg.Slice.Index,
					step: uint64(all) * stages * of,
					turn: uint64(turn), turns: uint64(size),
				})
			}
			i++
		}
	}
	return slots
}

// loopSize returns how many requests of a group a closed loop keeps in flight: one on each
// connection; where each has a connection of its own, as many as the profile allows, and
// unboundedLoop where it leaves that open.
func (r closedLoops) loopSize(g *group) int {
	n := r.cfg.Profile.Client.Connections
	switch {
	case n > 0:
	case r.maxInFlight == defaultMaxInFlight:
		n = unboundedLoop
	default:
		n = int(r.maxInFlight)
	}
	several := 0
	for _, o := range r.groups {
		if o.target == g.target {
			several++
		}
	}
	return max(min(n, int(r.maxInFlight))/several, 1)
}
