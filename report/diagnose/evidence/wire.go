package evidence

import (
	"cmp"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
)

// MatchTimes returns the share of failures that happened within 40 ms after one
// of the times, and the share that would by chance.
func (c *Case) MatchTimes(times []float64) (matched, chance float64) {
	const reach = 0.04
	times = slices.Clone(times)
	slices.Sort(times)
	n, all := 0.0, 0.0
	for _, x := range c.Failures {
		if x.Phase == attack.PhaseIdle || !x.Fault.Failure() {
			continue
		}
		all++
		at := x.End.Seconds()
		if i, _ := slices.BinarySearch(times, at-reach); i < len(times) && times[i] <= at+reach/4 {
			n++
		}
	}
	// The part of the time that lies within reach of one of them.
	covered, end := 0.0, math.Inf(-1)
	for _, t := range times {
		covered += min(1.25*reach, t+1.25*reach-max(end, t))
		end = t + 1.25*reach
	}
	return n / max(all, 1), covered / max(c.To-c.From, 1)
}

// Counted returns by how much a counter of a hop grew while faults were there.
func (c *Case) Counted(h Hop, name string) (float64, bool) {
	n, ok := 0.0, false
	for _, r := range c.Run.Resources {
		if r.Metric.Name == name && r.Counter != nil && r.Metric.Process == "" && c.Run.SpeaksFor(r.Metric, h) {
			n, ok = n+r.Counter.Between(c.From-0.5, c.To+1), true
		}
	}
	return n, ok
}

// joinReach is how far the time of a kernel's event may lie from that of the
// failure of the same connection: clocks, and events delivered late.
const joinReach = 2.0 // seconds

// WireView is what kernels and the capture saw of the resets of one leg: between
// the client and the first host, or between a host and the next one.
type WireView struct {
	Traced   bool // the sender's kernel was watched
	Lost     bool // some of its events were lost
	Captured bool // packets were captured on the client's side

	Sent        float64 // by the serving end
	reasons     map[string]float64
	States      map[string]float64
	Senders     map[string]float64 // process names of resets sent in process context
	Pid         int32
	Client      float64 // sent by the client's end
	ClientTimes []float64
	clientTo    map[string]float64
	Stray       float64 // the client's kernel: NO_SOCKET to an address never dialled
	Arrived     float64 // received by the client's kernel
	Inbound     float64 // received by the serving end's kernel for connections of the client
	First       float64 // time of the first reset sent by the serving end
	Times       []float64
	Joined      float64 // resets sent that belong to a failed connection by 4-tuple and time
	retrans     float64

	Packets float64 // captured, coming from the peer
	Classes map[string]float64
	TtlOdd  float64 // TTL differs from the SYN-ACK's
	TtlSame float64
}

// tuple is a connection as the client sees it.
type tuple struct{ local, remote netip.AddrPort }

// WatchWire collects the events of a leg between two times. ports are those that
// the serving end listens on.
func (c *Case) WatchWire(h Hop, from, to float64) WireView {
	a := c.Run
	v := WireView{
		reasons: map[string]float64{}, States: map[string]float64{}, Senders: map[string]float64{},
		clientTo: map[string]float64{}, Classes: map[string]float64{}, First: -1,
	}
	v.Traced = a.Observed(h, SourceTrace, probe.RSTSent, probe.RSTReceived)
	client := Hop{Host: LocalHost}
	if h.Index > 0 {
		client = c.Hops[h.Index-1]
	}
	v.Captured = a.Observed(client, SourceCapture, probe.RSTPacket) || a.Observed(h, SourceCapture, probe.RSTPacket)
	ports := c.portsOf(h)
	callers, mine := c.callers(h, ports), c.sendersOf(h)
	broken := c.broken()
	// Redirected or translated on its way, a connection still has the client's end.
	ends := map[netip.AddrPort]bool{}
	for _, f := range c.Failures {
		if f.Conn.Local.IsValid() {
			ends[f.Conn.Local] = true
		}
	}
	pids := map[int32]float64{}
	for _, e := range a.Log.Events {
		at := e.At.Seconds()
		if at < from-joinReach || at > to+joinReach {
			continue
		}
		n := float64(max(e.Count, 1))
		serving := ports[e.Local.Port()] && callers(e.Remote.Addr()) || h.Index == 0 && ends[e.Remote]
		calling := ports[e.Remote.Port()] && callers(e.Local.Addr())
		switch e.Kind {
		case probe.Lost:
			if strings.HasPrefix(e.Source.Name, SourceTrace) {
				v.Lost = true
			}
		case probe.RSTSent:
			switch {
			case serving && h.Has(e.Host) && mine(e):
				v.addSent(e, n, at, pids)
				if reachesFailure(broken, tuple{e.Remote, e.Local}, at) || ends[e.Remote] && !ports[e.Local.Port()] {
					v.Joined += n
				}
			case h.Index == 0 && client.Has(e.Host) && Reason(e.Reason) == "NO_SOCKET" && !c.knows(e.Remote) && ports[e.Remote.Port()] && c.Hops[0].Has(c.Run.hostOf(e.Remote.Addr())):
				v.Stray += n
			case calling && client.Has(e.Host):
				v.Client += n
				v.ClientTimes = append(v.ClientTimes, at)
				v.clientTo[Reason(e.Reason)] += n
			}
		case probe.RSTReceived:
			switch {
			case calling && client.Has(e.Host) && e.State != "TCP_SYN_SENT":
				v.Arrived += n
			case serving && h.Has(e.Host):
				v.Inbound += n
			}
		case probe.Retransmit:
			if serving || calling {
				v.retrans += n
			}
		case probe.RSTPacket:
			if e.Packet != nil && e.Packet.FromPeer && calling && client.Has(e.Host) {
				v.addPacket(e, n)
			}
		}
	}
	best := 0.0
	for pid, n := range pids {
		if n > best || n == best && pid < v.Pid {
			best, v.Pid = n, pid
		}
	}
	return v
}

