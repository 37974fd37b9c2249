package waiting

import (
	"fmt"
	"math"
	"slices"

	"github.com/rampload/rampload/report/diagnose/hops"
	"github.com/rampload/rampload/report/format"
)

// Streams is what was seen of the HTTP/2 connections to the next hop while requests failed.
type Streams struct {
	Connections float64
	Limit       float64 // streams that may be open at once on one connection; 0: not known
	Share       float64 // the smallest share of the connections that was followed; 1: all were
	// Answered and AnsweredBefore are the streams a second whose answer began, now and before
	// the failures; NaN where no streams were looked at.
	Answered, AnsweredBefore float64
	Passed                   float64 // seconds in which later streams were answered while the oldest waited
}

// streamsOf adds up the HTTP/2 connections of all peers that ask a hop; nil where one of the
// peers was not seen to speak HTTP/2.
func streamsOf(asked []*hops.Peer, now, before []Span) *Streams {
	if len(asked) == 0 || len(now) == 0 || slices.ContainsFunc(asked, func(p *hops.Peer) bool { return p.Streams == nil }) {
		return nil
	}
	out := &Streams{Share: 1, Answered: math.NaN(), AnsweredBefore: math.NaN()}
	for _, p := range asked {
		out.Connections += float64(p.Streams.Connections)
		out.Share = math.Min(out.Share, p.Streams.Share)
		out.Limit = math.Max(out.Limit, p.Streams.Limit)
		out.Answered = hops.Sum(out.Answered, mean(between(p.Streams.Answered, now)))
		out.AnsweredBefore = hops.Sum(out.AnsweredBefore, mean(between(p.Streams.Answered, before)))
		out.Passed = math.Max(out.Passed, passed(p.Streams, now))
	}
	return out
}

// passed counts the seconds in which streams were answered while an older one had waited for
// long: the later ones did not wait for what the old one waits for. It counts from shortly
// before the failures until their end; streams have one reading a second.
func passed(s *hops.Streams, now []Span) float64 {
	const long, before = 2.0, 20.0 // seconds: the wait of the old one; how far back it counts
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

// streams returns the next hop whose HTTP/2 connections have all their streams in use, while
// this hop has read more requests than have a stream: the rest wait for one. Nil for none. The
// next hop must still answer later streams while the oldest waits. One that stands still
// answers none, and then the streams are in use only because everybody waits for it.
func (s *Step) streams() *Behind {
	const (
		leastPassed = 3 // seconds; fewer may be answers that were on their way already
		leastOldest = 2 // seconds
	)
	for i := range s.Behind {
		b := &s.Behind[i]
		if b.Streams == nil || b.Streams.Passed < leastPassed || !(b.Oldest >= leastOldest) {
			continue
		}
		moreInside := s.Now.Served() >= 1.2*b.Requests && s.Now.Served() >= b.Requests+2
		if b.full() && moreInside {
			return b
		}
	}
	return nil
}

// full reports whether all streams that may be open are. Where the limit is not known, far
// more must be open than before the failures: streams that were open all along, such as
// subscriptions, left room for the others.
func (b *Behind) full() bool {
	const few = 8 // so few open streams show no limit: RFC 9113 §6.5.2 advises servers to allow 100 or more
	switch {
	case b.Streams == nil || !(b.Requests >= few):
		return false
	case b.Streams.Limit == 0:
		return finite(b.RequestsBefore) < mostOf*b.Requests
	}
	return b.Requests >= 0.9*b.Streams.Limit*b.Streams.Connections
}

// silent reports whether next to no stream is answered any more, though many were. The caller
// gives streams up and opens others, so their number and age alone do not show it.
func (b *Behind) silent() bool {
	return b.Streams != nil && b.Requests >= 1 && b.Streams.AnsweredBefore >= 1 && b.Streams.Answered <= 0.05*b.Streams.AnsweredBefore
}

// streamsText says which streams are in use: "100 streams of 1 connection (HTTP/2, 100 at most
// on each) to api:8080, the oldest open for 8 s, while later ones were answered".
func (b *Behind) streamsText() string {
	text := format.Counted(b.Requests, "stream") + " of " + format.Counted(b.Streams.Connections, "connection")
	if b.Streams.Share < 1 { // estimated from a part of them
		text = "about " + text
	}
	if b.Streams.Limit > 0 {
		text += fmt.Sprintf(" (HTTP/2, %s at most on each)", format.Number(b.Streams.Limit))
	} else {
		text += " (HTTP/2)"
	}
	return fmt.Sprintf("%s to %s, the oldest open for %s, while later ones were answered", text, b.Hop.Place(), format.Seconds(b.Oldest))
}
