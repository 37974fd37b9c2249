package signals

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/gather"
	"github.com/rampload/rampload/report/diagnose/hops"
	"github.com/rampload/rampload/report/diagnose/kernels"
	"github.com/rampload/rampload/report/diagnose/passage"
	"github.com/rampload/rampload/report/diagnose/says"
	"github.com/rampload/rampload/report/diagnose/waiting"
	"github.com/rampload/rampload/report/diagnose/words"
	"github.com/rampload/rampload/report/format"
)

// observeWay asks whether the waiting ends at this hop, and where in it, or behind it.
func observeWay(c *evidence.Case, f *evidence.Facts, h evidence.Hop) {
	observeEntry(c, f, h)
	passage.Bodies(c, f, h)
	passage.Rested(c, f, h)
	came := observeDemand(c, f, h)
	s := gather.StepAt(c, h)
	if s == nil || c.Way.Culprit == nil {
		return
	}
	const src = "sockets"
	text := s.Text()
	if givenUpBefore(c, s) {
		f[evidence.QueueTimeout] = evidence.Fact{}
	}
	if s != c.Way.Culprit {
		if s.Role == report.RoleVictim {
			f.Set(evidence.WaitsBehind, evidence.Yes, src, "%s", text)
		}
		if c.Way.Culprit.State == report.StandsCutOff && c.Way.Before(c.Way.Culprit) == s {
			observeUnnamed(c, f, h)
		}
		return
	}
	f.Set(evidence.WaitsBehind, evidence.No, src, "%s", text)
	if s.Worst == nil && len(c.Way.Walked) > 1 {
		text = c.Way.Walked[len(c.Way.Walked)-2].Text()
	}
	if s.State == report.StandsCutOff {
		if up := c.Way.Before(s); up != nil {
			text = up.Text()
		}
	}
	x, known := stands(c, s)
	if !known || x == evidence.CutOff && len(c.Facts) == h.Index && h.Index > 0 && c.Facts[h.Index-1][evidence.SaysUnknownName].Is == evidence.Yes {
		return // its callers do not know any more where it is
	}
	if b := s.Fewer(); x == evidence.FewerPlaces {
		text += fmt.Sprintf(", with %s to %s, of which hardly one is in use: requests inside may wait for one that others hold", format.Counted(b.Connections, "connection"), b.Hop.Place())
	}
	f.SetAt(x, evidence.Yes, c.Way.From, src, "%s", text)
	if (x == evidence.StandsInside || x == evidence.StandsStuck) && gather.LocksUnsaid(h.Process()) && s.Now.Processor < 0.1 && !(s.Now.Running >= 1) {
		f.SetAt(evidence.StoreStands, evidence.Yes, c.Way.From, src, "%s", text)
	}
	// Threads that the kernel says are held from outside: one is enough where one thread does all the
	// work, else a good part of them. One is also enough where it may hold a lock that all others need:
	// all requests stand inside or unread, and nothing runs.
	enough := func(now, before float64) bool {
		alone := (s.State == report.StandsInside || s.State == report.StandsNotAccepted) && now-before >= 0.9 && s.Now.Processor < 0.5
		return now >= 1 && (alone || now-before >= 0.25*max(s.Now.Threads, 1))
	}
	if enough(s.Now.FileLocked, s.Before.FileLocked) {
		f.Set(evidence.FileLocked, evidence.Yes, "threads of "+h.Host, "%s", text)
	}
	if enough(s.Now.Blocked, s.Before.Blocked) {
		f.Set(evidence.OutputBlocked, evidence.Yes, "threads of "+h.Host, "%s", text)
	}
	if s.State == report.StandsPool && s.To.Rests() && !s.ByStrangers {
		if at := stepOfHop(c, s.To.Hop); at != nil && at.Now.InTransaction >= 0.8*s.To.Connections {
			f.Set(evidence.SessionsOpen, evidence.Yes, "processes of "+at.Hop.Process, "%s of %s are idle in transactions that nothing is done in: whoever began them has not ended them", format.Counted(at.Now.InTransaction, "session"), at.Hop.Place())
		}
	}
	if s.Loop() {
		f.Set(evidence.LoopHeld, evidence.Yes, src, "%s", text)
	}
	if s.Unfinished() {
		f.Set(evidence.CallersSend, evidence.Yes, src, "%s", text)
	}
	if s.Outdone() {
		f.Set(evidence.OthersUse, evidence.Yes, src, "%s: others use the machine's processor", text)
	}
	observeMultiplied(c, f, h, s, came)
	for _, o := range c.Hops {
		if ends := kernels.EndedAtOnset(c, o); o.Index != h.Index && len(ends) > 0 {
			f.SetAt(evidence.EndedBeside, evidence.Yes, ends[0].At, "processes of "+o.Host, "%s on %s ended just then (%s), and nothing serves in its place", ends[0].Process, o.Host, ends[0].Why)
		}
	}
	if up := c.Way.Before(s); up != nil && !evidence.IsProxy(up.Hop.Process) {
		f.Set(evidence.AskedByService, evidence.Yes, src, "%s", up.Text())
	}
	switch x {
	case evidence.StandsBetween, evidence.StandsDelayed, evidence.StandsUnreached, evidence.StandsNewOnly:
		// A gateway writes a status for requests that were lost behind it, and gives up after a timeout
		// of its own. Neither shows that a hop behind it answered.
		f[evidence.Answered], f[evidence.SomeTimeouts], f[evidence.OnlyTimeouts] = evidence.Fact{}, evidence.Fact{}, evidence.Fact{}
	}
	// A single session that waits for a lock does not explain many requests that wait.
	if s.Now.Locked >= max(1, 0.5*s.Now.Served()) {
		f.Set(evidence.SaysLocked, evidence.Yes, "processes of "+h.Host, "%s", text)
		if gather.IsStore(h.Process()) {
			f.Set(evidence.LockedStore, evidence.Yes, "processes of "+h.Host, "%s", text)
		}
	}
}

