// Package neighbours watches whose hardware address stands for an IP address: the
// kernel's table of neighbours (ARP, neighbour discovery) and the addresses that a host
// has itself. An address that goes from one machine to another, and back, is held by two.
//
// It sends nothing and asks nobody: it reads what the kernel learned by the traffic that
// there is anyway, and needs no privilege. Neighbours behind a router are not seen; the
// router's own are, where it is watched.
package neighbours

import (
	"net/netip"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/internal/netns"
)

// Options say where a [Watcher] looks. Clock is required.
type Options struct {
	// Clock is the run's time base.
	Clock probe.Clock
	// Host names the watched host in events; empty: "local".
	Host string
	// Namespace is the network namespace to watch; the zero value is rampload's own.
	Namespace netns.Namespace
}

func (o Options) host() string {
	if o.Host == "" {
		return "local"
	}
	return o.Host
}

func (o Options) source() probe.Source { return probe.Source{Host: o.host(), Name: "neighbours"} }

// Bounds of what is kept and told. A table of neighbours holds 1,024 by default
// (net.ipv4.neigh.default.gc_thresh3).
const (
	maxNeighbours = 8192
	maxChanges    = 5000 // told in a run
	maxHeld       = 256
)

// place is an address as one interface sees it: two networks may both have it.
type place struct {
	device int32
	addr   netip.Addr
}

// table remembers which hardware address a neighbour had last, also while the kernel has
// forgotten it: what comes back with another one has changed.
type table struct {
	last map[place]string
	told int
	lost uint64 // changes that were not told any more
}

// learn takes what the kernel says of a neighbour and returns the hardware address that
// it had before; ok is true where it is another one now.
func (t *table) learn(at place, hardware string) (before string, ok bool) {
	if hardware == "" {
		return "", false
	}
	before, known := t.last[at]
	if !known && len(t.last) >= maxNeighbours {
		return "", false
	}
	t.last[at] = hardware
	if !known || before == hardware {
		return "", false
	}
	if t.told++; t.told > maxChanges {
		t.lost++
		return "", false
	}
	return before, true
}

var _ probe.Watcher = (*Watcher)(nil)
