package rst

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/rampload/rampload/probe"
)

// PeerTolerance is how long a RST of a listener takes at most to another
// namespace of this machine.
const PeerTolerance = 2 * time.Millisecond

// packetSlack is by how much a packet's converted time may be early.
const packetSlack = 50 * time.Microsecond

// FillPeers completes RSTSent events that a listener sent: for these the kernel
// does not report the peer (Remote is unspecified, and so is Local.Addr if the
// listener is bound to any address). The kernel reports them before the RST goes
// out, so the peer is taken from the first RSTReceived or RSTPacket event of the
// same port after it, within the tolerance, that no other RSTSent event accounts
// for. That is exact with the packets captured on the sender's host; without them
// it is a guess where several listeners' RSTs are under way at once. Events need
// no order; they are changed in place. It returns how many were completed.
func FillPeers(events []probe.Event, tolerance time.Duration) int {
	sent := map[tuple][]time.Duration{}
	byPort := map[uint16][]arrival{}
	var open []int
	for i, e := range events {
		from, to := direction(e)
		switch {
		case e.Kind == probe.RSTSent && peerless(e):
			open = append(open, i)
		case e.Kind == probe.RSTSent:
			sent[tuple{from, to}] = append(sent[tuple{from, to}], e.At)
		case e.Kind == probe.RSTReceived, e.Kind == probe.RSTPacket:
			by := observer{e.Kind, e.Host}
			byPort[from.Port()] = append(byPort[from.Port()], arrival{at: e.At, tuple: tuple{from, to}, by: by})
		}
	}
	if len(open) == 0 {
		return 0
	}
	for _, list := range byPort {
		slices.SortStableFunc(list, func(a, b arrival) int { return cmp.Compare(a.at, b.at) })
	}
	slices.SortStableFunc(open, func(a, b int) int { return cmp.Compare(events[a].At, events[b].At) })
	filled := 0
	for _, i := range open {
		e := &events[i]
		list := byPort[e.Local.Port()]
		if k := next(list, sent, *e, tolerance); k >= 0 {
			e.Local, e.Remote = list[k].from, list[k].to
			use(list, k, tolerance)
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
	by   observer
	used bool
}

type observer struct {
	kind probe.EventKind
	host string
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

// next finds the arrival for a RST of a listener, or -1.
func next(list []arrival, sent map[tuple][]time.Duration, e probe.Event, tolerance time.Duration) int {
	bound := e.Local.Addr()
	k, _ := slices.BinarySearchFunc(list, e.At-packetSlack, func(a arrival, t time.Duration) int { return cmp.Compare(a.at, t) })
	for ; k < len(list) && list[k].at <= e.At+tolerance; k++ {
		a := list[k]
		if a.used || bound.IsValid() && !bound.IsUnspecified() && bound != a.from.Addr() {
			continue
		}
		// A RST of a socket is reported with its peer, before or after it arrives.
		if !slices.ContainsFunc(sent[a.tuple], func(at time.Duration) bool { return (at - a.at).Abs() <= tolerance }) {
			return k
		}
	}
	return -1
}

// use marks an arrival, and what the other observers saw of the same RST.
func use(list []arrival, k int, tolerance time.Duration) {
	seen := map[observer]bool{}
	for n := k; n < len(list) && list[n].at <= list[k].at+tolerance; n++ {
		if a := &list[n]; !a.used && a.tuple == list[k].tuple && !seen[a.by] {
			a.used, seen[a.by] = true, true
		}
	}
}
