package diagnose

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
)

// badAddress is one of several addresses of a target that has (almost) all of
// its failures.
type badAddress struct {
	addr         netip.AddrPort
	host         string // watched host that it belongs to
	failed, all  float64
	ofIt, others float64 // attempts
}

// compareAddresses looks for one bad instance among the remote addresses of a
// target: nine tenths of the failures on at most 60 % of the attempts, or all of
// many on at most 85 %, for who fails at once draws more of them.
func (c *investigation) compareAddresses() *badAddress {
	addrs := c.a.addresses(c.t)
	if len(addrs) < 2 {
		return nil
	}
	all, attempts := 0.0, 0.0
	for i, n := range c.parts.byRemote {
		if i != 0 {
			attempts += n
			all += c.parts.failedRemote[i]
		}
	}
	for _, x := range c.a.log.Addresses {
		if int(x.Target) != c.t.index || all < 5 {
			continue
		}
		failed, ofIt := c.parts.failedRemote[x.Index], c.parts.byRemote[x.Index]
		few := failed >= 0.9*all && ofIt <= 0.6*attempts
		most := all >= 50 && failed >= 0.99*all && ofIt <= 0.85*attempts
		if (few || most) && attempts-ofIt >= 20 {
			return &badAddress{x.Addr, c.a.hostOf(x.Addr.Addr()), failed, all, ofIt, attempts - ofIt}
		}
	}
	return nil
}

func (b *badAddress) text() string {
	return fmt.Sprintf("%s of %s failures were at %s, which got %s of %s attempts",
		commas(b.failed), commas(b.all), b.addr, commas(b.ofIt), commas(b.ofIt+b.others))
}

// contrast is what another target that goes to the inner hosts of this one, and
// around its outer ones, tells.
type contrast struct {
	target string
	from   int // hops from this index on are shared
	clean  bool
}

// compareTargets holds targets against each other that share their inner hosts:
// the same load through and around a load balancer tells which of the two fails.
func (a *analysis) compareTargets(cases []*investigation) {
	for _, c := range cases {
		for _, o := range cases {
			outer, inner := c.t.info.Hosts, o.t.info.Hosts
			if c == o || len(inner) == 0 || len(inner) >= len(outer) || !slices.Equal(outer[len(outer)-len(inner):], inner) {
				continue
			}
			if !c.faulty() || sum(o.t.attempts) < 50 {
				continue
			}
			c.contrast = append(c.contrast, contrast{o.t.info.Name, len(outer) - len(inner), !o.faulty()})
		}
	}
}

// contrasts is what other targets add for or against a hop.
func (c *investigation) contrasts(h hop) float64 {
	s := 0.0
	for _, x := range c.contrast {
		switch {
		case x.clean && h.index+len(c.routers) >= x.from:
			s -= 3
		case x.clean:
			s++
		case h.index+len(c.routers) < x.from:
			s -= 1.5
		}
	}
	return s
}

func (x contrast) text() string {
	if x.clean {
		return fmt.Sprintf("target %s went to the inner hosts directly under the same load and had no failures", x.target)
	}
	return fmt.Sprintf("target %s, which goes to the inner hosts directly, fails too", x.target)
}

// proxyProcess returns the name of a process of a hop that is known to pass
// requests on, empty without one.
func (c *investigation) proxyProcess(h hop) string {
	for _, r := range c.a.resources {
		if m := r.metric; m.Host == h.host && isProxy(m.Process) {
			return m.Process
		}
	}
	return ""
}

func isProxy(process string) bool {
	name := strings.ToLower(process)
	for _, p := range []string{"nginx", "haproxy", "envoy", "traefik", "caddy", "apache2", "httpd", "squid", "varnishd", "hitch", "stunnel", "pound", "traffic_server"} {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

// assumeUpstream adds the hop that gateway statuses speak of where the profile
// names none behind the first host.
func (c *investigation) assumeUpstream() {
	_, late := c.lateRefusals()
	late = late && !c.watchesProcess(c.hops[0]) // a service that is no proxy refuses for itself
	if len(c.hops) == 1 && (c.status(502)+c.status(504) >= 0.5 || late && c.status(503) >= 0.5) && c.proxyProcess(c.hops[0]) == "" {
		c.hops = append(c.hops, hop{index: 1, assumed: true})
	}
}

// fronts reports whether the only host that the profile names runs a proxy
// before the service, so that 5xx may be either's.
func (c *investigation) fronts(h hop) bool {
	return len(c.hops) == 1 && len(c.facts) > 0 && c.facts[0][badGateway].is == yes && c.proxyProcess(h) != ""
}

// behindProxy reports whether causes of a hop are those of a service behind a
// proxy on the same host.
func (c *investigation) behindProxy(h hop) bool { return h.index == 0 && c.fronts(h) }

// observeInner asks whether the hosts behind a proxy had room when it failed.
func (c *investigation) observeInner(f *facts) {
	seen, full := false, ""
	for _, r := range c.a.resources {
		for _, h := range c.hops[1:] {
			if r.metric.Host != h.host || r.metric.Process == "" || r.share == nil {
				continue
			}
			seen = true
			if r.full != nil && r.full.at <= c.at+1 {
				full = r.describe()
			}
		}
	}
	switch {
	case full != "":
		f.set(upstreamIdle, no, "probe of "+c.hops[1].host, "%s", full)
	case seen:
		f.set(upstreamIdle, yes, "probe of "+c.hops[1].host, "%s", "the hosts behind the proxy had room")
	}
}

// observePassing asks whether what the host behind a proxy receives goes on
// growing with the load after the onset. If not, the proxy answers for it.
func (c *investigation) observePassing(f *facts) {
	if c.onset.Status != Found || c.hops[1].assumed {
		return
	}
	from, to := c.onset.At.High, c.a.rampEnd()
	more := c.a.loadAt(to-1)/c.a.loadAt(from+1) - 1
	if to-from < 4 || more < 0.1 {
		return
	}
	var early, late float64
	for _, r := range c.a.resources {
		if m := r.metric; m.Name != probe.NetReceived || m.Host != c.hops[1].host || m.Instance == "lo" {
			continue
		}
		early += r.growth(from, from+2)
		late += r.growth(to-2, to)
	}
	if early == 0 || math.IsNaN(early+late) {
		return
	}
	f.set(passedOn, when((late/early-1)/more, 0.3, 0.6), "probe of "+c.hops[1].host, "load grew by %s from the onset on, what %s received by %s",
		percent(more), c.hops[1].host, percent(max(0, late/early-1)))
}

// growth returns by how much a total grew in a second, between two times; NaN
// without readings.
func (r *resource) growth(from, to float64) float64 {
	first, last := -1, -1
	for i, at := range r.series.At {
		switch s := at.Seconds(); {
		case s <= from:
			first = i
		case s <= to:
			last = i
		}
	}
	if first < 0 || last < 0 {
		return math.NaN()
	}
	return (r.series.Value[last] - r.series.Value[first]) / (r.series.At[last] - r.series.At[first]).Seconds()
}

// cleanLeg reports whether the client's connections had no fault of their own
// beside unexpected statuses.
func (c *investigation) cleanLeg() bool {
	p := c.parts
	return p.failed > 0 && p.share(attack.Status) >= 0.95 && p.wire <= 0.02*p.failed
}

// watchable returns the hops that the profile names, or the one that it should.
func (c *investigation) watchable() []hop {
	return slices.DeleteFunc(slices.Clone(c.hops), func(h hop) bool { return h.assumed })
}
