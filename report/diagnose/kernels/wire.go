// Package kernels reads what the kernels of the hops say of a case: the resets that they sent,
// the packets that they dropped, the processes that ended, and whether processor, disks and
// queues were busy.
package kernels

import (
	"cmp"
	"math"
	"net/netip"
	"slices"
	"strings"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// MatchTimes returns the share of failures that happened within 40 ms after one
// of the times, and the share that would by chance.
func MatchTimes(c *evidence.Case, times []float64) (matched, chance float64) {
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
func Counted(c *evidence.Case, h evidence.Hop, name string) (float64, bool) {
	n, ok := 0.0, false
	for _, r := range c.Run.Resources {
		if r.Metric.Name == name && r.Counter != nil && r.Metric.Process == "" && c.Run.SpeaksFor(r.Metric, h) {
			n, ok = n+r.Counter.Between(c.From-0.5, c.To+1), true
		}
	}
	return n, ok
}

// WatchWire collects the events of a leg between two times. ports are those that
// the serving end listens on.
func WatchWire(c *evidence.Case, h evidence.Hop, from, to float64) evidence.WireView {
	a := c.Run
	v := evidence.WireView{
		Reasons: map[string]float64{}, States: map[string]float64{}, Senders: map[string]float64{},
		ClientTo: map[string]float64{}, Classes: map[string]float64{}, First: -1,
	}
	v.Traced = a.Observed(h, evidence.SourceTrace, probe.RSTSent, probe.RSTReceived)
	client := evidence.Hop{Host: evidence.LocalHost}
	if h.Index > 0 {
		client = c.Hops[h.Index-1]
	}
	v.Captured = a.Observed(client, evidence.SourceCapture, probe.RSTPacket) || a.Observed(h, evidence.SourceCapture, probe.RSTPacket)
	ports := evidence.PortsOf(c, h)
	callers, mine := callers(c, h, ports), sendersOf(c, h)
	broken := broken(c)
	// Redirected or translated on its way, a connection still has the client's end.
	ends := map[netip.AddrPort]bool{}
	for _, f := range c.Failures {
		if f.Conn.Local.IsValid() {
			ends[f.Conn.Local] = true
		}
	}
	pids := map[int32]float64{}
	others := instancesBeside(h)
	for _, e := range a.Log.Events {
		at := e.At.Seconds()
		if at < from-evidence.JoinReach || at > to+evidence.JoinReach {
			continue
		}
		n := float64(max(e.Count, 1))
		serving := ports[e.Local.Port()] && callers(e.Remote.Addr()) || h.Index == 0 && ends[e.Remote]
		calling := ports[e.Remote.Port()] && callers(e.Local.Addr()) && !slices.Contains(others, a.HostOf(e.Remote.Addr()))
		switch e.Kind {
		case probe.Lost:
			if strings.HasPrefix(e.Source.Name, evidence.SourceTrace) {
				v.Lost = true
			}
		case probe.RSTSent:
			switch {
			case serving && h.Has(e.Host) && mine(e):
				v.AddSent(e, n, at, pids)
				if reachesFailure(broken, evidence.Tuple{Local: e.Remote, Remote: e.Local}, at) || ends[e.Remote] && !ports[e.Local.Port()] {
					v.Joined += n
				}
			case h.Index == 0 && client.Has(e.Host) && evidence.Reason(e.Reason) == "NO_SOCKET" && !knows(c, e.Remote) && ports[e.Remote.Port()] && c.Hops[0].Has(c.Run.HostOf(e.Remote.Addr())):
				v.Stray += n
			case calling && client.Has(e.Host):
				v.Client += n
				v.ClientTimes = append(v.ClientTimes, at)
				v.ClientTo[evidence.Reason(e.Reason)] += n
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
				v.Retrans += n
			}
		case probe.RSTPacket:
			if e.Packet != nil && e.Packet.FromPeer && calling && client.Has(e.Host) {
				v.AddPacket(e, n)
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

// instancesBeside returns the hosts of the other instances of a hop's service: what callers
// do to those says nothing of this one.
func instancesBeside(h evidence.Hop) []string {
	if h.Station == nil || len(h.Station.Instances) < 2 {
		return nil
	}
	return slices.DeleteFunc(h.Station.Hosts(), h.Has)
}

// sendersOf returns which resets may be of a hop: where its processes are watched,
// what a process sent in its own context is of one of them.
func sendersOf(c *evidence.Case, h evidence.Hop) func(probe.Event) bool {
	pids := evidence.WatchedPIDs(c, h)
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

// callers returns which addresses are the calling end of a leg. Other traffic of
// the machine may go to the same port elsewhere; where the client's addresses are
// seen there (address translation may hide them), only they count.
func callers(c *evidence.Case, h evidence.Hop, ports map[uint16]bool) func(netip.Addr) bool {
	own := map[netip.Addr]bool{}
	if h.Index == 0 {
		for _, f := range c.Failures {
			if f.Conn.Local.IsValid() {
				own[f.Conn.Local.Addr().Unmap()] = true
			}
		}
	}
	for _, host := range c.Run.Log.Header.Hosts {
		if h.Index == 0 && host.Name == evidence.LocalHost || h.Index > 0 && c.Hops[h.Index-1].Has(host.Name) {
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
func knows(c *evidence.Case, remote netip.AddrPort) bool {
	return slices.ContainsFunc(c.Run.Addresses(c.Target), func(a netip.AddrPort) bool { return a == remote })
}

// broken returns the connections that failed at the other end, with the times at
// which they did: a reset to one that the client gave up only answers that.
func broken(c *evidence.Case) map[evidence.Tuple]float64 {
	out := make(map[evidence.Tuple]float64, len(c.Failures))
	for _, f := range c.Failures {
		if f.Conn.Local.IsValid() && f.Fault != attack.Timeout {
			out[evidence.Tuple{Local: f.Conn.Local, Remote: f.Conn.Remote}] = f.End.Seconds()
		}
	}
	return out
}

func reachesFailure(failures map[evidence.Tuple]float64, t evidence.Tuple, at float64) bool {
	failed, ok := failures[t]
	return ok && at >= failed-evidence.JoinReach && at <= failed+evidence.JoinReach
}
