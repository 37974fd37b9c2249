package diagnose

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
)

// joinReach is how far the time of a kernel's event may lie from that of the
// failure of the same connection: clocks, and events delivered late.
const joinReach = 2.0 // seconds

// wireView is what kernels and the capture saw of the resets of one leg: between
// the client and the first host, or between a host and the next one.
type wireView struct {
	traced   bool // the sender's kernel was watched
	lost     bool // some of its events were lost
	captured bool // packets were captured on the client's side

	sent     float64 // by the serving end
	reasons  map[string]float64
	states   map[string]float64
	senders  map[string]float64 // process names of resets sent in process context
	pid      int32
	client   float64 // sent by the client's end
	clientTo map[string]float64
	stray    float64 // the client's kernel: NO_SOCKET to an address never dialled
	arrived  float64 // received by the client's kernel
	inbound  float64 // received by the serving end's kernel for connections of the client
	first    float64 // time of the first reset sent by the serving end
	times    []float64
	joined   float64 // resets sent that belong to a failed connection by 4-tuple and time
	retrans  float64

	packets float64 // captured, coming from the peer
	classes map[string]float64
	ttlOdd  float64 // TTL differs from the SYN-ACK's
	ttlSame float64
}

// tuple is a connection as the client sees it.
type tuple struct{ local, remote netip.AddrPort }

// watchWire collects the events of a leg between two times. ports are those that
// the serving end listens on.
func (c *investigation) watchWire(h hop, from, to float64) wireView {
	a := c.a
	v := wireView{
		reasons: map[string]float64{}, states: map[string]float64{}, senders: map[string]float64{},
		clientTo: map[string]float64{}, classes: map[string]float64{}, first: -1,
	}
	v.traced = a.observed(h, sourceTrace, probe.RSTSent, probe.RSTReceived)
	client := hop{host: localHost}
	if h.index > 0 {
		client = c.hops[h.index-1]
	}
	v.captured = a.observed(client, sourceCapture, probe.RSTPacket) || a.observed(h, sourceCapture, probe.RSTPacket)
	ports := c.portsOf(h)
	callers, mine := c.callers(h, ports), c.sendersOf(h)
	broken := c.broken()
	// Redirected or translated on its way, a connection still has the client's end.
	ends := map[netip.AddrPort]bool{}
	for _, f := range c.failures {
		if f.Conn.Local.IsValid() {
			ends[f.Conn.Local] = true
		}
	}
	pids := map[int32]float64{}
	for _, e := range a.log.Events {
		at := e.At.Seconds()
		if at < from-joinReach || at > to+joinReach {
			continue
		}
		n := float64(max(e.Count, 1))
		serving := ports[e.Local.Port()] && callers(e.Remote.Addr()) || h.index == 0 && ends[e.Remote]
		calling := ports[e.Remote.Port()] && callers(e.Local.Addr())
		switch e.Kind {
		case probe.Lost:
			if strings.HasPrefix(e.Source.Name, sourceTrace) {
				v.lost = true
			}
		case probe.RSTSent:
			switch {
			case serving && h.has(e.Host) && mine(e):
				v.addSent(e, n, at, pids)
				if reachesFailure(broken, tuple{e.Remote, e.Local}, at) || ends[e.Remote] && !ports[e.Local.Port()] {
					v.joined += n
				}
			case h.index == 0 && client.has(e.Host) && reason(e.Reason) == "NO_SOCKET" && !c.knows(e.Remote) && ports[e.Remote.Port()] && c.hops[0].has(c.a.hostOf(e.Remote.Addr())):
				v.stray += n
			case calling && client.has(e.Host):
				v.client += n
				v.clientTo[reason(e.Reason)] += n
			}
		case probe.RSTReceived:
			switch {
			case calling && client.has(e.Host) && e.State != "TCP_SYN_SENT":
				v.arrived += n
			case serving && h.has(e.Host):
				v.inbound += n
			}
		case probe.Retransmit:
			if serving || calling {
				v.retrans += n
			}
		case probe.RSTPacket:
			if e.Packet != nil && e.Packet.FromPeer && calling && client.has(e.Host) {
				v.addPacket(e, n)
			}
		}
	}
	best := 0.0
	for pid, n := range pids {
		if n > best || n == best && pid < v.pid {
			best, v.pid = n, pid
		}
	}
	return v
}

// sendersOf returns which resets may be of a hop: where its processes are watched,
// what a process sent in its own context is of one of them.
func (c *investigation) sendersOf(h hop) func(probe.Event) bool {
	pids := c.watchedPIDs(h)
	names := map[string]bool{}
	for _, s := range c.a.log.Series {
		if s.Metric.Host == h.host && s.Metric.Process != "" {
			names[s.Metric.Process] = true
		}
	}
	return func(e probe.Event) bool {
		return e.PID == 0 || len(pids) == 0 || pids[e.PID] || names[cmp.Or(e.Process, e.Comm)]
	}
}

func (v *wireView) addSent(e probe.Event, n, at float64, pids map[int32]float64) {
	v.sent += n
	v.reasons[reason(e.Reason)] += n
	if e.State != "" {
		v.states[reason(e.Reason)+" in "+e.State] += n
	}
	if e.PID != 0 {
		v.senders[cmp.Or(e.Process, e.Comm)] += n
		pids[e.PID] += n
	}
	v.times = append(v.times, at)
	if v.first < 0 || at < v.first {
		v.first = at
	}
}

