package gather

import (
	"net/netip"
	"slices"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/hops"
	"github.com/rampload/rampload/report/diagnose/kernels"
	"github.com/rampload/rampload/report/diagnose/waiting"
)

// judged is the time from the onset that is read, in seconds. Later, the consequences of the failures
// may keep a hop busy. beforeIt is the time before the onset that it is compared with.
const judged, beforeIt = 12.0, 20.0

// shortly is the least time, in seconds, after which a failed request counts as one that waited.
const shortly = 0.1

// settles is how long after the onset waiting requests show in the readings, in seconds.
const settles = 2.0

// follow finds the hops of a target from the sockets that were seen, and follows the waiting along them.
// It reports whether it found any; where no sockets were read, the hosts of the profile stay.
func follow(c *evidence.Case) bool {
	if c.Run.Graph == nil {
		return false
	}
	named := c.Target.Info.Hosts
	first := c.Run.Graph.Chain(evidence.LocalHost, dialled(c), named)
	if first == nil {
		return false
	}
	now, before := spans(c)
	c.Way = waiting.Follow(c.Run.Log, first, now, before)
	if !RequestsWaited(c) || !stoodLongEnough(c) || !holdsThem(c, now) {
		c.Way.Dismiss()
	}
	station(c, first, named)
	if len(c.Run.Targets) == 1 { // requests of several targets cannot be told apart at a host
		c.Reach = reaches(c, first)
	}
	return true
}

// dialled returns the addresses of a target to which connections went.
func dialled(c *evidence.Case) []netip.AddrPort { return c.Run.Addresses(c.Target) }

// spans returns the spans in which requests failed or stood still, and those before to compare with.
func spans(c *evidence.Case) (now, before []waiting.Span) {
	end := c.Run.Duration()
	if stops := evidence.Stops(c); len(stops) >= 2 && (c.Onset.Status != evidence.Found || stops[len(stops)-1].From > c.At) {
		last := 0.0
		for _, s := range stops {
			now = append(now, waiting.Span(s))
			before = append(before, waiting.Span{From: last, To: s.From})
			last = s.To + 1
		}
		return now, before
	}
	if o := c.Onset; o != nil && (o.Status == evidence.Found || o.Status == evidence.Transient) {
		// Readings at the onset itself were taken before the queues had filled.
		at := o.At.Value
		from := at
		if end-at >= 2*settles {
			from += settles
		}
		to := min(at+judged, end)
		if o.Status == evidence.Transient {
			to = max(min(to, lastFailed(c)), from+1)
		}
		return []waiting.Span{{From: from, To: to}}, []waiting.Span{{From: max(at-beforeIt, -5), To: max(at-0.5, 0)}}
	}
	if now, before = badTimes(c); now != nil {
		return now, before
	}
	return []waiting.Span{{From: 0, To: end}}, []waiting.Span{{From: -beforeIt, To: 0}}
}

// badTimes divides a run without an onset into the times in which the requests due then failed, and
// those in which they did not. Nil where either is too short to compare.
func badTimes(c *evidence.Case) (bad, good []waiting.Span) {
	if c.Onset == nil || c.Onset.Status == evidence.Found || c.Parts.Failed < 20 {
		return nil, nil
	}
	add := func(list []waiting.Span, i int) []waiting.Span {
		from, to := c.Run.Seconds(float64(i)), c.Run.Seconds(float64(i+1))
		if n := len(list); n > 0 && list[n-1].To >= from-1e-9 {
			list[n-1].To = to
			return list
		}
		return append(list, waiting.Span{From: from, To: to})
	}
	var ill, well float64
	for i := range c.Run.N {
		t := c.Target
		switch {
		case t.Attempts[i] < 3:
		case t.Failed[i] >= 0.5*t.Attempts[i]:
			bad, ill = add(bad, i), ill+c.Run.Step
		case t.Failed[i] <= 0.02*t.Attempts[i]:
			good, well = add(good, i), well+c.Run.Step
		}
	}
	if ill < 1.5 || well < 3 {
		return nil, nil
	}
	return bad, good
}

// lastFailed returns the end of the last window with a request that failed, in seconds.
func lastFailed(c *evidence.Case) float64 {
	for i := c.Run.N - 1; i >= 0; i-- {
		if c.Target.Failed[i] > 0 {
			return c.Run.Seconds(float64(i + 1))
		}
	}
	return c.Run.Duration()
}

