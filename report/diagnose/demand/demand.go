// Package demand says how many requests come to a hop for each one that the client sends, before
// the failures and since. Callers that retry multiply the requests that come to a hop, so that a
// hop can be overloaded though the client sends no more than before. It names no cause.
package demand

import (
	"fmt"
	"math"
	"net/netip"
	"slices"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose/hops"
	"github.com/rampload/rampload/report/diagnose/waiting"
	"github.com/rampload/rampload/report/format"
)

// Sent returns how many requests the client sent between two times, in seconds since the load
// began.
type Sent func(from, to float64) float64

// Hop is how many requests came to one hop and how many the client sent in the same times, all a
// second, before the failures and since. NaN is not known.
//
// Two sources count what came, and they bound it. Listener estimates it by segments of data at
// the hop itself, so only its change says something. At a hop that asks others it counts too
// much: late answers of theirs as well. Askers is what the callers sent on connections that
// last. It counts too little: requests on short connections are missing.
type Hop struct {
	Place            string
	Listener, Askers Came
	Last             bool // it asks nobody
	SentBefore, Sent float64

	Growth    float64 // open requests more a second, since the failures began
	Done      float64 // requests that it ended a second, since the failures began
	DoneLeast float64 // the smallest Done between two readings between which the open requests grew
	Grew      int     // how many such pairs of readings there are
}

// Came is how many requests a second one source counted.
type Came struct{ Before, Since float64 }

// Of reads how many requests came to a hop. callers are the addresses of the hop before. It says
// nothing (NaN) of a hop with many connections from other callers, whose requests do not follow
// the client's load, and of a hop that speaks HTTP/2, whose requests cannot be counted by segments.
func Of(at *hops.Hop, callers []netip.Addr, sent Sent, before, since waiting.Span) Hop {
	nan := math.NaN()
	out := Hop{
		Place: at.Place(), Last: len(at.Instances) > 0 && len(at.Next) == 0 && len(at.Back) == 0,
		Listener: Came{nan, nan}, Askers: Came{nan, nan}, Growth: nan, Done: nan, DoneLeast: nan,
		SentBefore: rateOf(sent, before), Sent: rateOf(sent, since),
	}
	multiplexed := func(x *hops.Service) bool { return x.Multiplexed }
	if others(at, callers, since) > fewOthers || slices.ContainsFunc(at.Instances, multiplexed) {
		return out
	}
	for _, x := range at.Instances {
		t := x.Tracks[probe.Arrived]
		out.Listener.add(rate(t, before), rate(t, since))
	}
	for _, p := range at.Asked {
		if p.Streams != nil {
			return out
		}
		t := p.Tracks[probe.Asked]
		out.Askers.add(rate(t, before), rate(t, since))
	}
	if out.Last {
		out.stood(at, since)
	}
	return out
}

func (c *Came) add(before, since float64) {
	c.Before, c.Since = hops.Sum(c.Before, before), hops.Sum(c.Since, since)
}

// fewOthers is the share of a hop's connections that may come from callers off the way.
const fewOthers = 0.2

// Times returns how many times as many requests come to a hop for each that the client sends as
// did before, as a lower and an upper bound. NaN is not known. Where fewer than one came for each
// before, as behind a cache, Times counts those that come for each: a cache that ended sends all
// requests on, and that is no retry.
func (h Hop) Times() (least, most float64) {
	least, most = h.times(h.Askers), h.times(h.Listener)
	if h.Last && !math.IsNaN(most) {
		least = most // no answers of others to count in, so the listener is exact
	}
	return least, most
}

// times is the factor by one source.
func (h Hop) times(c Came) float64 {
	const enough = 2.0 // requests a second; the quotient of fewer is mostly chance
	if !(h.SentBefore >= enough && h.Sent >= enough && c.Before >= enough && c.Since >= 0) {
		return math.NaN()
	}
	return c.Since / h.Sent / math.Max(1, c.Before/h.SentBefore)
}

// Overrun reports whether a hop works as fast as ever and is asked too much: while its open
// requests grew, it ended at least as many as came to it before, and as the client sends now. So
// it would keep up if it was asked once for each request. A hop that became slow ends fewer.
func (h Hop) Overrun() bool {
	const part = 0.9 // leaves room for the error of counts by segments
	return h.Grew >= 2 && h.DoneLeast >= part*h.Listener.Before && h.Done >= part*h.Sent && h.Growth > 0
}

