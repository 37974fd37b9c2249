package rst

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/probe/rst/bpf"
)

// programSource takes packets with programs in the kernel. They pick RSTs there and
// remember SYN-ACKs there, so that nothing else comes here.
type programSource struct {
	packets *bpf.Packets
	offset  time.Duration // from CLOCK_MONOTONIC to the run's time
	links   map[int]nic
}

func (s *programSource) attach(n nic) (io.Closer, error) {
	s.links[n.index] = n
	return s.packets.Attach(n.index, n.loopback())
}

func (s *programSource) lost() (uint64, error) { return s.packets.Lost() }

func (s *programSource) close() { s.packets.Close() }

func (s *programSource) read(r *captureReader) error {
	many := map[countedRST]map[vantage]*countedAt{}
	err := s.packets.Read(
		func(p bpf.Captured) { s.one(r, p) },
		func(c bpf.CapturedCount) { s.count(many, c) },
	)
	now := r.capture.opts.Clock.Now()
	for k, places := range many {
		emitCounted(r, now, k, places)
	}
	if err != nil {
		return fmt.Errorf("read packets: %w", err)
	}
	return nil
}

func (s *programSource) vantage(ifindex int, outgoing bool) vantage {
	n := s.links[ifindex]
	return vantage{ifindex, outgoing, n.loopback()}
}

func (s *programSource) one(r *captureReader, p bpf.Captured) {
	seg, ok := decodeSegment(p.Protocol, p.Data)
	if !ok {
		return
	}
	l := link{proto: p.Protocol, ifindex: p.Ifindex, hatype: s.links[p.Ifindex].hatype}
	if p.Outgoing {
		l.pkttype = packetOutgoing
	}
	if l.hatype == unix.ARPHRD_ETHER || l.hatype == arpLoopback {
		l.addr = p.Hardware[:]
	}
	at := time.Duration(p.At) + s.offset
	h := handshake{p.FlowTTL, p.ServerTTL, p.PeerServes}
	r.take(l, seg, s.vantage(p.Ifindex, p.Outgoing), h, time.Unix(0, r.epoch+int64(at)), p.Length, p.Data)
}

// countedRST is what RSTs that were counted together have in common, wherever they
// were seen.
type countedRST struct {
	src, dst                         netip.AddrPort
	flags                            uint8
	options, hasID, hasWindow, fixed bool
}

// countedAt is how many of them one place saw, and how they looked there.
type countedAt struct {
	total uint64
	seen  []bpf.CapturedCount
}

func (s *programSource) count(many map[countedRST]map[vantage]*countedAt, c bpf.CapturedCount) {
	k := countedRST{c.Source, c.Dest, c.Flags, c.HasOptions, c.HasID, c.HasWindow, c.DF}
	if many[k] == nil {
		many[k] = map[vantage]*countedAt{}
	}
	v := s.vantage(c.Ifindex, c.Outgoing)
	if many[k][v] == nil {
		many[k][v] = &countedAt{}
	}
	many[k][v].total += c.Count
	many[k][v].seen = append(many[k][v].seen, c)
}

// emitCounted emits what the place that saw most of them counted: the others saw
// copies.
func emitCounted(r *captureReader, now time.Duration, k countedRST, places map[vantage]*countedAt) {
	order := slices.SortedFunc(maps.Keys(places), func(a, b vantage) int {
		switch {
		case a.outgoing == b.outgoing:
			return cmp.Compare(a.ifindex, b.ifindex)
		case a.outgoing: // a packet comes in before it goes on
			return 1
		}
		return -1
	})
	most := order[0]
	for _, v := range order {
		if places[v].total > places[most].total {
			most = v
		}
	}
	for _, c := range places[most].seen {
		seg := segment{src: k.src, dst: k.dst, flags: k.flags, ttl: c.TTL, df: k.fixed, hasOptions: k.options}
		if k.hasID {
			seg.id = 1
		}
		if k.hasWindow {
			seg.window = 1
		}
		local, remote, p := r.flows.describe(seg, most, handshake{c.FlowTTL, c.ServerTTL, c.PeerServes})
		r.emit(now, local, remote, p, c.Count)
	}
}