// RequestsWaited reports whether the failed requests waited: until a timeout of the client or a gateway,
// or far longer than answers take; or whether answers stopped for whole spells.
func RequestsWaited(c *evidence.Case) bool {
	if c.Onset == nil {
		return false
	}
	if p := c.Parts; p.Failed > 0 {
		if p.Share(attack.Timeout)+c.Status(504) >= 0.5 {
			return true
		}
		if _, late := evidence.LateRefusals(c); late {
			return true // all were refused after the same time, which is longer than answers take
		}
		return evidence.QuantileOf(c.Durations(func(x *attack.Failure) bool { return x.Phase != attack.PhaseIdle }), 0.5) >= max(shortly, 3*c.AnswerTime())
	}
	return len(evidence.Stops(c)) >= 2
}

// holdsThem reports whether the first hop holds a good part of the requests that the client waits for.
// If not, the requests stand between the client and the hop. A hop with a full accept queue counts as
// holding them, as connections cannot come up.
func holdsThem(c *evidence.Case, now []waiting.Span) bool {
	at := c.Way.Culprit
	if at == nil || at.Worst == nil || at.Now.NotAccepted >= 1 || len(c.Way.Walked) > 1 {
		return true
	}
	if c.Parts.Cell[attack.Timeout][attack.PhaseDial] >= 0.9*c.Parts.Failed {
		return false // connections do not come up, and none waits to be accepted
	}
	part := 0.25
	if c.Parts.Share(attack.Timeout) < 0.9 {
		part = 0.1 // the hop answered most of them late, and so had them
	}
	var waited []float64
	for _, s := range now {
		for i := c.Run.Window(s.From); i < min(c.Run.Window(s.To), len(c.Target.InFlight)); i++ {
			waited = append(waited, c.Target.InFlight[i])
		}
	}
	return !(at.Now.Open() < part*evidence.QuantileOf(waited, 0.5))
}

// stoodLongEnough reports whether the requests at the culprit are about as old as failed requests
// waited. If they are much younger, the failures waited elsewhere. Connections that are not accepted
// have no age, and requests that wait for a pool have none at the next hop.
func stoodLongEnough(c *evidence.Case) bool {
	at := c.Way.Culprit
	if at == nil || at.Worst == nil || at.State != report.StandsInside || at.Now.NotAccepted >= 1 {
		return true
	}
	part := 0.5
	if len(c.Way.Walked) == 1 {
		if c.Parts.Share(attack.Timeout) < 0.9 {
			return true // the hop itself answered them
		}
		part = 0.2 // much younger requests: those that the client waits for are not there
	}
	if before := c.Way.Before(at); at.AsksAgain(before) {
		at = before // the time was spent in several calls to the culprit, one after the other
	}
	if queued(c.Way) {
		return true // most of the time was spent before a request was read
	}
	waited := evidence.QuantileOf(c.Durations(func(x *attack.Failure) bool { return x.Phase != attack.PhaseIdle }), 0.5)
	if up := c.Way.Before(at); up != nil && up.To != nil && up.To.Oldest > 0 {
		waited = min(waited, up.To.Oldest) // before that the requests were not at the culprit yet
	}
	return !(at.Now.Oldest < part*waited)
}

// queued reports whether a hop on the way has more requests unread than read. The unread ones wait for
// those before them, each for as long as the next hop takes.
func queued(w *waiting.Way) bool {
	return slices.ContainsFunc(w.Walked[:len(w.Walked)-1], func(s *waiting.Step) bool {
		unread := s.Now.Owed - s.Now.Served()
		return s.Now.NotAccepted+unread >= max(1, s.Now.Served()) || unread >= max(1, s.Now.Served())
	})
}

// station makes the case's hops from a chain: the proxies and the service behind them, and further hops
// as far as the waiting was followed or the profile names hosts. Of several instances it takes the one
// that most evidence points to.
func station(c *evidence.Case, first *hops.Hop, named []string) {
	var path []*hops.Hop
	for at := first; at != nil; {
		path = append(path, at)
		at = after(c, at, named)
	}
	var out []evidence.Hop
	for i, at := range path {
		h := evidence.Hop{Index: i, Station: at, Assumed: len(at.Instances) == 0}
		if len(at.Instances) > 0 {
			h.Host = instance(c, at)
			h.Also = c.Run.SharedWith(h.Host)
		}
		out = append(out, h)
	}
	inChain := func(name string) bool {
		return slices.ContainsFunc(path, func(h *hops.Hop) bool { return slices.Contains(h.Hosts(), name) })
	}
	at := slices.IndexFunc(named, inChain)
	c.Routers = slices.Clone(named[:max(at, 0)])
	last := out[len(out)-1]
	for i, name := range named { // hosts of the profile behind those that were seen
		if i > at && !inChain(name) && !last.Assumed && !slices.ContainsFunc(named[i:], inChain) {
			out = append(out, evidence.Hop{Index: len(out), Host: name, Also: c.Run.SharedWith(name)})
		}
	}
	if c.Onset != nil && c.Way != nil && c.Onset.Status == evidence.Found {
		for _, s := range c.Way.Steps {
			if gone, _ := Gone(c, s.Hop, c.Onset.At.Low-GoneBefore, c.Onset.At.High+GoneAfter); gone && !slices.Contains(path, s.Hop) && !slices.ContainsFunc(out, func(h evidence.Hop) bool { return h.Host == s.Hop.Hosts()[0] }) {
				host := s.Hop.Hosts()[0]
				out = append(out, evidence.Hop{Index: len(out), Host: host, Also: c.Run.SharedWith(host), Station: s.Hop})
			}
		}
	}
	c.Hops = out
}

