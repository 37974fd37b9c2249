package signals

import (
	"net/netip"
	"slices"
	"strconv"

	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/gather"
	"github.com/rampload/rampload/report/diagnose/kernels"
	"github.com/rampload/rampload/report/diagnose/says"
	"github.com/rampload/rampload/report/diagnose/words"
)

// observeNeighbours asks whether an address on the way to a hop moved to another machine at the onset,
// and whether two machines have it.
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

// observeDeparture asks whether the host of a hop gave up the address that the hop before goes on
// asking, and who answers there since. The hop is then not the cause of the failures.
func observeDeparture(c *evidence.Case, f *evidence.Facts, h evidence.Hop) {
	if h.Index+1 < len(c.Hops) {
		next := c.Hops[h.Index+1]
		if d, other, ok := departed(c, next); ok && other != "" {
			f.SetAt(evidence.AddressStale, evidence.Yes, d.At, "addresses of "+d.Host, "%s; %s goes on asking it: %s", d.Text(), words.OrThe(h.Process()), other)
		}
	}
	if h.Index == 0 {
		return
	}
	if d, other, ok := departed(c, h); ok {
		clue := evidence.AddressLeft
		if other != "" {
			clue = evidence.AddressTaken
		}
		f.SetAt(clue, evidence.Yes, d.At, "addresses of "+d.Host, "%s", d.Text())
	}
}

// departed returns the address that a host gave up and that is still asked, and what shows that another
// machine answers there; empty where nothing does.
func departed(c *evidence.Case, h evidence.Hop) (d kernels.Departure, other string, ok bool) {
	for _, d := range kernels.Departures(c, h) {
		if len(d.Now) == 0 {
			continue // it did not move: callers rightly go on asking an address that hosts take over from each other
		}
		text := ""
		for i := range c.Spoken {
			j := &c.Spoken[i]
			if !j.Peer.Addr.IsValid() || j.Peer.Addr.Addr().Unmap() != d.Addr || j.First < d.At-1 || j.Share < 0.1 {
				continue
			}
			ok = true // it is still asked
			if j.Replied() || j.Passed() || j.Meaning == says.Refused || j.Meaning == says.Reset {
				text = gather.Shortened(j.Text)
				break
			}
		}
		for _, p := range c.Run.Graph.AskedAt(d.Addr) {
			ok = ok || p.LastAsked() > d.At+1
		}
		switch {
		case d.Taken != "" && text == "":
			text = "another machine answers there"
		case text != "":
			text = "there it is told " + strconv.Quote(text)
		}
		if d.Taken != "" || ok {
			return d, text, true
		}
	}
	return d, "", false
}

// legOf returns the index of the hop that an address leads to: the hop that has it, else the one behind
// the host that saw it change. A router's address leads to all hops behind it.
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