// observeEntry asks whether packets between the client and the first hop take long, while hardly any
// request stands at the hop.
func observeEntry(c *evidence.Case, f *evidence.Facts, h evidence.Hop) {
	if h.Index > 0 || c.Way == nil || !gather.RequestsWaited(c) || !c.Way.Delayed(&c.Way.Entry) {
		return
	}
	b, open := c.Way.Entry, c.Way.Steps[0].Now.Open()
	if math.IsNaN(open) {
		return // its sockets were not read
	}
	out := words.Finite(b.Requests, 0) + words.Finite(b.Connecting, 0)
	f.SetAt(evidence.StandsDelayed, evidence.Yes, c.Way.From, "sockets", "%s are out to %s, which has %s of them: packets there and back are under way for %s (%s before)",
		format.Counted(out, "request"), b.Hop.Place(), format.Number(open), format.Seconds(b.RoundTrip), format.Seconds(b.RoundTripBefore))
}

// givenUpBefore reports whether the time after which all requests were refused is not the time limit of a
// queue at this hop. It is a timeout of the hop before where that one's calls get no older while requests
// here do; or it is spent in one or several calls to the next hop.
func givenUpBefore(c *evidence.Case, s *waiting.Step) bool {
	limit, late := evidence.LateRefusals(c)
	if !late {
		return false
	}
	if s.Role == report.RoleVictim && s.To.Requests >= 0.8*max(1, s.Now.Served()) && s.Now.Oldest <= 1.15*limit {
		return true // all of that time is spent in calls to the next hop
	}
	if up := c.Way.Before(s); (s.AsksAgain(up) || s.Abandoned(up)) && up.Now.Oldest >= 0.85*limit && up.Now.Oldest <= 1.15*limit {
		return true // it is the sum of several tries
	}
	for up := c.Way.Before(s); up != nil; s, up = up, c.Way.Before(up) {
		if up.To != nil && up.To.Oldest >= 0.85*limit && up.To.Oldest <= 1.15*limit && s.Now.Oldest >= 1.2*limit {
			return true
		}
	}
	return false
}

// observeUnnamed asks whether a hop that has lost its connections to the next hop also gets no answers to
// DNS look-ups. In many runtimes few threads look up names for all others, so that one name that is not
// answered delays all.
func observeUnnamed(c *evidence.Case, f *evidence.Facts, h evidence.Hop) {
	const least, around = 3, 3.0 // look-ups, seconds
	for _, l := range c.Run.Lines {
		if l.Format != "reply dns" || l.Meaning != says.Name || !h.Has(l.Host) || !strings.Contains(l.Text, "no answer") || l.Lines < least || math.Abs(l.First-c.At) > around || l.At[len(l.At)-1] < c.Run.RampEnd()-2*around {
			continue
		}
		f.SetAt(evidence.SaysUnknownName, evidence.Yes, l.First, "look-ups of "+h.Host, "%s asks %s and gets no answer, %s: %s; it has tried no new connection to %s since",
			h.Place(), l.Peer, format.Counted(l.Lines, "time"), l.Text, c.Way.Culprit.Hop.Place())
		return
	}
}

