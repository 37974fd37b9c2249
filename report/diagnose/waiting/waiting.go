// Package waiting says where requests stand on their way while they fail. At each hop they
// stand in one place: not accepted, without processor, on disk, waiting for an answer of the
// next hop, inside, or still with the whole process (see report.Stand). The package walks from
// hop to hop to the deepest one that owes an answer and waits for nobody: the culprit. The
// hops before it are its victims. It names no cause.
package waiting

import (
	"math"
	"net/netip"
	"slices"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/hops"
	"github.com/rampload/rampload/report/runlog"
)

// Span is a stretch of time in seconds since the load began.
type Span struct{ From, To float64 }

// Step is one hop and where its requests stood, now (while requests failed) and before.
// Counts are medians over time, summed over the instances; NaN is not measured.
type Step struct {
	Hop    *hops.Hop
	Depth  int // 0: the client asks it
	Now    Stood
	Before Stood
	Behind []Behind // what it had out to each next hop
	State  report.Stand
	Role   report.Role
	To     *Behind // the next hop that its requests wait for; nil: none
	// Worst is the instance with the most open requests; nil of a hop that nobody watches.
	Worst *hops.Service
	// Answers says that its callers get answers of it.
	Answers bool
	Silent  bool // its callers go on asking and get next to no answer
	// Strangers are callers that are not on the way of the requests and came during the failures.
	Strangers []Stranger
	// ByStrangers says that strangers hold all connections that it has to the next hop.
	ByStrangers bool
	// Round is a hop before this one that it asks in turn; nil: none. Circle is how many
	// requests it has out to that.
	Round  *hops.Hop
	Circle float64
}

// Stood is what was read of a hop over some time. NaN is not measured, but for the fields that
// say 0 is.
type Stood struct {
	NotAccepted    float64 // connections in the accept queue
	NotRead        float64 // requests that the kernel holds and no thread has read
	Owed           float64 // requests on accepted connections that are not answered, read or not
	Inbound        float64 // connections, accepted or not
	Accepted       float64 // connections that were accepted, idle ones too
	Incomplete     float64 // requests of which only a part has come in
	Oldest, Median float64 // ages of the requests owed, in seconds
	OldestGrows    bool    // the oldest request aged as the clock goes: it was not answered

	Processor   float64 // share of the processor time that the busiest process could use, 0 to 1
	Cores       float64 // processors in use, by all processes
	NoProcessor float64 // threads that are ready and have no processor, on average
	Throttled   float64 // share of the periods of the cgroup's quota that were throttled, 0 to 1
	OnDisk      float64 // threads that wait for a disk, on average
	Stopped     float64 // threads that a signal has stopped
	Runs        float64 // times a second that a thread got a processor
	Running     float64 // threads of the busiest process that run or are ready, at three of four readings
	Threads     float64 // of all processes; 0: none, or not measured
	FileLocked  float64 // threads that wait for a lock on a file; 0: none, or not measured
	Blocked     float64 // threads that write into a full pipe or local socket; 0: none, or not measured

	Locked        float64 // processes that say they wait for a lock; 0: none, or not measured
	InTransaction float64 // processes that say they are idle in a transaction; 0: none, or not measured
	Resent        float64 // the largest number of answers that were being sent again
}

// Open is how many requests stood at a hop, each connection not accepted counted as one.
func (s Stood) Open() float64 { return hops.Sum(s.NotAccepted, s.Owed) }

// Served is how many requests its threads had read and not answered.
func (s Stood) Served() float64 { return math.Max(0, s.Owed-finite(s.NotRead)) }

// Unfinished reports whether a hop waits for its callers: most of the requests that it has
// begun to read are incomplete, and at least twice as many as before. Then neither this hop nor
// one behind it is what holds the requests up.
func (s *Step) Unfinished() bool {
	n := s.Now.Incomplete
	return n >= 1 && n >= mostOf*math.Max(s.Now.Served(), 1) && n >= 2*finite(s.Before.Incomplete)
}

// Circular reports whether a hop waits for itself: most of its threads wait for a hop before
// it, whose requests wait for a thread of this hop.
func (s *Step) Circular() bool {
	return s.Round != nil && s.Circle >= mostOf*math.Max(1, s.Now.Threads) && s.Now.Open() > s.Circle
}

