package waiting

import (
	"math"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose/hops"
)

// answersOn reports whether a hop goes on answering, told by what its host sends. Where each request
// has a connection of its own, an answer is gone before the sockets are read again. But requests end
// at the hop, and its host sends about as many bytes for each that ends as before. A caller that
// gives up ends a request too, and gets handshake and end of the connection alone.
func (r *reader) answersOn(h *hops.Hop, now, before []Span) bool {
	const (
		few  = 8   // requests that ended, below which a byte count says little
		as   = 0.8 // of the bytes before
		more = 1.5 // times the bytes before: then the host sends something else
	)
	ended, each := r.sent(h, laterHalf(now)) // threads may come to stand one after the other
	_, eachBefore := r.sent(h, before)
	return ended >= few && eachBefore > 0 && each >= as*eachBefore && each <= more*eachBefore
}

// laterHalf returns the second half of the time that spans take.
func laterHalf(spans []Span) []Span {
	half := length(spans) / 2
	var out []Span
	for i := len(spans) - 1; i >= 0; i-- {
		s := spans[i]
		s.From = math.Max(s.From, s.To-(half-length(out)))
		if s.To > s.From {
			out = append([]Span{s}, out...)
		}
	}
	return out
}

// length is how many seconds spans take.
func length(spans []Span) float64 {
	sum := 0.0
	for _, s := range spans {
		sum += s.To - s.From
	}
	return sum
}

// sent returns how many requests ended at a hop, and how many bytes its hosts sent for each; NaN where
// that is not measured.
func (r *reader) sent(h *hops.Hop, spans []Span) (ended, each float64) {
	ends, bytes := 0.0, 0.0
	for _, x := range h.Instances {
		ends += rate(x.Tracks[probe.Arrived], spans) - finite(rate(x.Tracks[probe.Owed], spans))
		sum := math.NaN()
		for i := range r.log.Series {
			if m := r.log.Series[i].Metric; m.Name == probe.NetSent && m.Host == x.Host && m.Process == "" && m.Instance != "lo" {
				sum = hops.Sum(sum, growth(&r.log.Series[i], spans))
			}
		}
		bytes += sum
	}
	if !(ends > 0) {
		return 0, math.NaN()
	}
	return ends * length(spans), bytes / ends
}
