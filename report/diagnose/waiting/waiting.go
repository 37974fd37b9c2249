// Package waiting says where requests stand on their way while they fail: at each hop not
// accepted, without processor, on disk, on an answer from behind, inside, or still with
// the whole process; and walks to the deepest hop that owes an answer and waits for
// nobody. Those before it are its victims. It names no cause.
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

// Step is one hop with where its requests stood. Counts are medians over the time, of all
// instances together; NaN is not measured.
type Step struct {
	Hop    *hops.Hop
	Depth  int // 0: the client asks it
	Now    Stood
	Before Stood
	Behind []Behind
	State  report.Stand
	Role   report.Role
	To     *Behind // whom it waits for
	// Worst is the instance with the most open requests; nil of a hop that nobody watches.
	Worst *hops.Service
	// Answers says that those before it get answers of it.
	Answers bool
	// Strangers are those who ask it beside the hop before, and have come meanwhile.
	Strangers []Stranger
	// ByStrangers says that these hold all connections that it has to the next hop.
	ByStrangers bool
	// Round is one before it that it asks, and Circle how many requests it has out to that.
	Round  *hops.Hop
	Circle float64
}

// Stood is what was read of a hop in some time.
type Stood struct {
	NotAccepted, NotRead, Owed, Inbound float64 // Owed: accepted and not answered, those not read too
	Oldest, Median                      float64 // seconds
	OldestGrows                         bool    // the oldest got older all the time: none was answered
	Processor, Cores                    float64 // of its busiest process; cores that it used
	NoProcessor, Throttled, OnDisk      float64
	Stopped, Runs                       float64
	FileLocked, Blocked                 float64 // threads that wait for a lock on a file; that write where nobody reads
	Incomplete                          float64 // requests of which the rest has not come in
	Running                             float64 // threads of its busiest process that run or are ready to, at most times
	Locked                              float64 // processes that say of themselves that they wait for a lock
	InTransaction                       float64 // processes that say of themselves that they are idle in a transaction
	Accepted                            float64 // connections that it took, at rest too
	Threads                             float64 // of all its processes
	Resent                              float64 // answers that had to be sent again, at most
}

// Open is how many requests stood at a hop.
func (s Stood) Open() float64 { return hops.Sum(s.NotAccepted, s.Owed) }

// Unfinished reports whether a hop has itself to wait for its callers: a good part of the
// requests that it has begun to read are not there completely, and were before. It is
// then neither still nor late, nor is anybody behind it.
func (s *Step) Unfinished() bool {
	n := s.Now.Incomplete
	return n >= 1 && n >= mostOf*math.Max(s.Now.Served(), 1) && n >= 2*finite(s.Before.Incomplete)
}

// Served is how many of them its threads had read.
func (s Stood) Served() float64 { return math.Max(0, s.Owed-finite(s.NotRead)) }

// Circular reports whether a hop waits for itself: most of what its threads have taken are
// requests that asked one before it, which waits for this hop to take them.
func (s *Step) Circular() bool {
	return s.Round != nil && s.Circle >= mostOf*math.Max(1, s.Now.Threads) && s.Now.Open() > s.Circle
}

// Behind is what a hop had out to the next one.
type Behind struct {
	Hop                                               *hops.Hop
	Requests, Connections, Connecting, Resent, Unread float64
	Oldest, Median                                    float64
	OldestBefore, MedianBefore, RequestsBefore        float64
	ConnectionsBefore                                 float64

	// Of the instance with the most open requests alone: what others have out is not in its way.
	WorstRequests, WorstConnections float64
	// Slower is how many times as old as before what is out gets, of readings that found
	// something out; NaN where there were too few.
	Slower             float64
	Asked, AskedBefore float64  // requests a second
	Answered           float64  // answers a second that came back on connections that last
	ResentMost         float64  // at any time
	Streams            *Streams // of HTTP/2: Requests and ages are of these; nil: not seen
	// RoundTrip is how long packets are under way to it and back, in seconds.
	RoundTrip, RoundTripBefore float64
}