// Behind is what a hop had out to one next hop: counts are medians over time, summed over the
// instances that ask. Ages and round trips are in seconds, of the peer that waits longest. NaN
// is not measured.
type Behind struct {
	Hop                             *hops.Hop
	Requests, RequestsBefore        float64 // without an answer
	Connections, ConnectionsBefore  float64 // that have come up
	Connecting                      float64 // connections that have not come up
	Resent                          float64 // requests sent again that the next hop's kernel has not acknowledged
	ResentMost                      float64 // the largest of the readings of Resent
	Unread                          float64 // answers that came back and were not read
	Oldest, OldestBefore            float64 // age of the oldest request
	Median, MedianBefore            float64 // median age of the requests
	RoundTrip, RoundTripBefore      float64 // of packets to the next hop and back
	Asked, AskedBefore              float64 // requests a second, on connections that last
	Answered                        float64 // answers a second, on connections that last
	WorstRequests, WorstConnections float64 // of the instance with the most open requests alone

	// Slower is the median age of requests over that before, counting only readings that found
	// a request out; NaN where there were too few.
	Slower float64
	// Streams is what was seen of HTTP/2; nil: nothing. Where it is set, Requests counts streams
	// and the ages are of streams.
	Streams *Streams
}

// Way is the walk along a chain of hops. Times are seconds since the load began.
type Way struct {
	First   *hops.Hop
	From    float64
	To      float64
	Steps   []*Step // all hops, each before those behind it
	Walked  []*Step // the hops that the walk passed, outermost first; the last is the culprit
	Culprit *Step   // nil: no hop was seen to hold requests
	Entry   Behind  // what the client had out to the first hop
}

// Follow reads where the requests of a chain stood in the spans now, compares them with the
// spans before, and walks to the culprit. Nil without a first hop or without a span now.
func Follow(log *runlog.Log, first *hops.Hop, now, before []Span) *Way {
	if first == nil || len(now) == 0 {
		return nil
	}
	r := reader{log: log, hosts: map[netip.Addr]string{}}
	for _, h := range log.Header.Hosts {
		for _, a := range h.Addrs {
			if addr, err := netip.ParseAddr(a); err == nil {
				r.hosts[addr.Unmap()] = h.Name
			}
		}
	}
	w := &Way{First: first, From: now[0].From, To: now[len(now)-1].To}
	r.steps(w, first, nil, 0, now, before)
	w.Entry = readBehind(first, nil, now, before)
	w.Steps[0].Answers, w.Steps[0].Silent = w.Entry.Answers(), w.Entry.unanswered()
	for _, s := range w.Steps {
		for i := range s.Behind {
			to := w.step(s.Behind[i].Hop)
			to.Answers, to.Silent = s.Behind[i].Answers(), s.Behind[i].unanswered()
		}
	}
	for _, s := range w.Steps {
		s.Answers = s.Answers || r.answersOn(s.Hop, now, before)
	}
	w.correctIdle()
	w.walk()
	w.endAtStopped()
	return w
}

// steps reads a hop and, depth first, the hops behind it. asker is the hop before; nil for the first.
func (r *reader) steps(w *Way, h, asker *hops.Hop, depth int, now, before []Span) {
	s := &Step{Hop: h, Depth: depth, Now: r.stood(h, now), Before: r.stood(h, before), Worst: worst(h, now), Strangers: r.strangers(h, asker, now, before)}
	w.Steps = append(w.Steps, s)
	for _, n := range h.Back {
		out := math.NaN()
		for _, p := range n.Asked {
			out = hops.Sum(out, median(around(p.Tracks[probe.Awaiting], now)))
		}
		if out >= 1 && !(out <= s.Circle) {
			s.Circle, s.Round = out, n
		}
	}
	for _, n := range h.Next {
		s.Behind = append(s.Behind, readBehind(n, s.Worst, now, before))
		r.steps(w, n, h, depth+1, now, before)
	}
}

