package waiting

import (
	"math"
	"slices"

	"github.com/rampload/rampload/report"
)

// outstanding is how many calls are out to the next hop: requests without an answer, and
// connections that have not come up.
func (b *Behind) outstanding() float64 { return finite(b.Requests) + finite(b.Connecting) }

// mostlyConnecting reports whether most calls to the next hop are connections that do not come up.
func (b *Behind) mostlyConnecting() bool {
	return b.Connecting >= 1 && b.Connecting >= mostOf*b.outstanding()
}

// Unreached reports whether nothing gets through to the next hop: most connections do not come
// up, and requests on older connections are not acknowledged either. Then the next hop is not
// slow: a service cannot be late with what never reached it.
func (b *Behind) Unreached() bool {
	return b.mostlyConnecting() && b.Connecting+finite(b.Resent) >= allOf*b.outstanding()
}

// PartlyUnreached reports whether most calls to the next hop are connections that do not come
// up, while requests on the other connections are answered as quickly as before. Then the next
// hop is not slow, and the connection attempts are lost on the way to it.
func (b *Behind) PartlyUnreached() bool {
	const asQuick = 1.5 // times the age before
	quick := b.Requests >= 1 && b.RequestsBefore >= 1 && b.Oldest <= asQuick*b.OldestBefore && b.Median <= asQuick*b.MedianBefore
	return b.mostlyConnecting() && quick
}

// Delayed reports whether the path to the next hop takes long: the round trip of packets has
// grown to a good part of the time that requests are out, and most of the requests have not
// reached the hop. A kernel acknowledges by itself within 200 ms, whatever its processes do.
// A host without processor time acknowledges late too, but then it has the requests.
func (w *Way) Delayed(b *Behind) bool {
	out := b.outstanding()
	next := w.step(b.Hop)
	return out >= 1 && b.late() && !(next != nil && next.Now.Open() >= mostOf*out)
}

// late reports whether the round trip of packets to the next hop has grown, and is a good part
// of the time that requests wait.
func (b *Behind) late() bool {
	const (
		late  = 0.25 // seconds: above the 200 ms by which a kernel may delay an acknowledgement (TCP_DELACK_MAX)
		times = 5    // times the round trip before
		part  = 0.25 // of the median age of the requests
	)
	return b.RoundTrip >= late && b.RoundTrip >= times*b.RoundTripBefore && b.RoundTrip >= part*b.Median
}

// arrived reports whether the calls that are out to this hop have reached it. Connections that
// do not come up count as arrived where its accept queue is not empty: it may be full.
func (s *Step) arrived(b *Behind) bool {
	const (
		enough = 0.3  // share of the calls; some are answered or given up between the readings of two hosts
		resent = 0.05 // share of the calls that were sent again, above which packets are lost
	)
	out := b.outstanding()
	if b.mostlyConnecting() && !(s.Now.NotAccepted >= 1) {
		return false
	}
	switch open := s.Now.Open(); {
	case open >= math.Max(1, enough*out) || out < 1 && open >= enough*out:
		return true
	case b.Resent >= math.Max(1, resent*out) || s.Now.Resent > finite(s.Before.Resent):
		return false // packets are lost, with requests or with answers
	case open >= 1: // few of many: are they the old ones?
		return s.Now.Oldest >= 0.5*b.Oldest
	}
	return false
}

// waitsFor says where most requests of a hop stand, and which next hop they wait for; nil where
// they wait for none.
func (s *Step) waitsFor() (*Behind, report.Stand) {
	served := math.Max(s.Now.Served(), 1)
	unread := false // answers from behind have come, and nobody reads them
	for _, b := range s.Behind {
		unread = unread || b.Unread >= mostOf*served
	}
	// A thread that writes where nobody reads, or waits for a file lock, may hold calls to the
	// next hops open meanwhile. Those calls grow old because of it, and not the other way round.
	held := s.Now.Blocked >= mostOf*served || s.Now.FileLocked >= mostOf*served
	if b := s.streams(); b != nil && !unread && !held {
		return b, report.StandsPool
	}
	if !unread && !held && !(s.Now.Stopped >= 1) { // what a stopped process has open says nothing of the next hops
		if b := s.awaited(); b != nil && !s.writesInVain(b) {
			if b.Resent >= mostOf*b.Requests && b.Resent >= 1 {
				return b, report.StandsNetwork
			}
			return b, report.StandsBehind
		}
	}
	own := s.ownPlace()
	if own == report.StandsInside {
		if b := s.cutOff(); b != nil {
			return b, report.StandsCutOff
		}
	}
	if own == report.StandsInside || own == report.StandsNotAccepted {
		switch b := s.pool(); {
		case b == nil:
		case b.Slower >= ageTimes:
			// Connections in use are rate times latency (Little's law): the latency of the next
			// hop fills them, and more connections would be filled as well.
			return b, report.StandsBehind
		default:
			return b, report.StandsPool
		}
		if b := s.idlePool(); b != nil {
			return b, report.StandsPool
		}
	}
	return nil, own
}

// writesInVain reports whether a thread of a hop began to block on a write that nobody reads,
// while hardly any request inside has a call out to b, the next hop awaited longest. The other
// threads may wait for a lock that the blocked thread holds. The old call to b is then no sign:
// it may be a connection that only receives, and never answers.
func (s *Step) writesInVain(b *Behind) bool {
	const few = 8 // requests inside, below which a tenth of them is less than one
	began := s.Now.Blocked >= 1 && s.Before.Blocked < 1
	return began && s.Now.Served() >= few && b.outstanding() < 0.1*s.Now.Served()
}

