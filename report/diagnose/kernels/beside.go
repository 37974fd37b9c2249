package kernels

import (
	"fmt"
	"math"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/format"
)

// Beside is what a packet filter of a watched host drops of another one's, on no connection
// of the target: of a replication, of heartbeats, of a look-up.
type Beside struct {
	Host, From string
	Count      float64
	First      float64 // seconds
}

// Text says what was dropped.
func (b Beside) Text() string {
	return fmt.Sprintf("a packet filter of %s drops what %s sends it, from %s on, and did not before: %s", b.Host, b.From, format.Seconds(b.First), format.Counted(b.Count, "packet"))
}

// legs are the ports at which each hop is asked.
type legs []map[uint16]bool

func legsOf(c *evidence.Case) (out legs) {
	for _, h := range c.Hops {
		out = append(out, evidence.PortsOf(c, h))
	}
	return out
}

// holds reports whether a packet is of a connection from one hop to the next.
func (l legs) holds(c *evidence.Case, e probe.Event) bool {
	for i, h := range c.Hops[1:] {
		ports := l[i+1]
		to, from := e.Local, e.Remote
		if !ports[to.Port()] {
			to, from = from, to
		}
		if ports[to.Port()] && h.Has(c.Run.HostOf(to.Addr())) && c.Hops[i].Has(c.Run.HostOf(from.Addr())) {
			return true
		}
	}
	return false
}

// DroppedBeside returns what filters began to drop between two watched hosts just when faults
// began, and went on dropping; Count 0: nothing.
func DroppedBeside(c *evidence.Case) (most Beside) {
	const (
		around = 2.0 // seconds
		lasts  = 5.0
		least  = 5
	)
	if c.Onset.Status != evidence.Found {
		return most
	}
	way := legsOf(c)
	type pair struct{ host, from string }
	last, found := map[pair]float64{}, map[pair]*Beside{}
	for _, e := range c.Run.Log.Events {
		if e.Kind != probe.PacketDrop || e.Reason != "NETFILTER_DROP" || evidence.ServesOther(c, e.Host) {
			continue
		}
		if way.holds(c, e) {
			continue
		}
		p := pair{e.Host, c.Run.HostOf(e.Remote.Addr())}
		if p.from == "" || p.from == e.Host || p.from == evidence.LocalHost {
			continue
		}
		if found[p] == nil {
			found[p] = &Beside{Host: p.host, From: p.from, First: math.Inf(1)}
		}
		found[p].Count += float64(max(e.Count, 1))
		found[p].First = min(found[p].First, e.At.Seconds())
		last[p] = max(last[p], e.At.Seconds())
	}
	for p, b := range found {
		if b.First >= c.Onset.At.Low-around && b.First <= c.At+around && last[p] >= b.First+lasts && b.Count >= least &&
			(b.Count > most.Count || b.Count == most.Count && b.Host+b.From < most.Host+most.From) {
			most = *b
		}
	}
	return most
}
