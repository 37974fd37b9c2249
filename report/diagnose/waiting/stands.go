package waiting

import (
	"math"
	"slices"

	"github.com/rampload/rampload/report"
)

// Unreached reports whether nothing gets through to the next hop: most of what is out are
// connections that do not come up, and what was sent on older ones is not acknowledged
// either. Nobody there is slow then: a service cannot be late for what never came.
func (b *Behind) Unreached() bool {
	out := finite(b.Requests) + finite(b.Connecting)
	return b.Connecting >= 1 && b.Connecting >= mostOf*out && b.Connecting+finite(b.Resent) >= allOf*out
}

// PartlyUnreached reports whether most of what is out to the next hop are connections that do
// not come up, while whatever did come up is answered as quickly as before: whoever answers
// there is not slow, and what does not get through is lost before it reaches him.
func (b *Behind) PartlyUnreached() bool {
	const asQuick = 1.5
	out := finite(b.Requests) + finite(b.Connecting)
	return b.Connecting >= 1 && b.Connecting >= mostOf*out && b.Requests >= 1 && b.RequestsBefore >= 1 &&
		b.Oldest <= asQuick*b.OldestBefore && b.Median <= asQuick*b.MedianBefore
}

// Delayed reports whether it is the way to a hop that takes long: packets are under way for
// much longer than before, and for a good part of the time that requests are out, and the hop
// has not got most of these. Kernels answer for themselves, up to 200 ms late, whatever their
// processes do; one that gets no processor answers late, and has the requests.
func (w *Way) Delayed(b *Behind) bool {
	out := finite(b.Requests) + finite(b.Connecting)
	next := w.step(b.Hop)
	return out >= 1 && b.late() && !(next != nil && next.Now.Open() >= mostOf*out)
}

// late reports whether packets to the next hop are under way for long.
func (b *Behind) late() bool {
	const late, times, part = 0.25, 5, 0.25
	return b.RoundTrip >= late && b.RoundTrip >= times*b.RoundTripBefore && b.RoundTrip >= part*b.Median
}

// arrived reports whether what a hop was asked had come there. Connections that do not come
// up have, where its accept queue is not empty: it may have no room.
func (s *Step) arrived(b *Behind) bool {
	out := finite(b.Requests) + finite(b.Connecting)
	if b.Connecting >= 1 && b.Connecting >= mostOf*out && !(s.Now.NotAccepted >= 1) {
		return false
	}
	switch open := s.Now.Open(); {
	case open >= math.Max(1, 0.3*out) || out < 1 && open >= 0.3*out:
		return true
	case b.Resent >= math.Max(1, 0.05*out) || s.Now.Resent > finite(s.Before.Resent):
		return false // what is asked, or what is answered, is sent again
	case open >= 1: // a few of many: those that are old are here
		return s.Now.Oldest >= 0.5*b.Oldest
	}
	return false
}

// follows says where most of the requests of a hop stand, and for whom they wait.
func (s *Step) follows() (*Behind, report.Stand) {
	served := math.Max(s.Now.Served(), 1)
	blocked := false
	for _, b := range s.Behind {
		blocked = blocked || b.Unread >= mostOf*served
	}
	// What its threads write where nobody reads, or a lock that they wait for, is in the way
	// of all else that it asks meanwhile.
	held := s.Now.Blocked >= mostOf*served || s.Now.FileLocked >= mostOf*served
	if b := s.streams(); b != nil && !blocked && !held {
		return b, report.StandsPool
	}
	if !blocked && !held && !(s.Now.Stopped >= 1) { // one that does not run may wait for another
		if b := s.longest(); b != nil && !s.writesInVain(b) {
			if b.Resent >= mostOf*b.Requests && b.Resent >= 1 {
				return b, report.StandsNetwork
			}
			return b, report.StandsBehind
		}
	}
	own := s.own()
	if own == report.StandsInside {
		if b := s.lost(); b != nil {
			return b, report.StandsCutOff
		}
	}
	if own == report.StandsInside || own == report.StandsNotAccepted {
		switch b := s.pool(); {
		case b == nil:
		case b.Slower >= ageTimes: // connections in use are rate times latency: it is the latency that fills them
			return b, report.StandsBehind
		default:
			return b, report.StandsPool
		}
		if b := s.resting(); b != nil {
			return b, report.StandsPool
		}
	}
	return nil, own
}

// writesInVain reports whether a thread of a hop writes where nobody reads, since requests
// fail, while hardly any of those inside ask the one that is asked for longest: what holds
// that thread may be held by all others, and a connection that only takes what is written
// never answers.
func (s *Step) writesInVain(b *Behind) bool {
	return s.Now.Blocked >= 1 && s.Before.Blocked < 1 && s.Now.Served() >= 8 && finite(b.Requests)+finite(b.Connecting) < 0.1*s.Now.Served()
}

