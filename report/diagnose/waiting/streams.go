package waiting

import (
	"fmt"
	"math"
	"slices"

	"github.com/rampload/rampload/report/diagnose/hops"
	"github.com/rampload/rampload/report/format"
)

// Streams is what was seen of HTTP/2 connections to the next hop while requests failed.
type Streams struct {
	Connections, Limit float64 // Limit: streams at once on one connection; 0: not known
	// Answered and AnsweredBefore are how many streams began to be answered in a second, NaN
	// where none were looked at.
	Answered, AnsweredBefore float64
	Passed                   float64 // seconds in which later streams were answered while the oldest waited
}

// streamsOf adds up what was seen of the connections of all that ask a hop; nil where one of
// them was not seen to speak HTTP/2.
func streamsOf(asked []*hops.Peer, now, before []Span) *Streams {
	if len(asked) == 0 || len(now) == 0 || slices.ContainsFunc(asked, func(p *hops.Peer) bool { return p.Streams == nil }) {
		return nil
	}
	out := &Streams{Answered: math.NaN(), AnsweredBefore: math.NaN()}
	for _, p := range asked {
		out.Connections += float64(p.Streams.Connections)
		out.Limit = math.Max(out.Limit, p.Streams.Limit)
		out.Answered = hops.Sum(out.Answered, mean(between(p.Streams.Answered, now)))
		out.AnsweredBefore = hops.Sum(out.AnsweredBefore, mean(between(p.Streams.Answered, before)))
		out.Passed = math.Max(out.Passed, passed(p.Streams, now))
	}
	return out
}

// passed returns in how many seconds, up to the end of some time, streams were answered while
// an older one had waited for long: they came later, and did not wait for it.
func passed(s *hops.Streams, now []Span) float64 {
	const long, before = 2.0, 20.0 // seconds
	n := 0.0
	for i, at := range s.Oldest.At {
		if at > now[len(now)-1].To || at < now[0].From-before || s.Oldest.Value[i] < long {
			continue
		}
		if s.Answered.Near(at) >= 1 {
			n++
		}
	}
	return n
}

// streams returns the next hop to whose connections all streams are in use, while more
// requests were read than have one: those wait for a stream. Who holds them is not stuck, as
// later streams were answered while the oldest had waited for long. A hop that stands still
// answers none, and then those that have a stream wait for it as well.
func (s *Step) streams() *Behind {
	for i := range s.Behind {
		b := &s.Behind[i]
		if b.Streams == nil || b.Streams.Passed < 3 || !(b.Oldest >= 2) {
			continue
		}
		if b.full() && s.Now.Served() >= 1.2*b.Requests && s.Now.Served() >= b.Requests+2 {
			return b
		}
	}
	return nil
}

// full reports whether all streams that may be open are. Where it was not seen how many that
// is, far more are than before failures: those that were open then already, as subscriptions
// are, took nobody's place.
func (b *Behind) full() bool {
	const few = 8
	switch {
	case b.Streams == nil || !(b.Requests >= few):
		return false
	case b.Streams.Limit == 0:
		return finite(b.RequestsBefore) < mostOf*b.Requests
	}
	return b.Requests >= 0.9*b.Streams.Limit*b.Streams.Connections
}

// silent reports whether next to nothing that is asked on streams is answered any more, where
// much was: whoever asks gives it up, and what it asks next is not answered either.
func (b *Behind) silent() bool {
	return b.Streams != nil && b.Requests >= 1 && b.Streams.AnsweredBefore >= 1 && b.Streams.Answered <= 0.05*b.Streams.AnsweredBefore
}

// streamsText says which streams are in use.
func (b *Behind) streamsText() string {
	text := format.Counted(b.Requests, "stream") + " of " + format.Counted(b.Streams.Connections, "connection")
	if b.Streams.Limit > 0 {
		text += fmt.Sprintf(" (HTTP/2, %s at most on each)", format.Number(b.Streams.Limit))
	} else {
		text += " (HTTP/2)"
	}
	return fmt.Sprintf("%s to %s, the oldest open for %s, while later ones were answered", text, b.Hop.Place(), format.Seconds(b.Oldest))
}