// awaited returns the next hop that the requests inside wait for; nil for none. Either calls to
// it are much older than before, and most requests inside have one out or all its connections
// are in use; or connections to it do not come up. Of several it is the one with the most calls.
func (s *Step) awaited() *Behind {
	const manyConnecting = 0.3 // of the requests inside
	served := math.Max(s.Now.Served(), 1)
	var best *Behind
	for i := range s.Behind {
		b := &s.Behind[i]
		older := grown(b.Oldest, b.OldestBefore) && b.Median >= ageTimes*finite(b.MedianBefore)
		allBusy := b.Requests >= 1 && b.Requests >= allOf*b.Connections && b.Streams == nil
		many := b.Requests >= mostOf*served || allBusy || b.full() || b.silent()
		allGone := b.Connections == 0 && b.ConnectionsBefore >= 1
		stuck := b.Connecting >= 1 && (b.Connecting >= manyConnecting*served || allGone)
		if (older && many && !s.onlyTold(b) || stuck) && (best == nil || b.outstanding() > best.outstanding()) {
			best = b
		}
	}
	return best
}

// onlyTold reports whether what looks like calls to a next hop are words that are never answered, as
// memcached's noreply. A good part of what is sent there gets no answer, while the rest does, and as many
// calls of the same age are out to another hop that answers all: it is for those that nothing more is said.
func (s *Step) onlyTold(b *Behind) bool {
	half := b.Asked >= 1 && b.Answered >= 0.2*b.Asked && b.Answered <= 0.8*b.Asked
	return half && slices.ContainsFunc(s.Behind, func(o Behind) bool {
		alike := o.Requests >= 0.8*b.Requests && math.Abs(o.Oldest-b.Oldest) <= 0.1*b.Oldest
		return o.Hop != b.Hop && alike && o.Answered > 0.8*o.Asked
	})
}

// cutOff returns a next hop to which this hop had connections and has none any more, while the
// requests that it read grow old: they wait for a connection that does not come back. Nil for none.
func (s *Step) cutOff() *Behind {
	if !grown(s.Now.Oldest, s.Before.Oldest) {
		return nil
	}
	for i := range s.Behind {
		if b := &s.Behind[i]; b.ConnectionsBefore >= 1 && b.Connections == 0 {
			return b
		}
	}
	return nil
}

// endAtStopped makes a process that a signal stopped during the failures the culprit, unless
// the walk ended deeper; of several, the deepest. All requests that a stopped process has
// stand still with it, so this holds even where too few sockets were read for the walk.
func (w *Way) endAtStopped() {
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

// Thresholds of what a process lacks.
const (
	throttledShare = 0.3  // share of its quota's periods in which a cgroup is throttled, above which that is felt
	fewCores       = 0.5  // processors that a process uses when others take them from it
	busyCore       = 0.85 // share of a processor above which one thread can do no more
)

// halted reports whether all threads of a process but one are held, as while a runtime stops
// the program to collect garbage. There is at least one thread for each request, almost no
// request is read, and one thread runs all the time. Where few threads serve many connections,
// the running thread is the one that has to read them: it is busy, and nothing is held.
func (s *Step) halted() bool {
	const few = 8 // requests; fewer may be unread by chance
	now := s.Now
	noneRead := now.Owed >= few && now.Threads >= now.Owed && now.NotRead >= allOf*now.Owed && now.Oldest >= 2*ageLeast
	oneRuns := now.Running >= 1 && now.Running < 2
	lacksProcessor := now.Throttled >= throttledShare || now.NoProcessor >= 2
	return noneRead && oneRuns && !lacksProcessor
}

// held reports whether one thread began to run all the time, and callers go on asking and get
// no answer. The thread that would read and answer is in one long computation, as a store's is
// in a script. A thread that has too many requests answers some of them.
func (s *Step) held() bool {
	oneBegan := s.Now.Running >= 1 && s.Now.Running < 2 && !(s.Before.Running >= 1)
	return oneBegan && s.Silent && s.Now.NotRead >= 1 && s.Now.Oldest >= 2*ageLeast && !s.fillsProcessor()
}

// starved reports whether a thread of the process is always ready and the process gets little
// processor time. Then it accepts no more connections for that reason, and not because its
// threads are busy or its number of connections is limited.
func (s *Step) starved() bool { return s.Now.NoProcessor >= 1 && s.Now.Cores < fewCores }

// fillsProcessor reports whether a process uses all the processor time that it can: all of
// its share, or one core where one thread does its work.
func (s *Step) fillsProcessor() bool {
	return s.Now.Processor >= busyCore || s.Now.Cores >= busyCore && s.Now.Cores <= 1.1
}

// ownPlace says where the requests of a hop stand that wait for no other hop.
func (s *Step) ownPlace() report.Stand {
	inside := math.Max(s.Now.Owed, 1)
	moreReady := s.Now.NoProcessor-finite(s.Before.NoProcessor) >= math.Min(readyShare*inside, 2)
	beganToRun := s.Now.Running >= 1 && !(s.Before.Running >= 1) // one thread runs all the time, and did not before
	bound := s.fillsProcessor() || beganToRun
	switch {
	case s.still():
		return report.StandsStill
	case s.Now.OnDisk >= math.Max(2, mostOf*inside):
		return report.StandsOnDisk // most threads wait there, whatever the others do
	case s.halted(), s.held():
		return report.StandsStill
	case s.Now.Throttled >= throttledShare, moreReady && s.Now.Processor >= 0.4, bound, s.starved():
		return report.StandsNoProcessor
	case s.Now.OnDisk >= 1 && s.Now.OnDisk >= 0.3*math.Min(inside, 4):
		return report.StandsOnDisk
	case s.Now.NotAccepted+finite(s.Now.NotRead) >= math.Max(1, s.Now.Served()):
		return report.StandsNotAccepted
	}
	return report.StandsInside
}
