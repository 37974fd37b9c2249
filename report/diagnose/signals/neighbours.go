package signals

import (
	"net/netip"
	"slices"

	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/kernels"
)

// observeNeighbours asks whether an address on the way to a hop went to another machine
// just when requests began to fail, and whether two machines have it.
func observeNeighbours(c *evidence.Case, f *evidence.Facts, h evidence.Hop) {
	for _, m := range kernels.Moves(c) {
		if legOf(c, m) != h.Index {
			continue
		}
		explains, text := m.Explains(c)
		if !explains {
			continue
		}
		clue := evidence.AddressMoved
		if m.Disputed {
			clue = evidence.AddressContested
		}
		if f[clue].Is != evidence.Yes {
			f.SetAt(clue, evidence.Yes, m.Times[0], "neighbours of "+m.Seen, "%s", m.Text()+text)
		}
	}
}

// legOf returns the index of the hop that an address leads to: the hop that has it, else the
// one behind whoever saw it change. A router's address leads to all that is behind it.
func legOf(c *evidence.Case, m kernels.Move) int {
	for _, h := range c.Hops {
		if h.Index == 0 && slices.ContainsFunc(c.Run.Addresses(c.Target), func(a netip.AddrPort) bool { return a.Addr().Unmap() == m.Addr }) {
			return 0
		}
		if h.Station == nil {
			continue
		}
		for _, p := range h.Station.Asked {
			if p.Addr.Addr().Unmap() == m.Addr {
				return h.Index
			}
		}
	}
	owner := c.Run.HostOf(m.Addr)
	for _, h := range c.Hops {
		if h.Has(owner) {
			return h.Index
		}
	}
	for i, h := range c.Hops {
		if h.Has(m.Seen) {
			return min(i+1, len(c.Hops)-1)
		}
	}
	return 0
}
