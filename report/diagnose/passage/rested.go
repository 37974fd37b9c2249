package passage

import (
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/gather"
	"github.com/rampload/rampload/report/diagnose/hops"
	"github.com/rampload/rampload/report/diagnose/waiting"
	"github.com/rampload/rampload/report/format"
)

// Rested asks whether requests to the next hop are lost on connections that had rested: just before,
// the hop asked for less than half as much as it has connections, so that most of them carried nothing. It
// goes on asking on the others, so that those are answered.
func Rested(c *evidence.Case, f *evidence.Facts, h evidence.Hop) {
	const (
		least = 3.0  // seconds; a shorter rest is no rest
		most  = 60.0 // seconds
		step  = 1.0
	)
	s := gather.StepAt(c, h)
	if s == nil || s.To == nil {
		return
	}
	b := s.To
	if !(b.Resent >= 2) || b.Resent >= b.Connections || b.Resent < 0.3*b.Connections || !(b.Asked >= 1) {
		return
	}
	began := lostSince(b, c.Way.From)
	rested, carried := 0.0, 0.0
	for t := least; t <= most && began-t > 0; t += step {
		asked := 0.0
		for _, p := range b.Hop.Asked {
			asked += grew(p.Tracks[probe.Asked], began-t, began)
		}
		if asked > 0.5*b.Connections {
			break
		}
		rested, carried = t, asked
	}
	if rested > 0 {
		if c.IdleFrom == 0 {
			c.IdleFrom = rested
		}
		f.SetAt(evidence.RestedLost, evidence.Yes, c.Way.From, "sockets", "requests are lost on %s of %s to %s, which had carried %s in the %s before; the others go on",
			format.Number(b.Resent), format.Counted(b.Connections, "connection"), b.Hop.Place(), format.Counted(carried, "request"), format.Seconds(rested))
	}
}

// lostSince returns when the sockets were last read before requests to a hop were sent again, at a time or
// before it.
func lostSince(b *waiting.Behind, at float64) float64 {
	since := at
	for _, p := range b.Hop.Asked {
		t := p.Tracks[probe.Unacknowledged]
		for i := len(t.At) - 1; i >= 0; i-- {
			if t.At[i] <= at && t.Value[i] == 0 {
				since = min(since, t.At[i])
				break
			}
		}
	}
	return since
}

// grew returns by how much a total grew between two times, as far as it was read.
func grew(t hops.Track, from, to float64) float64 {
	first, last := -1, -1
	for i, at := range t.At {
		if at <= from {
			first = i
		}
		if at <= to {
			last = i
		}
	}
	if first < 0 {
		first = 0
	}
	if last <= first {
		return 0
	}
	return t.Value[last] - t.Value[first]
}
