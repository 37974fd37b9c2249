package diagnose

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/rampload/rampload/probe"
)

// chooseInstance finds hosts of a target that serve beside each other, behind a
// balancer that rewrites addresses, and not one behind the other: then the one
// that the failures come from is asked, and the others are left out of the way
// of the request.
func (c *investigation) chooseInstance() {
	if len(c.hops) < 2 {
		return
	}
	own := make([]float64, len(c.hops)) // resets that each sent to the client's own connections
	for i, h := range c.hops {
		own[i] = c.resetsTo(h)
	}
	var beside, rest []int
	for i, h := range c.hops {
		if own[i] >= max(3, 0.2*c.parts.wire) && c.parts.wire > 0 || i == 0 || c.parts.failed > 0 && c.fives() < 0.2*c.parts.failed && c.serveAlike(c.hops[0], h) {
			beside = append(beside, i)
		} else {
			rest = append(rest, i)
		}
	}
	if len(beside) < 2 {
		return
	}
	ill := slices.MaxFunc(beside, func(i, j int) int {
		x, y := c.suspicion(c.hops[i], own[i]), c.suspicion(c.hops[j], own[j])
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
			c.beside = append(c.beside, fmt.Sprintf("%s, which serves beside %s, sent %s of the resets", c.hops[i].host, c.hops[ill].host, commas(own[i])))
		}
	}
	chain := []hop{c.hops[ill]}
	for _, i := range rest {
		chain = append(chain, c.hops[i])
	}
	for i := range chain {
		chain[i].index = i
	}
	c.hops = chain
}

// resetsTo counts the resets that a host's kernel sent to connections of the
// client that failed. A balancer on the way may have rewritten the host's
// address; the client's is the same at both ends.
func (c *investigation) resetsTo(h hop) float64 {
	return c.resetsOfFailed(h, probe.RSTSent)
}

// givenUp counts the failed connections of the client whose reset a host's kernel
// received: the client had waited long enough for it.
func (c *investigation) givenUp(h hop) float64 {
	return c.resetsOfFailed(h, probe.RSTReceived)
}

func (c *investigation) resetsOfFailed(h hop, kind probe.EventKind) float64 {
	failed := map[netip.AddrPort]float64{}
	for _, x := range c.failures {
		if x.Conn.Local.IsValid() {
			failed[x.Conn.Local] = x.End.Seconds()
		}
	}
	n := 0.0
	for _, e := range c.a.log.Events {
		if e.Kind != kind || e.Host != h.host {
			continue
		}
		if at, ok := failed[e.Remote]; ok && e.At.Seconds() > at-joinReach && e.At.Seconds() < at+joinReach {
			n += float64(max(e.Count, 1))
		}
	}
	return n
}

// serveAlike reports whether two hosts run processes of the same names on the
// same ports, none of which passes requests on.
func (c *investigation) serveAlike(x, y hop) bool {
	a, b := c.services(x), c.services(y)
	for name := range a {
		if isProxy(name) {
			return false
		}
	}
	return len(a) > 0 && maps.Equal(a, b)
}

// services returns the names of the processes watched on a host and the ports
// that are listened on there.
func (c *investigation) services(h hop) map[string]bool {
	out, named := map[string]bool{}, false
	for _, r := range c.a.resources {
		m := r.metric
		if m.Host != h.host || generatorOwn(m) {
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

// suspicion orders instances: by the resets they sent to the client, then by
// the connections that the client gave up, whether their processes ended, and
// what ran out before the faults.
func (c *investigation) suspicion(h hop, resets float64) float64 {
	s := 100*resets + 50*c.givenUp(h)
	s += 10 * float64(len(c.deaths(h)))
	for _, r := range c.a.resources {
		if r.metric.Host == h.host && r.metric.Process != "" && r.full != nil && !r.throughout && r.full.at <= c.at+1 {
			s++
		}
	}
	return s
}
