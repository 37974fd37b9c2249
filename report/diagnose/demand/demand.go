// Package demand says how many requests come to a hop for each one that the client sends,
// before failures and since. Those before a hop that try again multiply what comes to it:
// what it bore before can then be too much though the client sends no more. It names no cause.
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

// Sent returns how many requests the client sent in some time.
type Sent func(from, to float64) float64

// Hop is what came to one hop, in requests a second, and what the client sent in the same
// times. NaN is not known.
//
// The kernel counts segments of data at the listener, so that only comparing with before
// tells anything. At a hop that asks others it also counts answers that come too late for
// anybody: what came is less then. Whoever asks is seen to ask on connections that last, so
// that what came is more.
type Hop struct {
	Place            string
	Listener, Askers Came
	Last             bool // it asks nobody
	SentBefore, Sent float64

	Growth, Done float64 // since: what stood there grew by, and what it ended, a second
	DoneLeast    float64 // of any two readings between which what stood there grew
	Grew         int     // times between two readings in which it grew
}

// Came is what one of the two counted.
type Came struct{ Before, Since float64 }

// Of reads what came to a hop. Of what others than those before it ask nothing is known of
// the client's load, so that a hop which has many connections from elsewhere is not told; and
// requests of HTTP/2 are not counted.
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

// fewOthers is which share of the connections of a hop may be of others.
const fewOthers = 0.2

// Times returns how many times as much comes for each request sent as did before, at least
// and at most. Of a hop that only some requests came to, as one behind a cache, it is how
// many come for each: that all of them come now is nobody's trying again. NaN is not known.
func (h Hop) Times() (least, most float64) {
	least, most = h.times(h.Askers), h.times(h.Listener)
	if h.Last && !math.IsNaN(most) {
		least = most
	}
	return least, most
}

func (h Hop) times(c Came) float64 {
	const enough = 2.0 // requests a second
	if !(h.SentBefore >= enough && h.Sent >= enough && c.Before >= enough && c.Since >= 0) {
		return math.NaN()
	}
	return c.Since / h.Sent / math.Max(1, c.Before/h.SentBefore)
}

// Overrun reports whether a hop ended at least as much as was sent to it before, and as the
// client sends now, whenever more came than it ended: asked once for each request it would
// keep up. One that takes long for each ends nothing until that time is over.
func (h Hop) Overrun() bool {
	const part = 0.9
	return h.Grew >= 2 && h.DoneLeast >= part*h.Listener.Before && h.Done >= part*h.Sent && h.Growth > 0
}

// Text says what came.
func (h Hop) Text() string {
	c, as := h.Listener, ""
	if least, most := h.Times(); math.IsNaN(most) || !h.Last && least >= 1.2 {
		c, as = h.Askers, "at least "
	}
	return fmt.Sprintf("%s%s came to %s for %s that the client sent, %s for %s before",
		as, perSecond(c.Since), h.Place, perSecond(h.Sent), perSecond(c.Before), perSecond(h.SentBefore))
}

func perSecond(v float64) string { return format.Number(math.Round(v)) + "/s" }

// stood reads how what stood at a hop grew, and what it ended meanwhile: what came and does
// not stand there any more.
func (h *Hop) stood(at *hops.Hop, since waiting.Span) {
	const apart = 0.9 // seconds; readings nearer to each other say little of a rate
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
			if grew >= 0.1*n && n > 0 {
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

// others returns which share of the connections of a hop are not of those before it, at most
// times; 0 where nobody else has any.
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

// rate returns by how much a total grew in a second over some time, NaN with too few
// readings. What is between two readings is divided evenly.
func rate(t hops.Track, s waiting.Span) float64 {
	if len(t.At) < 2 {
		return math.NaN()
	}
	from, to := math.Max(s.From, t.At[0]), math.Min(s.To, t.At[len(t.At)-1])
	if to-from < 1 || to-from < 0.4*(s.To-s.From) {
		return math.NaN()
	}
	return (valueAt(t, to) - valueAt(t, from)) / (to - from)
}

func rateOf(sent Sent, s waiting.Span) float64 {
	if s.To-s.From < 1 {
		return math.NaN()
	}
	return sent(s.From, s.To) / (s.To - s.From)
}

// valueAt returns a total at a time, between readings linear.
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

func mean(v []float64) float64 {
	n := 0.0
	for _, x := range v {
		n += x
	}
	return n / math.Max(1, float64(len(v)))
}
