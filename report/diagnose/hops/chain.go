package hops

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/runlog"
)

// Chain returns the first hop of a target, the service that answers at its addresses, with the
// hops behind it. from is the host that asks; named are the hosts that the profile says serve
// the target. Where no watched service answers, but one of the addresses is seen to ask watched
// services, the first hop is that address, unwatched. Nil where neither was seen.
func (g *Graph) Chain(from string, addrs []netip.AddrPort, named []string) *Hop {
	var found []*Service
	for _, a := range addrs {
		for _, x := range g.Answering(from, a) {
			if !slices.Contains(found, x) {
				found = append(found, x)
			}
		}
	}
	if said := onHosts(found, named); len(said) > 0 {
		found = said
	}
	h := g.unwatched(addrs)
	if len(found) > 0 {
		h = g.hop(found)
	}
	if h == nil {
		return nil
	}
	for _, p := range g.Peers {
		if p.space == from && slices.Contains(addrs, p.Addr) {
			h.Asked = append(h.Asked, p)
		}
	}
	g.extend(h, map[string]bool{}, 1)
	return h
}

// unwatched makes a hop of the first address that asks a watched service; nil for none.
func (g *Graph) unwatched(addrs []netip.AddrPort) *Hop {
	for _, a := range addrs {
		if len(g.askedBy(a.Addr())) > 0 {
			return &Hop{Unwatched: a, Port: a.Port()}
		}
	}
	return nil
}

// onHosts returns the services that run on one of the named hosts.
func onHosts(found []*Service, named []string) []*Service {
	var out []*Service
	for _, x := range found {
		if slices.Contains(named, x.Host) || slices.Contains(named, x.space) {
			out = append(out, x)
		}
	}
	return out
}

// hop makes a hop of the instances of one service.
func (g *Graph) hop(instances []*Service) *Hop {
	x := instances[0]
	h := &Hop{Process: x.Process, Port: x.Addr.Port(), Instances: instances}
	for _, y := range g.Services {
		if y.Process == x.Process && y.Addr.Port() == x.Addr.Port() {
			h.Known++
		}
	}
	return h
}

// extend adds the hops that a hop asks, and those behind them. seen has the hops of the chain so
// far: one that is asked again is a way back, and ends the chain.
func (g *Graph) extend(h *Hop, seen map[string]bool, depth int) {
	seen[h.key()] = true
	if depth == maxDepth {
		return
	}
	next := map[string]*Hop{}
	for _, p := range g.askedOf(h) {
		found := g.Answering(p.space, p.Addr)
		if p.Service != nil && p.space == "" {
			found = []*Service{p.Service}
		}
		if slices.ContainsFunc(found, func(x *Service) bool { return slices.Contains(h.Instances, x) }) {
			continue // it asks itself, for instance on a control connection
		}
		if len(found) == 0 && p.Addr.Addr().IsLoopback() {
			// The probe sees all listeners of its own host, and there was none here. Libraries
			// make a pair of connected sockets by a listener that they close at once.
			continue
		}
		var n *Hop
		if len(found) == 0 {
			n = &Hop{Unwatched: p.Addr, Port: p.Addr.Port()}
		} else {
			n = g.hop(found)
		}
		if old := next[n.key()]; old != nil {
			for _, x := range n.Instances {
				if !slices.Contains(old.Instances, x) {
					old.Instances = append(old.Instances, x)
				}
			}
			n = old
		}
		n.Asked = append(n.Asked, p)
		next[n.key()] = n
	}
	h.Next = slices.SortedFunc(maps.Values(next), func(a, b *Hop) int {
		return cmp.Or(cmp.Compare(b.connections(), a.connections()), cmp.Compare(a.key(), b.key()))
	})
	h.Next = h.Next[:min(len(h.Next), maxNext)]
	h.Next = slices.DeleteFunc(h.Next, func(n *Hop) bool {
		if seen[n.key()] {
			h.Back = append(h.Back, n)
		}
		return seen[n.key()]
	})
	for _, n := range h.Next {
		g.extend(n, seen, depth+1)
	}
}

// askedOf returns the peers that a hop has connections to.
func (g *Graph) askedOf(h *Hop) []*Peer {
	if h.Unwatched.IsValid() {
		return g.askedBy(h.Unwatched.Addr())
	}
	return slices.DeleteFunc(slices.Clone(g.Peers), func(p *Peer) bool {
		asks := slices.ContainsFunc(h.Instances, func(x *Service) bool { return x.space == p.space && x.Process == p.Process && x.Process != "" })
		return !asks || p.most() == 0
	})
}

// askedBy returns the services that an unwatched address asks, as peers: nil for the address of
// a watched host. The services see its connections. A service that has no other caller also
// shows how many requests it owes, and so how many the address awaits.
func (g *Graph) askedBy(addr netip.Addr) []*Peer {
	addr = addr.Unmap()
	if addr.IsLoopback() || slices.ContainsFunc(g.hosts, func(h runlog.Host) bool { return g.owns(h.Name, addr) }) {
		return nil
	}
	var out []*Peer
	for _, x := range g.Services {
		connections, asked := x.Taken[addr]
		if !asked {
			continue
		}
		p := &Peer{Addr: x.Addr, Service: x, Tracks: map[string]Track{probe.PeerConnections: connections}}
		if len(x.Taken) == 1 {
			for awaited, owed := range map[string]string{probe.Awaiting: probe.Owed, probe.AwaitingOldest: probe.OwedOldest, probe.AwaitingMedian: probe.OwedMedian} {
				p.Tracks[awaited] = x.Tracks[owed]
			}
		}
		out = append(out, p)
	}
	return out
}
