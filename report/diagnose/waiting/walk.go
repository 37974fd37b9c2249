package waiting

import (
	"math"
	"slices"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/hops"
)

// Thresholds of the walk. An age counts as grown when it is several times what it was,
// and long enough to be felt.
const (
	ageTimes   = 3.0
	ageLeast   = 0.1  // seconds
	mostOf     = 0.5  // share of the requests of a hop
	allOf      = 0.8  // share of connections that counts as all
	inUse      = 0.6  // of a pool whose connections are busy but for moments
	stillRuns  = 0.05 // of the runs before
	hardlyRuns = 0.5  // a second
	readyShare = 0.5  // threads that are ready for each request inside
)

// walk follows the waiting from the first hop on.
func (w *Way) walk() {
	at := w.Steps[0]
	for {
		w.Walked = append(w.Walked, at)
		if b := w.unread(at); b != nil {
			at.State, at.Role, at.To = report.StandsBehind, report.RoleVictim, b
			at = w.step(b.Hop)
			continue
		}
		if b := w.handedOn(at); b != nil {
			at.State, at.Role, at.To = report.StandsBehind, report.RoleVictim, b
			at = w.step(b.Hop)
			continue
		}
		if at.Worst == nil || !(at.Now.Open() >= 1) {
			break
		}
		to, state := at.follows()
		if b := w.holder(at); b != nil && state == report.StandsInside {
			to, state = b, report.StandsBehind
		}
		if state == report.StandsBehind && at.taken(to, w.asked(at)) {
			at.State, at.To, at.ByStrangers = report.StandsPool, to, true
			break // they wait for a place that others hold
		}
		at.State, at.To = state, to
		if state == report.StandsPool {
			// Connections that are in use because there are fewer still behind are no pool.
			if next := w.step(to.Hop); next.Worst != nil && next.pool() != nil {
				at.State, at.Role = report.StandsBehind, report.RoleVictim
				at = next
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
		if w.Delayed(to) || next.Worst != nil && !next.arrived(to) || next.Worst == nil && (to.Unreached() || to.PartlyUnreached()) {
			at.State = report.StandsNetwork // they are out, and have not arrived
			break
		}
		at.Role = report.RoleVictim
		at = next
	}
	last := w.Walked[len(w.Walked)-1]
	switch {
	case last.State != "":
	case last.Worst == nil && len(w.Walked) > 1:
		last.State = report.StandsInside // all that is known of it
	default:
		return
	}
	last.Role, w.Culprit = report.RoleCulprit, last
}

// unread returns the next hop of one whose own sockets were not read in that time, if
// requests stand there much longer than before: they came from somewhere.
func (w *Way) unread(at *Step) *Behind {
	if at.Worst == nil || !math.IsNaN(at.Now.Open()) {
		return nil
	}
	for i := range at.Behind {
		next := w.step(at.Behind[i].Hop)
		if next.Worst != nil && next.Now.Open() >= 1 && next.Now.Oldest >= math.Max(ageLeast, ageTimes*finite(next.Before.Oldest)) {
			return &at.Behind[i]
		}
	}
	return nil
}

// holder returns the next hop that holds nearly as many requests as a hop has open, old ones
// too, and did not before: they are there, however few of them this end's sockets show.
func (w *Way) holder(at *Step) *Behind {
	const few = 8
	for i := range at.Behind {
		next := w.step(at.Behind[i].Hop)
		n := next.Now.Open()
		n = math.Min(n, at.Behind[i].Connections) // others may ask it, too
		if next.Worst != nil && at.Now.Open() >= few && n >= allOf*at.Now.Open() && n >= ageTimes*next.Before.Open() && next.Now.Oldest >= mostOf*at.Now.Oldest {
			return &at.Behind[i]
		}
	}
	return nil
}

// handedOn returns the next hop of one that nobody watches, if that holds nearly all that the
// unwatched one is asked, or is busy on all connections that this has to it, for as long, and
// was not before. Where nobody is they stand at the unwatched hop, or at somebody else whom it
// asks.
func (w *Way) handedOn(at *Step) *Behind {
	if at.Worst != nil {
		return nil
	}
	asked := w.asked(at)
	for i := range at.Behind {
		b, next := &at.Behind[i], w.step(at.Behind[i].Hop)
		n := math.Min(next.Now.Open(), b.Connections) // others may ask it, too
		old := next.Now.Oldest >= mostOf*asked.Oldest && next.Now.Oldest >= math.Max(ageLeast, ageTimes*finite(next.Before.Oldest))
		if next.Worst != nil && n >= 1 && old && (n >= allOf*asked.Requests || n >= allOf*b.Connections) {
			return b
		}
	}
	return nil
}

// asked returns what those before a hop of the walk have out to it.
func (w *Way) asked(at *Step) *Behind {
	if before := w.Before(at); before != nil {
		return before.behind(at.Hop)
	}
	return &w.Entry
}

// behind returns what a hop had out to one of the next.
func (s *Step) behind(h *hops.Hop) *Behind {
	i := slices.IndexFunc(s.Behind, func(b Behind) bool { return b.Hop == h })
	if i < 0 {
		return &Behind{Hop: h}
	}
	return &s.Behind[i]
}
