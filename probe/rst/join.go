package rst

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/rampload/rampload/probe"
)

// PeerTolerance is how far apart the sending and the arrival of a RST between
// two namespaces of one machine may lie, either way: the kernel reports an
// aborting socket's RST after it has gone out, so it may arrive before.
const PeerTolerance = 5 * time.Millisecond

// FillPeers completes RSTSent events that a listener sent: for these the kernel
// does not report the peer (Remote is unspecified, and so is Local.Addr if the
// listener is bound to any address). The peer is taken from the RSTReceived or
// RSTPacket event of the same port nearest in time within the tolerance, each
// used once and only if no other RSTSent event accounts for it. Events need no
// order; they are changed in place. It returns how many were completed.
//
// RSTPacket events are a peer only as seen by the sender's host or by the
// receiver: their ends are compared by address, never by Host.
func FillPeers(events []probe.Event, tolerance time.Duration) int {
	sent := map[tuple][]time.Duration{}
	byPort := map[uint16][]arrival{}
	open := 0
	for _, e := range events {
		from, to := direction(e)
		switch {
		case e.Kind == probe.RSTSent && peerless(e):
			open++
		case e.Kind == probe.RSTSent:
			sent[tuple{from, to}] = append(sent[tuple{from, to}], e.At)
		case e.Kind == probe.RSTReceived, e.Kind == probe.RSTPacket:
			byPort[from.Port()] = append(byPort[from.Port()], arrival{at: e.At, tuple: tuple{from, to}})
		}
	}
	if open == 0 {
		return 0
	}
	for _, list := range byPort {
		slices.SortFunc(list, func(a, b arrival) int { return cmp.Compare(a.at, b.at) })
	}
	filled := 0
	for i := range events {
		e := &events[i]
		if e.Kind != probe.RSTSent || !peerless(*e) {
			continue
		}
		list := byPort[e.Local.Port()]
		if k := nearest(list, sent, *e, tolerance); k >= 0 {
			e.Local, e.Remote = list[k].from, list[k].to
			list[k].used = true
			// The packet of the same RST may have been captured too.
			for n := range list {
				if list[n].tuple == list[k].tuple && (list[n].at-list[k].at).Abs() <= tolerance {
					list[n].used = true
				}
			}
			filled++
		}
	}
	return filled
}

type tuple struct{ from, to netip.AddrPort }

// arrival is a RST that was seen to arrive, or on the wire.
type arrival struct {
	at time.Duration
	tuple
	used bool
}

// direction returns the ends of a RST in the order in which it travelled.
func direction(e probe.Event) (from, to netip.AddrPort) {
	if e.Kind == probe.RSTReceived || e.Kind == probe.RSTPacket && e.Packet != nil && e.Packet.FromPeer {
		return e.Remote, e.Local
	}
	return e.Local, e.Remote
}

func peerless(e probe.Event) bool {
	return e.Local.Port() != 0 && (!e.Remote.IsValid() || e.Remote.Port() == 0)
}

// nearest finds the arrival for a RST of a listener, or -1.
func nearest(list []arrival, sent map[tuple][]time.Duration, e probe.Event, tolerance time.Duration) int {
	best, distance := -1, tolerance+1
	first, _ := slices.BinarySearchFunc(list, e.At-tolerance, func(a arrival, t time.Duration) int { return cmp.Compare(a.at, t) })
	for k := first; k < len(list) && list[k].at <= e.At+tolerance; k++ {
		a := list[k]
		bound := e.Local.Addr()
		if a.used || bound.IsValid() && !bound.IsUnspecified() && bound != a.from.Addr() {
			continue
		}
		if slices.ContainsFunc(sent[a.tuple], func(at time.Duration) bool { return (at - a.at).Abs() <= tolerance }) {
			continue
		}
		if d := (a.at - e.At).Abs(); d < distance {
			best, distance = k, d
		}
	}
	return best
}