// Way is the walk along a chain.
type Way struct {
	First   *hops.Hop
	From    float64
	To      float64
	Steps   []*Step // all hops, outermost first
	Walked  []*Step // those that the waiting was followed to; the last is the culprit
	Culprit *Step   // nil: requests stood nowhere that was seen
	Entry   Behind  // what the client had out to the first hop
}

// Follow reads where the requests of a chain stood in some times, against the times
// before, and follows the waiting.
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
	w.Entry = out(first, nil, now, before)
	w.Steps[0].Answers = w.Entry.Answers()
	for _, s := range w.Steps {
		for i := range s.Behind {
			w.step(s.Behind[i].Hop).Answers = s.Behind[i].Answers()
		}
	}
	w.rest()
	w.walk()
	w.stopped()
	return w
}

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
		s.Behind = append(s.Behind, out(n, s.Worst, now, before))
		r.steps(w, n, h, depth+1, now, before)
	}
}

// out reads what those before a hop had out to it; worst is the instance of them with the
// most open requests, nil for none.
func out(n *hops.Hop, worst *hops.Service, now, before []Span) Behind {
	b := Behind{Hop: n, Asked: math.NaN(), AskedBefore: math.NaN(), Answered: math.NaN()}
	asked := func(name string, spans []Span, of func([]float64) float64) float64 {
		total := math.NaN()
		for _, p := range n.Asked {
			total = hops.Sum(total, of(around(p.Tracks[name], spans)))
		}
		return total
	}
	most := func(name string, spans []Span, q float64) float64 {
		m := math.NaN()
		for _, p := range n.Asked {
			m = larger(m, quantile(around(p.Tracks[name], spans), q))
		}
		return m
	}
	b.Requests, b.RequestsBefore = asked(probe.Awaiting, now, median), asked(probe.Awaiting, before, median)
	for _, p := range n.Asked {
		b.Answered = hops.Sum(b.Answered, rate(p.Tracks[probe.AnswersReceived], now))
		b.Asked, b.AskedBefore = hops.Sum(b.Asked, rate(p.Tracks[probe.Asked], now)), hops.Sum(b.AskedBefore, rate(p.Tracks[probe.Asked], before))
	}
	b.ConnectionsBefore = asked(probe.PeerConnections, before, median)
	b.Connections, b.Connecting = asked(probe.PeerConnections, now, median), asked(probe.Connecting, now, median)
	b.Resent, b.Unread = asked(probe.Unacknowledged, now, median), asked(probe.AnswersUnread, now, median)
	b.ResentMost = most(probe.Unacknowledged, now, 1)
	// What was before may have been slow already: it is compared with its better part.
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

// rest takes those connections for idle that look as if a request were out on them, where the
// other end tells better: it is watched, has these connections, owes nobody, has nothing to
// send again, and what was sent to it was acknowledged. Of protocols that send in pieces a
// connection at rest looks so, before anything fails as well.
func (w *Way) rest() {
	for _, s := range w.Steps {
		for i := range s.Behind {
			b, next := &s.Behind[i], w.step(s.Behind[i].Hop)
			if next.Worst == nil || b.Unread >= 1 || b.Connecting >= 1 || b.ResentMost >= 1 {
				continue
			}
			if next.Before.rests(b.RequestsBefore, b.ConnectionsBefore, next.Before.Resent) {
				b.RequestsBefore, b.OldestBefore, b.MedianBefore, b.Slower = next.Before.Open(), next.Before.Oldest, next.Before.Median, math.NaN()
			}
			if next.Now.rests(b.Requests, b.Connections, next.Before.Resent) {
				b.Requests, b.WorstRequests, b.Oldest, b.Median, b.Slower = next.Now.Open(), 0, next.Now.Oldest, next.Now.Median, math.NaN()
			}
		}
	}
}

// rests reports whether a hop owes hardly anything of what looks out on so many connections,
// though it has these; resent is how many answers had to be sent again before.
func (s Stood) rests(out, connections, resent float64) bool {
	return s.Open() < 0.1*out && s.Accepted >= allOf*connections && s.Resent <= finite(resent)
}

// Dismiss takes back what was followed: the failures are not of requests that waited.
func (w *Way) Dismiss() {
	w.Culprit, w.Walked = nil, nil
	for _, s := range w.Steps {
		s.State, s.Role, s.To = "", "", nil
	}
}

// Stuck reports whether a hop answers nothing: what it has open gets older as the clock
// goes, and its threads hardly run, or do not come so far any more as to ask those behind it.
func (s *Step) Stuck() bool {
	return s.Now.OldestGrows && !s.Answers && (!(s.Now.Runs > 0.3*s.Before.Runs) || s.stoppedAsking())
}

// stoppedAsking reports whether a hop hardly asks anybody any more of those that it asked.
func (s *Step) stoppedAsking() bool {
	asked := func(b Behind) bool { return b.AskedBefore >= 1 }
	return slices.ContainsFunc(s.Behind, asked) && !slices.ContainsFunc(s.Behind, func(b Behind) bool {
		return asked(b) && !(b.Asked <= 0.05*b.AskedBefore) || b.Requests >= 1
	})
}

// AsksOn reports whether a hop asks somebody behind it as often as before: its threads go on.
func (s *Step) AsksOn() bool {
	return slices.ContainsFunc(s.Behind, func(b Behind) bool { return b.AskedBefore >= 1 && b.Asked > 0.5*b.AskedBefore })
}

// Outdone reports whether a hop lacks the processor that others use: its threads are ready
// all the time, and it uses little itself, without a quota that says so.
func (s *Step) Outdone() bool {
	return s.State == report.StandsNoProcessor && s.Now.Cores < 0.5 && !(s.Now.Throttled >= 0.3)
}

// Answers reports whether those before a hop get answers of it, for a good part of what they ask.
func (b *Behind) Answers() bool { return b.Answered > 0 && b.Answered >= 0.2*b.Asked }

// GivenUp reports whether nothing that stands at a hop gets older than those before it
// wait: it ends no request itself.
func (s *Step) GivenUp(before *Step) bool {
	if before == nil || before.To == nil || !(before.To.Oldest >= 2*ageLeast) || before.To.Answers() {
		return false
	}
	return s.Now.Oldest >= 0.8*before.To.Oldest && s.Now.Oldest <= 1.15*before.To.Oldest+ageLeast
}

// AsksAgain reports whether what stands at a hop is given up and asked for again: nearly all
// requests of those before it have a call out to it at any time, and are several times as
// old as any of these calls gets.
func (s *Step) AsksAgain(before *Step) bool {
	if !s.GivenUp(before) {
		return false
	}
	return before.To.Requests >= 20 && before.To.Requests >= allOf*before.Now.Served() && before.Now.Oldest >= 2*before.To.Oldest
}

// Abandoned reports whether a hop works on far more requests than those before it wait for,
// and on older ones: they gave them up, and it goes on.
func (s *Step) Abandoned(before *Step) bool {
	if before == nil || before.To == nil || !(s.Now.Owed >= 20) {
		return false
	}
	return s.Now.Owed >= 3*(finite(before.To.Requests)+finite(before.To.Connecting)) && s.Now.Oldest >= 2*before.To.Oldest
}

// Before returns the step whose requests wait for this one; nil for the first.
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

// stopped reports whether the process does not run at all.
func (s *Step) stopped() bool {
	switch {
	case s.Now.Stopped >= 1:
		return true
	case s.Unfinished(): // its threads read, and would run if something came
		return false
	case !(s.Now.NotRead >= 1) && !(s.Now.NotAccepted >= 1): // it has read all that came
		return false
	}
	few := math.Max(hardlyRuns, stillRuns*s.Before.Runs)
	if s.Now.NotRead < 1 && s.Now.Owed >= 1 || s.Loop() { // a loop that is held runs on between two calls
		few = hardlyRuns // it has read all that it took: its workers may be asleep, and others of it wake now and then
	}
	return s.Now.Runs <= few && s.Before.Runs >= 5
}
