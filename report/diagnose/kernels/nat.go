package kernels

import (
	"fmt"
	"math"
	"net/netip"
	"slices"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/words"
	"github.com/rampload/rampload/report/format"
)

const (
	// leastJoined is how many resets have to be seen at both ends before a word is said of
	// what lies between them.
	leastJoined = 3
	// alikeShare is the least share of resets of either end that the other has at the same
	// time, where no address tells which belong together.
	alikeShare = 0.8
	// sameTime is how far the times of one reset at both ends lie apart at most, in
	// seconds, beside the error of the clocks.
	sameTime = 0.05
)

// Translated says how connections are translated on their way from the client to the
// first hop, told by the resets that both ends saw: a destination that is another at the
// serving host (the client's end is the same), or a client that comes from another address.
// Empty where both ends see the same addresses, or one end saw too little.
func Translated(c *evidence.Case) string {
	h := c.Hops[0]
	if h.Host == "" || c.Loopback || !c.Run.Observed(h, evidence.SourceTrace, probe.RSTSent) {
		return ""
	}
	ends := map[netip.AddrPort]*attack.Failure{}
	addrs := map[netip.Addr]bool{}
	var broke []float64
	for _, f := range c.Failures {
		if f.WireReset && f.Conn.Local.IsValid() {
			ends[f.Conn.Local] = f
			addrs[f.Conn.Local.Addr().Unmap()] = true
			broke = append(broke, f.End.Seconds())
		}
	}
	ports := evidence.PortsOf(c, h)
	same, moved := 0, map[[2]netip.AddrPort]int{}
	var strange []float64
	from := map[netip.Addr]int{}
	for _, e := range c.Run.Log.Events {
		if e.Kind != probe.RSTSent || !h.Has(e.Host) || !e.Local.IsValid() || !e.Remote.IsValid() {
			continue
		}
		at := e.At.Seconds()
		f := ends[e.Remote]
		switch {
		case f != nil && math.Abs(f.End.Seconds()-at) <= evidence.JoinReach && f.Conn.Remote == e.Local:
			same++
		case f != nil && math.Abs(f.End.Seconds()-at) <= evidence.JoinReach && !e.Local.Addr().IsUnspecified():
			moved[[2]netip.AddrPort{f.Conn.Remote, e.Local}]++
		case f == nil && ports[e.Local.Port()] && !addrs[e.Remote.Addr().Unmap()]:
			strange = append(strange, at)
			from[e.Remote.Addr().Unmap()]++
		}
	}
	for pair, n := range moved {
		if n >= leastJoined && n > same {
			return fmt.Sprintf("a NAT or balancer on the way changes the destination: connections to %s are to %s at %s (%s seen at both ends)",
				pair[0], pair[1], h.Host, format.Counted(float64(n), "reset"))
		}
	}
	if same > 0 || len(from) != 1 || len(strange) < leastJoined {
		return "" // both ends see the same, or others ask this service too
	}
	reach := sameTime + 2*c.Run.ClockError(h.Host)
	if min(alike(strange, broke, reach), alike(broke, strange, reach)) < alikeShare {
		return ""
	}
	var as netip.Addr
	for as = range from {
	}
	var own []string
	for a := range addrs {
		own = append(own, a.String())
	}
	slices.Sort(own)
	return fmt.Sprintf("a NAT or proxy on the way changes the source: %s sends its resets to %s, and they come to %s (%s at both ends at the same times): what its kernel says is joined by time alone",
		h.Host, as, words.List(own), format.Counted(float64(len(strange)), "reset"))
}

// alike is the share of some times that have a partner of their own among others.
func alike(times, others []float64, reach float64) float64 {
	times, others = slices.Sorted(slices.Values(times)), slices.Sorted(slices.Values(others))
	matched, j := 0, 0
	for _, t := range times {
		for j < len(others) && others[j] < t-reach {
			j++
		}
		if j < len(others) && others[j] <= t+reach {
			matched++
			j++
		}
	}
	return float64(matched) / float64(max(len(times), 1))
}
