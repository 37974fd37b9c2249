package evidence

import (
	"cmp"
	"net/netip"
	"strings"

	"github.com/rampload/rampload/probe"
)

// WireView is what kernels and the capture saw of the resets of one leg: between
// the client and the first host, or between a host and the next one.
type WireView struct {
	Traced   bool // the sender's kernel was watched
	Lost     bool // some of its events were lost
	Captured bool // packets were captured on the client's side

	Sent        float64 // by the serving end
	Reasons     map[string]float64
	States      map[string]float64
	Senders     map[string]float64 // process names of resets sent in process context
	Pid         int32
	Client      float64 // sent by the client's end
	ClientTimes []float64
	ClientTo    map[string]float64
	Stray       float64 // the client's kernel: NO_SOCKET to an address never dialled
	Arrived     float64 // received by the client's kernel
	Inbound     float64 // received by the serving end's kernel for connections of the client
	First       float64 // time of the first reset sent by the serving end
	Times       []float64
	Joined      float64 // resets sent that belong to a failed connection by 4-tuple and time
	Retrans     float64

	Packets float64 // captured, coming from the peer
	Classes map[string]float64
	TtlOdd  float64 // TTL differs from the SYN-ACK's
	TtlSame float64
}

// Tuple is a connection as the client sees it.
type Tuple struct{ Local, Remote netip.AddrPort }

func (v *WireView) AddSent(e probe.Event, n, at float64, pids map[int32]float64) {
	v.Sent += n
	v.Reasons[Reason(e.Reason)] += n
	if e.State != "" {
		v.States[Reason(e.Reason)+" in "+e.State] += n
	}
	if e.PID != 0 {
		v.Senders[cmp.Or(e.Process, e.Comm)] += n
		pids[e.PID] += n
	}
	v.Times = append(v.Times, at)
	if v.First < 0 || at < v.First {
		v.First = at
	}
}

func (v *WireView) AddPacket(e probe.Event, n float64) {
	v.Packets += n
	if e.Reason != "" {
		v.Classes[e.Reason] += n
	} else {
		v.Classes[classOf(*e.Packet)] += n
	}
	switch {
	case e.Packet.SynAckTTL == 0:
	case e.Packet.SynAckTTL != e.Packet.TTL:
		v.TtlOdd += n
	default:
		v.TtlSame += n
	}
}

// Part returns the share of the resets sent by the serving end that had one of
// the reasons.
func (v WireView) Part(reasons ...string) float64 {
	n := 0.0
	for _, r := range reasons {
		n += v.Reasons[r]
	}
	return n / max(v.Sent, 1)
}

// classOf names the sender of a RST by its fingerprint, coarsely; captures that
// say it themselves are believed.
func classOf(p probe.Packet) string {
	const ack = 0x10
	differs := p.SynAckTTL != 0 && p.SynAckTTL != p.TTL
	switch {
	case p.Flags&ack != 0 && (p.HasOptions || p.Window > 0) && !differs:
		return "socket-aborted"
	case p.Flags&ack != 0 && !p.HasOptions && p.IPID > 0:
		return "injector"
	case differs:
		return "router-reject"
	case p.Flags&ack != 0:
		return "closed-port"
	}
	return "socket-gone"
}

// Reason returns a kernel's reset reason without the prefixes that versions of
// the kernel and of tools write differently: "SK_RST_REASON_TCP_STATE",
// "TCP_STATE" and "STATE" are one.
func Reason(s string) string {
	s = strings.TrimPrefix(strings.ToUpper(s), "SK_RST_REASON_")
	return strings.TrimPrefix(s, "TCP_")
}

// JoinReach is how far the time of a kernel's event may lie from that of the
// failure of the same connection: clocks, and events delivered late.
const JoinReach = 2.0 // seconds
