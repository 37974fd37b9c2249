package waiting

import (
	"math"
	"slices"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/hops"
)

// Thresholds that several steps of the walk share.
const (
	ageTimes   = 3.0  // an age has grown when it is this many times what it was,
	ageLeast   = 0.1  // and at least this many seconds, so that it can be felt
	mostOf     = 0.5  // share of the requests of a hop that counts as most of them
	allOf      = 0.8  // share that counts as all: readings of one moment are some milliseconds apart
	inUse      = 0.6  // share of a pool's connections that are busy when the next caller takes each almost at once
	stillRuns  = 0.05 // share of the runs before, below which a process counts as still
	hardlyRuns = 0.5  // runs a second of a process that only its timers wake
	readyShare = 0.5  // threads ready to run for each request inside
)

// grown reports whether an age, in seconds, is several times what it was and long enough to
// be felt. An age that was not measured before counts as zero.
func grown(now, before float64) bool { return now >= math.Max(ageLeast, ageTimes*finite(before)) }

// walk follows the waiting from the first hop to the one that waits for nobody behind it, and
// makes that one the culprit.
func (w *Way) walk() {
	at := w.Steps[0]
	for {
		w.Walked = append(w.Walked, at)
		if b := w.pastUnread(at); b != nil {
			at = w.pass(at, b)
			continue
		}
		if b := w.pastUnwatched(at); b != nil {
			at = w.pass(at, b)
			continue
		}
		if at.Worst == nil || !(at.Now.Open() >= 1) {
			break
		}
		to, state := at.waitsFor()
		if b := w.holder(at); b != nil && state == report.StandsInside {
			to, state = b, report.StandsBehind
		}
		if state == report.StandsBehind && at.heldByStrangers(to, w.asked(at)) {
			at.State, at.To, at.ByStrangers = report.StandsPool, to, true
			break // its requests wait for connections that strangers hold
		}
		at.State, at.To = state, to
		if state == report.StandsPool {
			// The connections may all be in use only because the next hop has fewer connections
			// to the one behind it: then that smaller pool is the place.
			if next := w.step(to.Hop); next.Worst != nil && next.pool() != nil {
				at = w.pass(at, to)
				continue
			}
		}
		if state == report.StandsCutOff {
			at.Role = report.RoleVictim
			at = w.step(to.Hop)
			at.State = state
			w.Walked = append(w.Walked, at)
			break
		}
		if state != report.StandsBehind {
			break
		}
		next := w.step(to.Hop)
		lost := next.Worst != nil && !next.arrived(to) || next.Worst == nil && (to.Unreached() || to.PartlyUnreached())
		if w.Delayed(to) || lost {
			at.State = report.StandsNetwork // its requests are out, and have not arrived
			break
		}
		at = w.pass(at, to)
	}
	last := w.Walked[len(w.Walked)-1]
	switch {
	case last.State != "":
	case last.Worst == nil && len(w.Walked) > 1:
		last.State = report.StandsInside // nobody watches it: all that is known is that requests wait for it
	default:
		return
	}
	last.Role, w.Culprit = report.RoleCulprit, last
}

// pass marks a hop as waiting for one behind it, and returns the step of that one.
func (w *Way) pass(at *Step, to *Behind) *Step {
	at.State, at.Role, at.To = report.StandsBehind, report.RoleVictim, to
	return w.step(to.Hop)
}

// pastUnread looks past a watched hop whose sockets were not read while requests failed. It
// returns the next hop at which requests stand much longer than before: they came through
// the hop that was not read. Nil for none.
func (w *Way) pastUnread(at *Step) *Behind {
	if at.Worst == nil || !math.IsNaN(at.Now.Open()) {
		return nil
	}
	for i := range at.Behind {
		next := w.step(at.Behind[i].Hop)
		if next.Worst != nil && next.Now.Open() >= 1 && grown(next.Now.Oldest, next.Before.Oldest) {
			return &at.Behind[i]
		}
	}
	return nil
}

// holder returns the next hop that holds nearly as many requests as this one has open, at
// least half as old, and many more than before. So they stand there, even where the sockets
// of this hop show few of them out. Nil for none.
func (w *Way) holder(at *Step) *Behind {
	const few = 8 // below this many open requests, equal numbers on two hops may be chance
	for i := range at.Behind {
		next := w.step(at.Behind[i].Hop)
		// Others may ask the next hop too; at most one request per connection is ours.
		held := math.Min(next.Now.Open(), at.Behind[i].Connections)
		nearlyAll := at.Now.Open() >= few && held >= allOf*at.Now.Open()
		if next.Worst != nil && nearlyAll && held >= ageTimes*next.Before.Open() && next.Now.Oldest >= mostOf*at.Now.Oldest {
			return &at.Behind[i]
		}
	}
	return nil
}

// pastUnwatched looks past a hop that nobody watches. It returns the next hop that owes
// answers for about as long as the unwatched hop does, much longer than before, and holds
// either nearly all requests that the unwatched hop was asked, or one on each connection
// that the unwatched hop has to it. Nil for none: the requests stand at the unwatched hop, or
// at somebody it asks whom nobody watches either.
func (w *Way) pastUnwatched(at *Step) *Behind {
	if at.Worst != nil {
		return nil
	}
	asked := w.asked(at)
	for i := range at.Behind {
		b, next := &at.Behind[i], w.step(at.Behind[i].Hop)
		// Others may ask the next hop too; at most one request per connection is ours.
		held := math.Min(next.Now.Open(), b.Connections)
		asOld := next.Now.Oldest >= mostOf*asked.Oldest && grown(next.Now.Oldest, next.Before.Oldest)
		nearlyAll := held >= allOf*asked.Requests || held >= allOf*b.Connections
		if next.Worst != nil && held >= 1 && asOld && nearlyAll {
			return b
		}
	}
	return nil
}

// asked returns what the caller of a walked hop has out to it: the hop before, or the client.
func (w *Way) asked(at *Step) *Behind {
	if before := w.Before(at); before != nil {
		return before.behind(at.Hop)
	}
	return &w.Entry
}

// behind returns what this hop had out to one of the next hops; empty where it had nothing.
func (s *Step) behind(h *hops.Hop) *Behind {
	i := slices.IndexFunc(s.Behind, func(b Behind) bool { return b.Hop == h })
	if i < 0 {
		return &Behind{Hop: h}
	}
	return &s.Behind[i]
}
