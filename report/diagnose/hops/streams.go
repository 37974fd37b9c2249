package hops

import (
	"math"
	"net/netip"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/runlog"
)

// Streams is what was seen of all HTTP/2 connections from one host to one address.
type Streams struct {
	Open        Track   // streams without an answer
	Oldest      Track   // the age of the oldest of them, in seconds
	Answered    Track   // streams a second whose answer began
	Limit       float64 // streams that may be open at once on one connection; 0: not known
	Connections int     // that were seen, at any time
}

// between is a client's address and the address that it asks.
type between struct {
	from netip.Addr
	to   netip.AddrPort
}

// streams reads the events of HTTP/2 connections, by their ends.
func streams(log *runlog.Log) map[between]*Streams {
	out := map[between]*Streams{}
	seen := map[[2]netip.AddrPort]bool{}
	for _, e := range log.Events {
		if e.Kind != probe.StreamsOpen && e.Kind != probe.StreamsAnswered {
			continue
		}
		key := between{e.Remote.Addr().Unmap(), netip.AddrPortFrom(e.Local.Addr().Unmap(), e.Local.Port())}
		s := out[key]
		if s == nil {
			s = &Streams{}
			out[key] = s
		}
		if ends := [2]netip.AddrPort{e.Local, e.Remote}; !seen[ends] {
			seen[ends] = true
			s.Connections++
		}
		at := e.At.Seconds()
		if e.Kind == probe.StreamsAnswered {
			s.Answered.put(at, float64(e.Count), false)
			s.Limit = max(s.Limit, e.Value)
			continue
		}
		s.Open.put(at, float64(e.Count), false)
		s.Oldest.put(at, e.Value, true)
	}
	return out
}

// put adds a reading. Of several readings at one time it keeps the largest or the sum.
func (t *Track) put(at, v float64, largest bool) {
	k := len(t.At) - 1
	switch {
	case k < 0 || at-t.At[k] > sameTime:
		t.At, t.Value = append(t.At, at), append(t.Value, v)
	case largest:
		t.Value[k] = max(t.Value[k], v)
	default:
		t.Value[k] += v
	}
}

// multiplex counts the requests on HTTP/2 connections by their streams. Sockets show at most one
// request on a connection, and its age only since the last packet. The streams have no median
// age: half the age of the oldest stands for it.
func (g *Graph) multiplex(log *runlog.Log) {
	all := streams(log)
	for key, s := range all {
		for _, p := range g.Peers {
			if p.Addr.Addr().Unmap() == key.to.Addr() && p.Addr.Port() == key.to.Port() && g.owns(p.space, key.from) {
				p.Streams = s
				p.Tracks[probe.Awaiting], p.Tracks[probe.AwaitingOldest], p.Tracks[probe.AwaitingMedian] = s.Open, s.Oldest, half(s.Oldest)
			}
		}
		for _, x := range g.Services {
			if x.Addr.Port() == key.to.Port() && g.owns(x.space, key.to.Addr()) {
				x.Multiplexed = true
				x.owes(s)
			}
		}
	}
}

// owes raises the requests that a service owes to the number of its open streams, where that is
// more than its sockets show.
func (x *Service) owes(s *Streams) {
	owed, oldest, median := x.Tracks[probe.Owed], x.Tracks[probe.OwedOldest], x.Tracks[probe.OwedMedian]
	for i, at := range owed.At {
		if n := s.Open.Near(at); n > owed.Value[i] {
			owed.Value[i] = n
			raise(oldest, at, s.Oldest.Near(at))
			raise(median, at, s.Oldest.Near(at)/2)
		}
	}
}

// raise makes the reading at a time at least v.
func raise(t Track, at, v float64) {
	for i, x := range t.At {
		if math.Abs(x-at) <= sameTime && v > t.Value[i] {
			t.Value[i] = v
		}
	}
}

// half returns a track of half the values.
func half(t Track) Track {
	out := Track{At: t.At, Value: make([]float64, len(t.Value))}
	for i, v := range t.Value {
		out.Value[i] = v / 2
	}
	return out
}
