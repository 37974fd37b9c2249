package hops

import (
	"math"
	"net/netip"
	"slices"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/runlog"
)

// Streams is what was seen of all HTTP/2 connections from one host to one address. Where only a
// share of the connections was followed, what was seen of those is divided by the share.
type Streams struct {
	Open        Track   // streams without an answer
	Oldest      Track   // the age of the oldest that was seen, in seconds
	Answered    Track   // streams a second whose answer began
	Limit       float64 // streams that may be open at once on one connection; 0: not known
	Connections int     // at most at one time
	Share       float64 // the smallest share of the connections that was followed; 1: all were
}

// between is a client's address and the address that it asks.
type between struct {
	from netip.Addr
	to   netip.AddrPort
}

// streams reads the events of HTTP/2 connections, by their ends.
func streams(log *runlog.Log) map[between]*Streams {
	out := map[between]*Streams{}
	connections := map[between]*Track{}
	shares := map[string]float64{} // by host
	for _, e := range log.Events {
		switch e.Kind {
		case probe.StreamsShare:
			if e.Value > 0 && e.Value <= 1 {
				shares[e.Host] = e.Value
			}
			continue
		case probe.StreamsOpen, probe.StreamsAnswered:
		default:
			continue
		}
		key := between{e.Remote.Addr().Unmap(), netip.AddrPortFrom(e.Local.Addr().Unmap(), e.Local.Port())}
		s := out[key]
		if s == nil {
			s = &Streams{Share: 1}
			out[key], connections[key] = s, &Track{}
		}
		of := 1.0 // connections that this one stands for
		if share, known := shares[e.Host]; known {
			of, s.Share = 1/share, min(s.Share, share)
		}
		at := e.At.Seconds()
		if e.Kind == probe.StreamsAnswered {
			s.Answered.put(at, of*float64(e.Count), false)
			s.Limit = max(s.Limit, e.Value)
			continue
		}
		s.Open.put(at, of*float64(e.Count), false)
		s.Oldest.put(at, e.Value, true)
		connections[key].put(at, of, false)
	}
	for key, s := range out {
		s.Connections = int(math.Round(slices.Max(append(connections[key].Value, 0))))
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
