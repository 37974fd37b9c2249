package rst

import (
	"net/netip"
	"slices"
	"time"

	"github.com/rampload/rampload/probe"
)

// flows makes events of the segments of one namespace. It remembers the TTL of
// SYN-ACKs per flow and per sending port, where the kernel does not, and tells apart packets from the
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

// handshake is what SYN-ACKs told of a RST's ends, as seen at the same place.
type handshake struct {
	flow       uint8 // TTL of this very flow's, from the RST's sender; 0: not seen
	server     uint8 // TTL of the latest from the RST's source port; 0: not seen
	peerServes bool  // the RST's receiver has sent SYN-ACKs
}

// answer remembers a SYN-ACK.
func (f *flows) answer(s segment, v vantage) {
	if s.flags&(flagSYN|flagACK) == flagSYN|flagACK {
		f.ttls.put(flowAt{tuple{s.src, s.dst}, v}, s.ttl)
		f.servers.put(serverAt{s.src, v}, s.ttl)
	}
}

// remembered is what is remembered of a RST's ends.
func (f *flows) remembered(s segment, v vantage) (h handshake) {
	h.flow, _ = f.ttls.get(flowAt{tuple{s.src, s.dst}, v})
	h.server, _ = f.servers.get(serverAt{s.src, v})
	_, h.peerServes = f.servers.get(serverAt{s.dst, v})
	return h
}

// take returns the fingerprint of a RST that is no copy of one seen before. local
// and remote are its ends as seen by the host.
func (f *flows) take(s segment, v vantage, at time.Duration, h handshake) (local, remote netip.AddrPort, p probe.Packet, ok bool) {
	if v.loopback && v.outgoing {
		return // it comes in again
	}
	if f.copied(s, v, at) {
		return
	}
	local, remote, p = f.describe(s, v, h)
	return local, remote, p, true
}

// describe returns the fingerprint of a RST and its ends as seen by the host.
func (f *flows) describe(s segment, v vantage, h handshake) (local, remote netip.AddrPort, p probe.Packet) {
	p = probe.Packet{
		FromPeer: !v.outgoing, Flags: s.flags, Window: s.window, IPID: s.id, DF: s.df, TTL: s.ttl,
		HasOptions: s.hasOptions, Seq: s.seq, SynAckTTL: h.flow, SynAckFlow: h.flow != 0,
	}
	if v.loopback {
		p.FromPeer = f.fromServer(s, h)
	}
	if !p.SynAckFlow {
		p.SynAckTTL = h.server
	}
	if p.FromPeer {
		return s.dst, s.src, p
	}
	return s.src, s.dst, p
}

// fromServer reports whether the server's end sent a segment on loopback, where
// both ends are the host's: the client's end is the local one.
func (f *flows) fromServer(s segment, h handshake) bool {
	if slices.Contains(f.ports, s.src.Port()) != slices.Contains(f.ports, s.dst.Port()) {
		return slices.Contains(f.ports, s.src.Port())
	}
	return h.server != 0 || !h.peerServes
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
