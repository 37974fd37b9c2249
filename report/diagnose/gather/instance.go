package gather

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/kernels"
	"github.com/rampload/rampload/report/format"
)

// chooseInstance finds hosts of a target that are instances of one service, behind a balancer that
// rewrites addresses, and not hops one behind the other. Of these it keeps the one that the failures
// come from on the way of the requests, and leaves the others out.
func chooseInstance(c *evidence.Case) {
	if len(c.Hops) < 2 {
		return
	}
	own := make([]float64, len(c.Hops)) // resets that each host sent to the client's own connections
	for i, h := range c.Hops {
		own[i] = resetsTo(c, h)
	}
	var beside, rest []int
	for i, h := range c.Hops {
		if own[i] >= max(3, 0.2*c.Parts.Wire) && c.Parts.Wire > 0 || i == 0 || c.Parts.Failed > 0 && c.Fives() < 0.2*c.Parts.Failed && serveAlike(c, c.Hops[0], h) {
			beside = append(beside, i)
		} else {
			rest = append(rest, i)
		}
	}
	if len(beside) < 2 {
		return
	}
	ill := slices.MaxFunc(beside, func(i, j int) int {
		x, y := suspicion(c, c.Hops[i], own[i]), suspicion(c, c.Hops[j], own[j])
		switch {
		case x > y || x == y && i < j:
			return 1
		case x < y || i > j:
			return -1
		}
		return 0
	})
	for _, i := range beside {
		if i != ill {
			c.Beside = append(c.Beside, fmt.Sprintf("%s, which serves beside %s, sent %s of the resets", c.Hops[i].Host, c.Hops[ill].Host, format.Number(own[i])))
		}
	}
	chain := []evidence.Hop{c.Hops[ill]}
	for _, i := range rest {
		chain = append(chain, c.Hops[i])
	}
	for i := range chain {
		chain[i].Index = i
	}
	c.Hops = chain
}

// resetsTo counts the resets that a host's kernel sent to failed connections of the client. It matches
// the client's address only, as a balancer may have rewritten the host's.
func resetsTo(c *evidence.Case, h evidence.Hop) float64 {
	return resetsOfFailed(c, h, probe.RSTSent)
}

// givenUp counts the failed connections that the client reset and whose reset a host's kernel received:
// the client had given up waiting for that host.
func givenUp(c *evidence.Case, h evidence.Hop) float64 {
	return resetsOfFailed(c, h, probe.RSTReceived)
}

func resetsOfFailed(c *evidence.Case, h evidence.Hop, kind probe.EventKind) float64 {
	failed := map[netip.AddrPort]float64{}
	for _, x := range c.Failures {
		if x.Conn.Local.IsValid() {
			failed[x.Conn.Local] = x.End.Seconds()
		}
	}
	n := 0.0
	for _, e := range c.Run.Log.Events {
		if e.Kind != kind || e.Host != h.Host {
			continue
		}
		if at, ok := failed[e.Remote]; ok && e.At.Seconds() > at-evidence.JoinReach && e.At.Seconds() < at+evidence.JoinReach {
			n += float64(max(e.Count, 1))
		}
	}
	return n
}

// serveAlike reports whether two hosts run processes of the same names on the same ports, and none is a
// proxy.
func serveAlike(c *evidence.Case, x, y evidence.Hop) bool {
	a, b := services(c, x), services(c, y)
	for name := range a {
		if evidence.IsProxy(name) {
			return false
		}
	}
	return len(a) > 0 && maps.Equal(a, b)
}

// services returns the names of the watched processes of a host, and its listening ports.
func services(c *evidence.Case, h evidence.Hop) map[string]bool {
	out, named := map[string]bool{}, false
	for _, r := range c.Run.Resources {
		m := r.Metric
		if m.Host != h.Host || evidence.GeneratorOwn(m) {
			continue
		}
		if m.Process != "" {
			out[m.Process], named = true, true
		}
		if i := strings.LastIndexByte(m.Instance, ':'); m.Name == probe.ListenQueue && i >= 0 {
			if port, err := strconv.ParseUint(m.Instance[i+1:], 10, 16); err == nil {
				out[":"+strconv.FormatUint(port, 10)] = true
			}
		}
	}
	if !named {
		return nil
	}
	return out
}

// suspicion orders instances by the resets that they sent to the client, then by the connections that
// the client gave up, by ends of their processes, and by what ran out before the faults.
func suspicion(c *evidence.Case, h evidence.Hop, resets float64) float64 {
	s := 100*resets + 50*givenUp(c, h)
	s += 10 * float64(len(kernels.Deaths(c, h)))
	for _, r := range c.Run.Resources {
		if r.Metric.Host == h.Host && r.Metric.Process != "" && r.Full != nil && !r.Throughout && r.Full.At <= c.At+1 {
			s++
		}
	}
	return s
}