// readBehind reads what the callers of a hop had out to it. worst is the caller's instance with
// the most open requests; nil for none.
func readBehind(n *hops.Hop, worst *hops.Service, now, before []Span) Behind {
	b := Behind{Hop: n, Asked: math.NaN(), AskedBefore: math.NaN(), Answered: math.NaN()}
	total := func(name string, spans []Span, of func([]float64) float64) float64 {
		sum := math.NaN()
		for _, p := range n.Asked {
			sum = hops.Sum(sum, of(around(p.Tracks[name], spans)))
		}
		return sum
	}
	most := func(name string, spans []Span, q float64) float64 {
		m := math.NaN()
		for _, p := range n.Asked {
			m = larger(m, quantile(around(p.Tracks[name], spans), q))
		}
		return m
	}
	b.Requests, b.RequestsBefore = total(probe.Awaiting, now, median), total(probe.Awaiting, before, median)
	for _, p := range n.Asked {
		b.Answered = hops.Sum(b.Answered, rate(p.Tracks[probe.AnswersReceived], now))
		b.Asked, b.AskedBefore = hops.Sum(b.Asked, rate(p.Tracks[probe.Asked], now)), hops.Sum(b.AskedBefore, rate(p.Tracks[probe.Asked], before))
	}
	b.ConnectionsBefore = total(probe.PeerConnections, before, median)
	b.Connections, b.Connecting = total(probe.PeerConnections, now, median), total(probe.Connecting, now, median)
	b.Resent, b.Unread = total(probe.Unacknowledged, now, median), total(probe.AnswersUnread, now, median)
	b.ResentMost = most(probe.Unacknowledged, now, 1)
	// The time just before the failures may have been slow already, so ages before are those
	// of its better quarter.
	b.Oldest, b.OldestBefore = most(probe.AwaitingOldest, now, 0.75), most(probe.AwaitingOldest, before, 0.25)
	b.Median, b.MedianBefore = most(probe.AwaitingMedian, now, 0.5), most(probe.AwaitingMedian, before, 0.25)
	b.RoundTrip, b.RoundTripBefore = most(probe.RoundTrip, now, 0.5), most(probe.RoundTrip, before, 0.5)
	b.Streams = streamsOf(n.Asked, now, before)
	b.WorstRequests, b.WorstConnections, b.Slower = math.NaN(), math.NaN(), slower(n.Asked, now, before)
	for _, p := range n.Asked {
		if worst != nil && p.Host == worst.Host && p.Process == worst.Process {
			b.WorstRequests = hops.Sum(b.WorstRequests, median(around(p.Tracks[probe.Awaiting], now)))
			b.WorstConnections = hops.Sum(b.WorstConnections, median(around(p.Tracks[probe.PeerConnections], now)))
		}
	}
	return b
}

// correctIdle corrects requests that look as if they were out and are not, where the next hop
// shows it: the next hop is watched, has the connections, and owes hardly any answer; and no
// packet is lost in either direction. Protocols that send a message in several pieces leave an
// idle connection looking like one with a request out, before the failures as well.
func (w *Way) correctIdle() {
	for _, s := range w.Steps {
		for i := range s.Behind {
			b, next := &s.Behind[i], w.step(s.Behind[i].Hop)
			if next.Worst == nil || b.Unread >= 1 || b.Connecting >= 1 || b.ResentMost >= 1 {
				continue
			}
			if next.Before.owesFew(b.RequestsBefore, b.ConnectionsBefore, next.Before.Resent) {
				b.RequestsBefore, b.OldestBefore, b.MedianBefore, b.Slower = next.Before.Open(), next.Before.Oldest, next.Before.Median, math.NaN()
			}
			if next.Now.owesFew(b.Requests, b.Connections, next.Before.Resent) {
				b.Requests, b.WorstRequests, b.Oldest, b.Median, b.Slower = next.Now.Open(), 0, next.Now.Oldest, next.Now.Median, math.NaN()
			}
		}
	}
}

// owesFew reports whether a hop owes less than a tenth of the requests that look as if they
// were out to it, though it has the connections they are on. resent is how many answers were
// being sent again before the failures; more of them now are answers lost on the way.
func (s Stood) owesFew(out, connections, resent float64) bool {
	return s.Open() < 0.1*out && s.Accepted >= allOf*connections && s.Resent <= finite(resent)
}

// Dismiss takes the walk back: the requests that failed are not those that waited.
func (w *Way) Dismiss() {
	w.Culprit, w.Walked = nil, nil
	for _, s := range w.Steps {
		s.State, s.Role, s.To = "", "", nil
	}
}

// Stuck reports whether a hop answers nothing: its oldest request ages as the clock goes, and
// its threads hardly run, or no longer get as far as asking the next hops.
func (s *Step) Stuck() bool {
	hardlyRuns := !(s.Now.Runs > 0.3*s.Before.Runs)
	return s.Now.OldestGrows && !s.Answers && (hardlyRuns || s.stoppedAsking())
}