// sendersOf returns which resets may be of a hop: where its processes are watched,
// what a process sent in its own context is of one of them.
func (c *Case) sendersOf(h Hop) func(probe.Event) bool {
	pids := c.WatchedPIDs(h)
	names := map[string]bool{}
	for _, s := range c.Run.Log.Series {
		if s.Metric.Host == h.Host && s.Metric.Process != "" {
			names[s.Metric.Process] = true
		}
	}
	return func(e probe.Event) bool {
		return e.PID == 0 || len(pids) == 0 || pids[e.PID] || names[cmp.Or(e.Process, e.Comm)]
	}
}

func (v *WireView) addSent(e probe.Event, n, at float64, pids map[int32]float64) {
	v.Sent += n
	v.reasons[Reason(e.Reason)] += n
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

func (v *WireView) addPacket(e probe.Event, n float64) {
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

// Part returns the share of the resets sent by the serving end that had one of
// the reasons.
func (v WireView) Part(reasons ...string) float64 {
	n := 0.0
	for _, r := range reasons {
		n += v.reasons[r]
	}
	return n / max(v.Sent, 1)
}

// Reason returns a kernel's reset reason without the prefixes that versions of
// the kernel and of tools write differently: "SK_RST_REASON_TCP_STATE",
// "TCP_STATE" and "STATE" are one.
func Reason(s string) string {
	s = strings.TrimPrefix(strings.ToUpper(s), "SK_RST_REASON_")
	return strings.TrimPrefix(s, "TCP_")
}

// portsOf returns the ports that the serving end of a leg listens on. Of an inner
// hop the profile does not say; there they are the ports to which most resets of
// that host belong, other than those of the outer hops.
func (c *Case) portsOf(h Hop) map[uint16]bool {
	out := map[uint16]bool{}
	if c.Target.Info.ListenPort > 0 {
		out[uint16(c.Target.Info.ListenPort)] = true
	}
	for _, addr := range c.Run.addresses(c.Target) {
		out[addr.Port()] = true
	}
	if h.Index == 0 {
		return out
	}
	if h.Station != nil {
		return map[uint16]bool{h.Station.Port: true}
	}
	return c.innerPort(h, out)
}

// innerPort finds the port that an inner hop listens on: of its listeners, or
// those of the machine that it is part of, the one to which most resets of its
// own processes belong, else most resets of any. Without a list of listeners any
// port may be it: ephemeral ones come once or twice, the listening one every
// time.
func (c *Case) innerPort(h Hop, outer map[uint16]bool) map[uint16]bool {
	own, shared := c.listeners(h)
	pids := c.WatchedPIDs(h)
	seen := map[uint16]float64{}
	count := func(port uint16, n float64) {
		if port != 0 && !outer[port] && (len(own) == 0 || own[port]) && (len(own) > 0 || len(shared) == 0 || shared[port]) {
			seen[port] += n
		}
	}
	for _, e := range c.Run.Log.Events {
		if e.Kind != probe.RSTSent && e.Kind != probe.RSTReceived || !h.Has(e.Host) && !c.Hops[h.Index-1].Has(e.Host) {
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
func (c *Case) listeners(h Hop) (own, shared map[uint16]bool) {
	own, shared = map[uint16]bool{}, map[uint16]bool{}
	for _, x := range c.Run.Resources {
		m := x.Metric
		i := strings.LastIndexByte(m.Instance, ':')
		if m.Name != probe.ListenQueue || i < 0 || !h.Has(m.Host) {
			continue
		}
		if port, err := strconv.ParseUint(m.Instance[i+1:], 10, 16); err == nil {
			if m.Host == h.Host {
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
func (c *Case) callers(h Hop, ports map[uint16]bool) func(netip.Addr) bool {
	own := map[netip.Addr]bool{}
	if h.Index == 0 {
		for _, f := range c.Failures {
			if f.Conn.Local.IsValid() {
				own[f.Conn.Local.Addr().Unmap()] = true
			}
		}
	}
	for _, host := range c.Run.Log.Header.Hosts {
		if h.Index == 0 && host.Name == LocalHost || h.Index > 0 && c.Hops[h.Index-1].Has(host.Name) {
			for _, s := range host.Addrs {
				if x, err := netip.ParseAddr(s); err == nil {
					own[x.Unmap()] = true
				}
			}
		}
	}
	seen := false
	for _, e := range c.Run.Log.Events {
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
func (c *Case) knows(remote netip.AddrPort) bool {
	return slices.ContainsFunc(c.Run.addresses(c.Target), func(a netip.AddrPort) bool { return a == remote })
}

// broken returns the connections that failed at the other end, with the times at
// which they did: a reset to one that the client gave up only answers that.
func (c *Case) broken() map[tuple]float64 {
	out := make(map[tuple]float64, len(c.Failures))
	for _, f := range c.Failures {
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
