package rst

import (
	"net/netip"
	"slices"
	"time"

	"github.com/rampload/rampload/probe"
)

// flows makes events of the segments of one namespace. It remembers the TTL of
// SYN-ACKs per flow and per sending port, and tells apart packets from the
// copies of them that a namespace shows at each interface they pass.
type flows struct {
	ports   []uint16
	ttls    recent[flowAt, uint8]
	servers recent[serverAt, uint8]
	sights  recent[imprint, *sights]
}

func newFlows(size int, ports []uint16) *flows {
	return &flows{
		ports:   ports,
		ttls:    newRecent[flowAt, uint8](size),
		servers: newRecent[serverAt, uint8](4096),
		sights:  newRecent[imprint, *sights](4096),
	}
}

// vantage is where a packet was seen.
type vantage struct {
	ifindex  int
	outgoing bool
	loopback bool
}

// flowAt and serverAt are a flow and a sending port as seen at one place, for a
// router lowers the TTL.
type flowAt struct {
	tuple
	vantage
}

type serverAt struct {
	netip.AddrPort
	vantage
}

// imprint is what copies of one packet have in common; a router changes the TTL.
type imprint struct {
	tuple
	seq, ack   uint32
	id, window uint16
	flags      uint8
}

// sights counts how often an imprint was seen at each interface. The n-th
// sight at one place is the same packet as the n-th at another.
type sights struct {
	at    time.Duration
	count map[vantage]int
	told  int
}

// copiesWithin bounds the time that a packet takes through a namespace.
const copiesWithin = time.Second

// take handles one segment and returns the fingerprint of a RST that is new.
// local and remote are its ends as seen by the host.
func (f *flows) take(s segment, v vantage, at time.Duration) (local, remote netip.AddrPort, p probe.Packet, ok bool) {
	if v.loopback && v.outgoing {
		return // it comes in again; the filter drops it already
	}
	if s.flags&flagRST == 0 {
		if s.flags&(flagSYN|flagACK) == flagSYN|flagACK {
			f.ttls.put(flowAt{tuple{s.src, s.dst}, v}, s.ttl)
			f.servers.put(serverAt{s.src, v}, s.ttl)
		}
		return
	}
	if f.copied(s, v, at) {
		return
	}
	p = probe.Packet{
		FromPeer: !v.outgoing, Flags: s.flags, Window: s.window, IPID: s.id, DF: s.df, TTL: s.ttl,
		HasOptions: s.hasOptions, Seq: s.seq,
	}
	if v.loopback {
		p.FromPeer = f.fromServer(s, v)
	}
	if p.SynAckTTL, p.SynAckFlow = f.ttls.get(flowAt{tuple{s.src, s.dst}, v}); !p.SynAckFlow {
		p.SynAckTTL, _ = f.servers.get(serverAt{s.src, v})
	}
	if p.FromPeer {
		return s.dst, s.src, p, true
	}
	return s.src, s.dst, p, true
}

// fromServer reports whether the server's end sent a segment on loopback, where
// both ends are the host's: the client's end is the local one.
func (f *flows) fromServer(s segment, v vantage) bool {
	if slices.Contains(f.ports, s.src.Port()) != slices.Contains(f.ports, s.dst.Port()) {
		return slices.Contains(f.ports, s.src.Port())
	}
	if _, yes := f.servers.get(serverAt{s.src, v}); yes {
		return true
	}
	_, no := f.servers.get(serverAt{s.dst, v})
	return !no
}

func (f *flows) copied(s segment, v vantage, at time.Duration) bool {
	key := imprint{tuple{s.src, s.dst}, s.seq, s.ack, s.id, s.window, s.flags}
	seen, ok := f.sights.get(key)
	if !ok || at-seen.at > copiesWithin {
		seen = &sights{count: map[vantage]int{}}
		f.sights.put(key, seen)
	}
	seen.at = at
	seen.count[v]++
	if seen.count[v] <= seen.told {
		return true
	}
	seen.told++
	return false
}

// recent is a map that forgets what was put long ago: it keeps at least size and
// at most twice as many keys.
type recent[K comparable, V any] struct {
	size     int
	now, old map[K]V
}

func newRecent[K comparable, V any](size int) recent[K, V] {
	return recent[K, V]{size: size, now: map[K]V{}}
}

func (r *recent[K, V]) put(k K, v V) {
	if _, have := r.now[k]; !have && len(r.now) >= r.size {
		r.old, r.now = r.now, make(map[K]V, r.size)
	}
	r.now[k] = v
}

func (r *recent[K, V]) get(k K) (V, bool) {
	if v, ok := r.now[k]; ok {
		return v, true
	}
	v, ok := r.old[k]
	return v, ok
}