// A store may have ended GoneBefore to GoneAfter seconds around the onset for the failures to be its
// consequence: its callers ask elsewhere, where queues fill first.
const GoneBefore, GoneAfter = 3.0, 1.0

// Gone reports whether the only instance of an in-memory store ended between two times, in seconds, and
// did not come back; and how it ended.
func Gone(c *evidence.Case, at *hops.Hop, from, to float64) (bool, evidence.Death) {
	if len(at.Instances) != 1 || !InMemory(at.Process) {
		return false, evidence.Death{}
	}
	host := at.Hosts()[0]
	ends := slices.DeleteFunc(kernels.Deaths(c, evidence.Hop{Host: host, Also: c.Run.SharedWith(host), Station: at}), func(d evidence.Death) bool {
		return d.Process != at.Process // other processes of the host: health checks, exporters
	})
	if len(ends) == 0 {
		return false, evidence.Death{}
	}
	last := ends[len(ends)-1]
	if slices.ContainsFunc(c.Run.Log.Events, func(e probe.Event) bool {
		return e.Kind == probe.ProcessStart && e.Host == host && e.Process == at.Process && e.At.Seconds() >= last.At
	}) {
		return false, last // it came back, if late
	}
	return !last.Replaced && last.Others == 0 && last.At >= from && last.At <= to, last
}

// after returns the hop behind this one on the way of the failed requests; nil at its end.
func after(c *evidence.Case, at *hops.Hop, named []string) *hops.Hop {
	if w := c.Way; w != nil && w.Culprit != nil {
		for i, s := range w.Walked[:len(w.Walked)-1] {
			if s.Hop == at {
				return w.Walked[i+1].Hop
			}
		}
	}
	if told := toldNext(c, at); told != nil {
		return told
	}
	for _, n := range at.Next {
		if len(n.Instances) == 0 {
			continue
		}
		if evidence.IsProxy(at.Process) || slices.ContainsFunc(n.Hosts(), func(h string) bool { return slices.Contains(named, h) }) {
			return n
		}
	}
	return erringNext(c, at)
}

// instance returns the host of the instance that most evidence points to: by logs, by the connections
// that it ended, by resets and ends of processes, else by the requests that stood there.
func instance(c *evidence.Case, at *hops.Hop) string {
	if told := toldInstance(c, at); told != "" {
		return told
	}
	if ends := endsAlone(c, at); ends != "" {
		return ends
	}
	best, most := at.Instances[0].Host, -1.0
	for _, x := range at.Instances {
		s := 0.0
		if len(at.Instances) > 1 {
			h := evidence.Hop{Host: x.Host, Station: at}
			s = suspicion(c, h, resetsTo(c, h)+kernels.WatchWire(c, h, c.From, c.To).Sent)
		}
		if s > most {
			best, most = x.Host, s
		}
	}
	if most <= 0 && c.Way != nil {
		if s := stepOf(c, at); s != nil && s.Worst != nil {
			return s.Worst.Host
		}
	}
	return best
}

func stepOf(c *evidence.Case, at *hops.Hop) *waiting.Step {
	if c.Way == nil {
		return nil
	}
	i := slices.IndexFunc(c.Way.Steps, func(s *waiting.Step) bool { return s.Hop == at })
	if i < 0 {
		return nil
	}
	return c.Way.Steps[i]
}

// StepAt returns where the requests of a hop stood; nil where that was not seen.
func StepAt(c *evidence.Case, h evidence.Hop) *waiting.Step {
	if h.Station == nil {
		return nil
	}
	return stepOf(c, h.Station)
}

// Culprit returns the hop at which the walk along the waiting ended; false where it found none.
func Culprit(c *evidence.Case) (evidence.Hop, bool) {
	if c.Way == nil || c.Way.Culprit == nil {
		return evidence.Hop{}, false
	}
	for _, h := range c.Hops {
		if h.Station == c.Way.Culprit.Hop {
			return h, true
		}
	}
	return evidence.Hop{}, false
}