// longest returns the next hop that most requests wait for, if that is why they wait: it
// is asked for longer than before, by most of what is inside or on all connections.
func (s *Step) longest() *Behind {
	served := math.Max(s.Now.Served(), 1)
	var best *Behind
	for i := range s.Behind {
		b := &s.Behind[i]
		grown := b.Oldest >= math.Max(ageLeast, ageTimes*finite(b.OldestBefore)) && b.Median >= ageTimes*finite(b.MedianBefore)
		many := b.Requests >= mostOf*served || b.Requests >= 1 && b.Requests >= allOf*b.Connections && b.Streams == nil || b.full() || b.silent()
		// They do not even come up: many of them, or all that there are, where there were others.
		stuck := b.Connecting >= 1 && (b.Connecting >= 0.3*served || b.Connections == 0 && b.ConnectionsBefore >= 1)
		if (grown && many || stuck) && (best == nil || finite(b.Requests)+finite(b.Connecting) > finite(best.Requests)+finite(best.Connecting)) {
			best = b
		}
	}
	return best
}

// lost returns the next hop that a hop had connections to, and has none to any more while
// requests that were read stand inside: they wait for a connection that does not come back.
func (s *Step) lost() *Behind {
	if !(s.Now.Oldest >= math.Max(ageLeast, ageTimes*finite(s.Before.Oldest))) {
		return nil
	}
	for i := range s.Behind {
		if b := &s.Behind[i]; b.ConnectionsBefore >= 1 && b.Connections == 0 {
			return b
		}
	}
	return nil
}

// stopped ends the walk at a process that somebody stopped meanwhile, the deepest of
// several: whatever it has stands still with it, however short the readings of the
// sockets in that time were.
func (w *Way) stopped() {
	for i := len(w.Steps) - 1; i >= 0; i-- {
		s := w.Steps[i]
		if !(s.Now.Stopped >= 1) || s.Before.Stopped >= 1 || s.Worst == nil || w.Culprit != nil && w.Culprit.Depth > s.Depth {
			continue
		}
		path := []*Step{s}
		for j, depth := i-1, s.Depth; j >= 0; j-- {
			if up := w.Steps[j]; up.Depth == depth-1 {
				path, depth = append(path, up), up.Depth
			}
		}
		slices.Reverse(path)
		for k, at := range path[:len(path)-1] {
			at.State, at.Role, at.To = report.StandsBehind, report.RoleVictim, at.behind(path[k+1].Hop)
		}
		s.State, s.Role, s.To = report.StandsStill, report.RoleCulprit, nil
		w.Walked, w.Culprit = path, s
		return
	}
}

// halted reports whether all threads of a process but one are held: there is at least one
// for each request that came, none of them reads one, and one thread runs all the time. So
// it is where a runtime stops the program to collect garbage. Where few threads serve many
// connections it is the one that runs that has to read them: it is busy, and not held.
func (s *Step) halted() bool {
	now := s.Now
	return now.Owed >= 8 && now.Threads >= now.Owed && now.NotRead >= allOf*now.Owed && now.Oldest >= 2*ageLeast &&
		now.Running >= 1 && now.Running < 2 && !(now.Throttled >= 0.3) && !(now.NoProcessor >= 2)
}

// starved reports whether a thread of the process is ready at any time and waits for a
// processor, of which it gets little: then it is not for want of threads, or for a number of
// connections, that it takes no more.
func (s *Step) starved() bool { return s.Now.NoProcessor >= 1 && s.Now.Cores < 0.5 }

// own says where requests stand that wait for nobody else.
func (s *Step) own() report.Stand {
	inside := math.Max(s.Now.Owed, 1)
	grownReady := s.Now.NoProcessor-finite(s.Before.NoProcessor) >= math.Min(readyShare*inside, 2)
	bound := s.Now.Processor >= 0.85 || s.Now.Running >= 1 && !(s.Before.Running >= 1) || s.Now.Cores >= 0.85 && s.Now.Cores <= 1.1
	switch {
	case s.stopped():
		return report.StandsStill
	case s.Now.OnDisk >= math.Max(2, mostOf*inside):
		return report.StandsOnDisk // whatever the others do
	case s.halted():
		return report.StandsStill
	case s.Now.Throttled >= 0.3, grownReady && s.Now.Processor >= 0.4, bound:
		return report.StandsNoProcessor
	case s.starved():
		return report.StandsNoProcessor // whoever waits for it waits for that
	case s.Now.OnDisk >= 1 && s.Now.OnDisk >= 0.3*math.Min(inside, 4):
		return report.StandsOnDisk
	case s.Now.NotAccepted+finite(s.Now.NotRead) >= math.Max(1, s.Now.Served()):
		return report.StandsNotAccepted
	}
	return report.StandsInside
}