func (v *wireView) addPacket(e probe.Event, n float64) {
	v.packets += n
	if e.Reason != "" {
		v.classes[e.Reason] += n
	} else {
		v.classes[classOf(*e.Packet)] += n
	}
	switch {
	case e.Packet.SynAckTTL == 0:
	case e.Packet.SynAckTTL != e.Packet.TTL:
		v.ttlOdd += n
	default:
		v.ttlSame += n
	}
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

// part returns the share of the resets sent by the serving end that had one of
// the reasons.
func (v wireView) part(reasons ...string) float64 {
	n := 0.0
	for _, r := range reasons {
		n += v.reasons[r]
	}
	return n / max(v.sent, 1)
}

// reason returns a kernel's reset reason without the prefixes that versions of
// the kernel and of tools write differently: "SK_RST_REASON_TCP_STATE",
// "TCP_STATE" and "STATE" are one.
func reason(s string) string {
	s = strings.TrimPrefix(strings.ToUpper(s), "SK_RST_REASON_")
	return strings.TrimPrefix(s, "TCP_")
}

// portsOf returns the ports that the serving end of a leg listens on. Of an inner
// hop the profile does not say; there they are the ports to which most resets of
// that host belong, other than those of the outer hops.
func (c *investigation) portsOf(h hop) map[uint16]bool {
	out := map[uint16]bool{}
	if c.t.info.ListenPort > 0 {
		out[uint16(c.t.info.ListenPort)] = true
	}
	for _, addr := range c.a.addresses(c.t) {
		out[addr.Port()] = true
	}
	if h.index == 0 {
		return out
	}
	return c.innerPort(h, out)
}

// innerPort finds the port that an inner hop listens on: of its listeners, or
// those of the machine that it is part of, the one to which most resets of its
// own processes belong, else most resets of any. Without a list of listeners any
// port may be it: ephemeral ones come once or twice, the listening one every
// time.
func (c *investigation) innerPort(h hop, outer map[uint16]bool) map[uint16]bool {
	own, shared := c.listeners(h)
	pids := c.watchedPIDs(h)
	seen := map[uint16]float64{}
	count := func(port uint16, n float64) {
		if port != 0 && !outer[port] && (len(own) == 0 || own[port]) && (len(own) > 0 || len(shared) == 0 || shared[port]) {
			seen[port] += n
		}
	}
	for _, e := range c.a.log.Events {
		if e.Kind != probe.RSTSent && e.Kind != probe.RSTReceived || !h.has(e.Host) && !c.hops[h.index-1].has(e.Host) {
			continue
		}
		n := float64(max(e.Count, 1))
		if e.Kind == probe.RSTSent && e.PID != 0 && pids[e.PID] {
			n *= 1000
		}
		count(e.Local.Port(), n)
		count(e.Remote.Port(), n)
	}
	if len(own) > 0 && len(seen) == 0 {
		return own
	}
	most := 2.0
	for _, n := range seen {
		most = max(most, n)
	}
	out := map[uint16]bool{}
	for p, n := range seen {
		if n == most {
			out[p] = true
		}
	}
	return out
}

// listeners returns the listening ports read on a hop itself, and on the machine
// that it is part of.
func (c *investigation) listeners(h hop) (own, shared map[uint16]bool) {
	own, shared = map[uint16]bool{}, map[uint16]bool{}
	for _, x := range c.a.resources {
		m := x.metric
		i := strings.LastIndexByte(m.Instance, ':')
		if m.Name != probe.ListenQueue || i < 0 || !h.has(m.Host) {
			continue
		}
		if port, err := strconv.ParseUint(m.Instance[i+1:], 10, 16); err == nil {
			if m.Host == h.host {
				own[uint16(port)] = true
			} else {
				shared[uint16(port)] = true
			}
		}
	}
	return own, shared
}

// callers returns which addresses are the calling end of a leg. Other traffic of
// the machine may go to the same port elsewhere; where the client's addresses are
// seen there (address translation may hide them), only they count.
func (c *investigation) callers(h hop, ports map[uint16]bool) func(netip.Addr) bool {
	own := map[netip.Addr]bool{}
	if h.index == 0 {
		for _, f := range c.failures {
			if f.Conn.Local.IsValid() {
				own[f.Conn.Local.Addr().Unmap()] = true
			}
		}
	}
	for _, host := range c.a.log.Header.Hosts {
		if h.index == 0 && host.Name == localHost || h.index > 0 && c.hops[h.index-1].has(host.Name) {
			for _, s := range host.Addrs {
				if x, err := netip.ParseAddr(s); err == nil {
					own[x.Unmap()] = true
				}
			}
		}
	}
	seen := false
	for _, e := range c.a.log.Events {
		if e.Kind == probe.RSTSent && (ports[e.Local.Port()] && own[e.Remote.Addr().Unmap()] || ports[e.Remote.Port()] && own[e.Local.Addr().Unmap()]) {
			seen = true
			break
		}
	}
	return func(x netip.Addr) bool {
		// A listener that answers is shown without the peer (0.0.0.0).
		return !seen || !x.IsValid() || x.IsUnspecified() || own[x.Unmap()]
	}
}

// knows reports whether an address is one that the target's connections went to.
func (c *investigation) knows(remote netip.AddrPort) bool {
	return slices.ContainsFunc(c.a.addresses(c.t), func(a netip.AddrPort) bool { return a == remote })
}

// broken returns the connections that failed at the other end, with the times at
// which they did: a reset to one that the client gave up only answers that.
func (c *investigation) broken() map[tuple]float64 {
	out := make(map[tuple]float64, len(c.failures))
	for _, f := range c.failures {
		if f.Conn.Local.IsValid() && f.Fault != attack.Timeout {
			out[tuple{f.Conn.Local, f.Conn.Remote}] = f.End.Seconds()
		}
	}
	return out
}

func reachesFailure(failures map[tuple]float64, t tuple, at float64) bool {
	failed, ok := failures[t]
	return ok && at >= failed-joinReach && at <= failed+joinReach
}