// stoppedAsking reports whether a hop that asked next hops asks hardly any of them any more,
// and has no request out to any.
func (s *Step) stoppedAsking() bool {
	asked := func(b Behind) bool { return b.AskedBefore >= 1 }
	return slices.ContainsFunc(s.Behind, asked) && !slices.ContainsFunc(s.Behind, func(b Behind) bool {
		return asked(b) && !(b.Asked <= 0.05*b.AskedBefore) || b.Requests >= 1
	})
}

// AsksOn reports whether a hop asks a next hop at least half as often as before: its threads
// go on.
func (s *Step) AsksOn() bool {
	return slices.ContainsFunc(s.Behind, func(b Behind) bool { return b.AskedBefore >= 1 && b.Asked > 0.5*b.AskedBefore })
}

// Outdone reports whether others take the processor that a hop lacks: its threads are ready,
// it uses little processor time, and no quota of its own limits it.
func (s *Step) Outdone() bool {
	return s.State == report.StandsNoProcessor && s.Now.Cores < fewCores && !(s.Now.Throttled >= throttledShare)
}

// Answers reports whether the callers of a hop get answers of it, to at least a fifth of what
// they ask.
func (b *Behind) Answers() bool { return b.Answered > 0 && b.Answered >= 0.2*b.Asked }

// unanswered reports whether the callers of a hop go on asking, and get next to no answer.
func (b *Behind) unanswered() bool { return b.Asked >= 1 && b.Answered <= 0.05*b.Asked }

// GivenUp reports whether the callers end all requests at a hop, by a timeout of their own: the
// oldest request at the hop is as old as the oldest call of the hop before, and no answer
// comes back. before is that hop; nil for none.
func (s *Step) GivenUp(before *Step) bool {
	if before == nil || before.To == nil || !(before.To.Oldest >= 2*ageLeast) || before.To.Answers() || s.Answers {
		return false
	}
	return s.Now.Oldest >= 0.8*before.To.Oldest && s.Now.Oldest <= 1.15*before.To.Oldest+ageLeast
}

// manyCalls is how many requests must be out before their number says something about
// retries: with fewer, some may simply be between two calls when the sockets are read.
const manyCalls = 20

// AsksAgain reports whether the hop before gives its calls up and makes them again: nearly all
// its requests have a call out at any time, yet are at least twice as old as any call.
func (s *Step) AsksAgain(before *Step) bool {
	if !s.GivenUp(before) {
		return false
	}
	calls := before.To.Requests
	return calls >= manyCalls && calls >= allOf*before.Now.Served() && before.Now.Oldest >= 2*before.To.Oldest
}

// Abandoned reports whether a hop goes on working on requests that the hop before gave up: it
// owes at least three times as many as that one waits for, and older ones.
func (s *Step) Abandoned(before *Step) bool {
	if before == nil || before.To == nil || !(s.Now.Owed >= manyCalls) {
		return false
	}
	return s.Now.Owed >= 3*before.To.outstanding() && s.Now.Oldest >= 2*before.To.Oldest
}

// Before returns the step whose requests wait for this one; nil for the first hop, and for a
// hop that the walk did not pass.
func (w *Way) Before(s *Step) *Step {
	i := slices.Index(w.Walked, s)
	if i <= 0 {
		return nil
	}
	return w.Walked[i-1]
}

// step returns the step of a hop.
func (w *Way) step(h *hops.Hop) *Step {
	i := slices.IndexFunc(w.Steps, func(s *Step) bool { return s.Hop == h })
	if i < 0 {
		return nil
	}
	return w.Steps[i]
}

// still reports whether the process does not run at all, though something waits for it to
// accept or to read.
func (s *Step) still() bool {
	switch {
	case s.Now.Stopped >= 1:
		return true
	case s.fillsProcessor(): // it computes without a break, and is hardly ever switched to
		return false
	case s.Unfinished(): // its threads wait for the rest of requests, and would read it
		return false
	case !(s.Now.NotRead >= 1) && !(s.Now.NotAccepted >= 1): // it has read all that came
		return false
	}
	few := math.Max(hardlyRuns, stillRuns*s.Before.Runs)
	readAll := s.Now.NotRead < 1 && s.Now.Owed >= 1 // its workers may be asleep in calls, and other threads wake now and then
	if readAll || s.Loop() {                        // a held loop runs between two calls
		few = hardlyRuns
	}
	const ranBefore = 5 // runs a second; a process that hardly ran before shows no difference
	return s.Now.Runs <= few && s.Before.Runs >= ranBefore
}
