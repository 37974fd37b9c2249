package kernel

import (
	"math"
	"net/netip"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/internal/sockdiag"
)

// maxListeners bounds the listeners that are watched; the first ones seen stay.
const maxListeners = 64

// listeners holds the listeners of one reading, by address. Sockets that share
// an address (SO_REUSEPORT, or IPv4 and IPv6 wildcard) are one listener.
type listeners struct {
	byAddr map[netip.AddrPort]*listener
	order  []*listener // as first seen
	ports  map[uint16]*listener
}

type listener struct {
	name            string
	open            bool    // seen in this reading
	queued, backlog float64 // of its fullest socket
	backlogs        float64 // of all its sockets
	half, estab     float64
}

func (ls *listeners) reset() {
	if ls.byAddr == nil {
		ls.byAddr, ls.ports = map[netip.AddrPort]*listener{}, map[uint16]*listener{}
	}
	for _, l := range ls.order {
		l.open, l.half, l.estab = false, 0, 0
	}
	clear(ls.ports)
}

// add adds a listening socket.
func (ls *listeners) add(s sockdiag.Socket) {
	addr := s.Local
	if addr.Addr().IsUnspecified() {
		addr = netip.AddrPortFrom(netip.IPv4Unspecified(), addr.Port())
	}
	l := ls.byAddr[addr]
	if l == nil {
		if len(ls.order) >= maxListeners {
			if _, known := ls.ports[addr.Port()]; !known {
				ls.ports[addr.Port()] = nil // still no ephemeral port
			}
			return
		}
		l = &listener{name: instance(addr)}
		ls.byAddr[addr] = l
		ls.order = append(ls.order, l)
	}
	queued, backlog := float64(s.Queued), float64(s.Backlog)
	if !l.open {
		l.open, l.queued, l.backlog, l.backlogs = true, queued, backlog, backlog
	} else {
		l.backlogs += backlog
		if queued*max(l.backlog, 1) > l.queued*max(backlog, 1) {
			l.queued, l.backlog = queued, backlog
		}
	}
	if ls.ports[addr.Port()] == nil || addr.Addr().IsUnspecified() {
		ls.ports[addr.Port()] = l
	}
}

// of returns the listener that a connection came in on, nil if there is none.
func (ls *listeners) of(s sockdiag.Socket) *listener {
	if l := ls.byAddr[s.Local]; l != nil && l.open {
		return l
	}
	return ls.ports[s.Local.Port()]
}

func (ls *listeners) onPort(port uint16) bool {
	_, ok := ls.ports[port]
	return ok
}

func (ls *listeners) halfOpen(s sockdiag.Socket) {
	if l := ls.of(s); l != nil {
		l.half++
	}
}

func (ls *listeners) established(s sockdiag.Socket) {
	if l := ls.of(s); l != nil {
		l.estab++
	}
}

func (ls *listeners) emitQueues(o Options, emit func(probe.Reading)) {
	for _, l := range ls.order {
		if l.open {
			emit(probe.Reading{Metric: o.metric(probe.ListenQueue, l.name), Value: l.queued, Limit: l.backlog})
		}
	}
}

func (ls *listeners) emitHalfOpen(o Options, synBacklog float64, emit func(probe.Reading)) {
	for _, l := range ls.order {
		if l.open {
			emit(probe.Reading{Metric: o.metric(probe.SynQueue, l.name), Value: l.half, Limit: math.Min(l.backlogs, synBacklog)})
		}
	}
}

func (ls *listeners) emitEstablished(o Options, emit func(probe.Reading)) {
	for _, l := range ls.order {
		if l.open {
			emit(probe.Reading{Metric: o.metric(probe.Established, l.name), Value: l.estab, Limit: probe.NoLimit()})
		}
	}
}