// stands returns the clue for where requests stand at the hop at which the waiting ends.
func stands(c *evidence.Case, s *waiting.Step) (evidence.Clue, bool) {
	clues := map[report.Stand]evidence.Clue{
		report.StandsInside: evidence.StandsInside, report.StandsNotAccepted: evidence.StandsQueued, report.StandsPool: evidence.StandsPooled,
		report.StandsNoProcessor: evidence.StandsUnprocessed, report.StandsOnDisk: evidence.StandsOnDisk,
		report.StandsStill: evidence.StandsStopped, report.StandsCutOff: evidence.CutOff, report.StandsNetwork: evidence.StandsBetween,
	}
	x, known := clues[s.State]
	proxy := evidence.IsProxy(s.Hop.Process)
	switch {
	case s.Worst == nil:
		return evidence.StandsUnwatched, true
	case s.Circular():
		return evidence.AsksItself, true
	case s.Capped():
		return evidence.StandsCapped, true
	case (x == evidence.StandsQueued || x == evidence.StandsInside && len(s.Behind) > 0) && gather.IsPooler(s.Hop.Process):
		return evidence.StandsPooled, true // it reads only as many requests as it has connections
	case x == evidence.StandsQueued && !s.Unfinished() && s.Fewer() != nil:
		return evidence.FewerPlaces, true
	case x == evidence.StandsPooled && s.To.Rests() && !s.ByStrangers && !gather.IsPooler(s.Hop.Process):
		return evidence.PoolRests, true
	case x == evidence.StandsPooled && proxy:
		return evidence.ProxyPooled, true
	case x == evidence.StandsBetween && c.Way.Delayed(s.To):
		return evidence.StandsDelayed, true
	case x == evidence.StandsBetween && s.To.Unreached():
		return evidence.StandsUnreached, true
	case x == evidence.StandsBetween && s.To.PartlyUnreached():
		return evidence.StandsNewOnly, true
	case s.State == report.StandsInside && proxy && len(s.Behind) > 0:
		return 0, false // a proxy passes on: the requests that it holds belong to a hop behind it
	case s.State == report.StandsNoProcessor && c.Status(500) >= 0.5 && s.Depth <= gather.FirstService(c):
		return 0, false // a hop that answers with a refusal had the processor for that
	case s.State == report.StandsInside && (s.Stuck() || answersNothing(c, s)):
		return evidence.StandsStuck, true
	case s.State == report.StandsNotAccepted && s.Now.Served() >= 1 && s.Stuck() && s.Now.Processor < 0.05 && !s.Unfinished() && !s.AsksOn() && !s.Loop():
		return evidence.StandsStuck, true // no request that it has read ends, so it reads no more
	}
	return x, known
}

// stepOfHop returns where the requests of a hop stood; nil where that was not seen.
func stepOfHop(c *evidence.Case, h *hops.Hop) *waiting.Step {
	i := slices.IndexFunc(c.Way.Steps, func(s *waiting.Step) bool { return s.Hop == h })
	if i < 0 {
		return nil
	}
	return c.Way.Steps[i]
}

// answersNothing reports whether the client gets no answer any more and the hop ends no request itself:
// its callers give them up. Of an event loop that makes one call after the other this cannot be seen,
// unless the loop's log says so.
func answersNothing(c *evidence.Case, s *waiting.Step) bool {
	up := c.Way.Before(s)
	if len(c.Facts) == 0 || c.Facts[0][evidence.StandsStill].Is != evidence.Yes || !s.GivenUp(up) {
		return false
	}
	at := slices.IndexFunc(c.Hops, func(h evidence.Hop) bool { return h.Station == up.Hop })
	return !up.OneByOne(up.To) || at >= 0 && (replied(c, at).share > 0.1 || complains(c, c.Hops[at]))
}