// Text says what came: "400/s came to api:8080 for 100/s that the client sent, 100/s for 100/s
// before". It takes the source that says most.
func (h Hop) Text() string {
	c, as := h.Listener, ""
	if least, most := h.Times(); math.IsNaN(most) || !h.Last && least >= 1.2 {
		c, as = h.Askers, "at least "
	}
	return fmt.Sprintf("%s%s came to %s for %s that the client sent, %s for %s before",
		as, perSecond(c.Since), h.Place, perSecond(h.Sent), perSecond(c.Before), perSecond(h.SentBefore))
}

func perSecond(v float64) string { return format.Number(math.Round(v)) + "/s" }

// stood reads how the open requests of a hop grew and how many it ended: those that came and are
// not open any more. Only a hop with one instance is read.
func (h *Hop) stood(at *hops.Hop, since waiting.Span) {
	const (
		apart = 0.9 // seconds; readings nearer to each other say little of a rate
		part  = 0.1 // of what came: smaller growth may be the difference in time of two readings
	)
	if len(at.Instances) != 1 {
		return
	}
	x := at.Instances[0]
	came, owed, queue := x.Tracks[probe.Arrived], x.Tracks[probe.Owed], x.Tracks[probe.NotAccepted]
	if len(came.At) == 0 {
		return
	}
	last, first := -1, -1
	open := func(i int) float64 {
		q := queue.Near(owed.At[i])
		if math.IsNaN(q) {
			q = 0
		}
		return owed.Value[i] + q
	}
	for i, t := range owed.At {
		if t < since.From || t > since.To || last >= 0 && t-owed.At[last] < apart {
			continue
		}
		if first < 0 {
			first = i
		}
		if last >= 0 {
			n, passed := valueAt(came, t)-valueAt(came, owed.At[last]), t-owed.At[last]
			grew := open(i) - open(last)
			if grew >= part*n && n > 0 {
				h.Grew++
				if done := (n - grew) / passed; !(h.DoneLeast <= done) {
					h.DoneLeast = done
				}
			}
		}
		last = i
	}
	if first < 0 || last == first {
		return
	}
	passed := owed.At[last] - owed.At[first]
	h.Growth = (open(last) - open(first)) / passed
	h.Done = (valueAt(came, owed.At[last])-valueAt(came, owed.At[first]))/passed - h.Growth
}

// others returns the share of a hop's connections, on average, that do not come from the hop
// before it; 0 without connections.
func others(at *hops.Hop, callers []netip.Addr, since waiting.Span) float64 {
	all, of := 0.0, 0.0
	for _, x := range at.Instances {
		for addr, t := range x.Taken {
			n := mean(t.Between(since.From, since.To))
			all += n
			if !slices.Contains(callers, addr) {
				of += n
			}
		}
	}
	if all == 0 {
		return 0
	}
	return of / all
}

// rate returns by how much a counter grew a second within a span, evenly between two readings;
// NaN where the readings cover less than a second, or too little of the span.
func rate(t hops.Track, s waiting.Span) float64 {
	const covered = 0.4 // of the span
	if len(t.At) < 2 {
		return math.NaN()
	}
	from, to := math.Max(s.From, t.At[0]), math.Min(s.To, t.At[len(t.At)-1])
	if to-from < 1 || to-from < covered*(s.To-s.From) {
		return math.NaN()
	}
	return (valueAt(t, to) - valueAt(t, from)) / (to - from)
}

// rateOf returns what the client sent a second within a span; NaN for less than a second.
func rateOf(sent Sent, s waiting.Span) float64 {
	if s.To-s.From < 1 {
		return math.NaN()
	}
	return sent(s.From, s.To) / (s.To - s.From)
}

// valueAt returns a counter at a time, linear between readings.
func valueAt(t hops.Track, at float64) float64 {
	i, found := slices.BinarySearch(t.At, at)
	switch {
	case found:
		return t.Value[i]
	case i == 0:
		return t.Value[0]
	case i == len(t.At):
		return t.Value[i-1]
	}
	part := (at - t.At[i-1]) / (t.At[i] - t.At[i-1])
	return t.Value[i-1] + part*(t.Value[i]-t.Value[i-1])
}

// mean is 0 without a value.
func mean(v []float64) float64 {
	n := 0.0
	for _, x := range v {
		n += x
	}
	return n / math.Max(1, float64(len(v)))
}
