package evidence

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/report/format"
	"github.com/rampload/rampload/report/runlog"
)

// badAddress is one of several addresses of a target that has (almost) all of
// its failures.
type badAddress struct {
	Addr         netip.AddrPort
	Host         string // watched host that it belongs to
	Failed, all  float64
	OfIt, others float64 // attempts
}

// CompareAddresses looks for one bad instance among the remote addresses of a
// target: nine tenths of the failures on at most 60 % of the attempts, or all of
// many on at most 85 %, for who fails at once draws more of them.
func CompareAddresses(c *Case) *badAddress {
	addrs := c.Run.Addresses(c.Target)
	if len(addrs) < 2 {
		return nil
	}
	all, attempts := 0.0, 0.0
	for i, n := range c.Parts.byRemote {
		if i != 0 {
			attempts += n
			all += c.Parts.failedRemote[i]
		}
	}
	for _, x := range c.Run.Log.Addresses {
		if int(x.Target) != c.Target.Index || all < 5 {
			continue
		}
		failed, ofIt := c.Parts.failedRemote[x.Index], c.Parts.byRemote[x.Index]
		few := failed >= 0.9*all && ofIt <= 0.6*attempts
		most := all >= 50 && failed >= 0.99*all && ofIt <= 0.85*attempts
		if (few || most) && attempts-ofIt >= 20 {
			return &badAddress{x.Addr, c.Run.HostOf(x.Addr.Addr()), failed, all, ofIt, attempts - ofIt}
		}
	}
	return nil
}

func (b *badAddress) Text() string {
	return fmt.Sprintf("%s of %s failures were at %s, which got %s of %s attempts",
		format.Number(b.Failed), format.Number(b.all), b.Addr, format.Number(b.OfIt), format.Number(b.OfIt+b.others))
}

// contrast is what another target that goes to the inner hosts of this one, and
// around its outer ones, tells.
type contrast struct {
	target string
	from   int // hops from this index on are shared
	clean  bool
}

// CompareTargets holds targets against each other that share their inner hosts:
// the same load through and around a load balancer tells which of the two fails.
func (run *Run) CompareTargets(cases []*Case) {
	for _, c := range cases {
		for _, o := range cases {
			outer, inner := c.Target.Info.Hosts, o.Target.Info.Hosts
			if c == o || len(inner) == 0 || len(inner) >= len(outer) || !slices.Equal(outer[len(outer)-len(inner):], inner) {
				continue
			}
			if !c.Faulty() || Sum(o.Target.Attempts) < 50 {
				continue
			}
			c.Contrast = append(c.Contrast, contrast{o.Target.Info.Name, len(outer) - len(inner), !o.Faulty()})
		}
	}
}

// Contrasts is what other targets add for or against a hop.
func (question *Case) Contrasts(h Hop) float64 {
	s := 0.0
	for _, x := range question.Contrast {
		switch {
		case x.clean && h.Index+len(question.Routers) >= x.from:
			s -= 3
		case x.clean:
			s++
		case h.Index+len(question.Routers) < x.from:
			s -= 1.5
		}
	}
	return s
}

func (x contrast) Text() string {
	if x.clean {
		return fmt.Sprintf("target %s went to the inner hosts directly under the same load and had no failures", x.target)
	}
	return fmt.Sprintf("target %s, which goes to the inner hosts directly, fails too", x.target)
}

// ProxyProcess returns the name of a process of a hop that is known to pass
// requests on, empty without one.
func (question *Case) ProxyProcess(h Hop) string {
	if h.Station != nil {
		if IsProxy(h.Station.Process) {
			return h.Station.Process
		}
		return ""
	}
	for _, r := range question.Run.Resources {
		if m := r.Metric; m.Host == h.Host && IsProxy(m.Process) {
			return m.Process
		}
	}
	return ""
}

func IsProxy(process string) bool {
	name := strings.ToLower(process)
	for _, p := range []string{"nginx", "haproxy", "envoy", "traefik", "caddy", "apache2", "httpd", "squid", "varnishd", "hitch", "stunnel", "pound", "traffic_server"} {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

// Fronts reports whether the only host that the profile names runs a proxy
// before the service, so that 5xx may be either's.
func (question *Case) Fronts(h Hop) bool {
	return len(question.Hops) == 1 && len(question.Facts) > 0 && question.Facts[0][BadGateway].Is == Yes && question.ProxyProcess(h) != ""
}

// BehindProxy reports whether causes of a hop are those of a service behind a
// proxy on the same host.
func (question *Case) BehindProxy(h Hop) bool { return h.Index == 0 && question.Fronts(h) }

// CleanLeg reports whether the client's connections had no fault of their own
// beside unexpected statuses.
func CleanLeg(c *Case) bool {
	p := c.Parts
	return p.Failed > 0 && p.Share(attack.Status) >= 0.95 && p.Wire <= 0.02*p.Failed
}

// Unlike reports whether nearly all failures are answers that are not what the profile
// expects: of an expected status, or, where a protocol has none, all that one request is
// answered. Nobody refused these requests. A limit that is reached makes no such answers, so what
// ran out at the same time says nothing of them.
func Unlike(c *Case) bool {
	all, other := c.Parts.Failed, c.Parts.UnlikeReply
	if all >= 0.99*c.Parts.Attempts || OneRequest(c) != "" {
		other = 0
	}
	return all > 0 && c.Parts.Unlike-other >= 0.9*all
}

// SpeaksOther says what was found at the address of a target that gave not one answer, where
// that is something else than its protocol; "" where it answered, or nobody knows. Whoever
// does not understand a request never serves one, at whatever load: what ran out beside it
// says nothing.
func SpeaksOther(c *Case) string {
	if c.Run.Log.Trailer == nil || c.Parts.Failed < c.Parts.Attempts || c.Parts.Share(attack.Status) > 0 {
		return ""
	}
	for _, s := range c.Run.Log.Trailer.Sources {
		if found, ok := strings.CutPrefix(s.Reason, runlog.NeverAnswered); ok && s.Source == runlog.OfTarget(c.Target.Info.Name) {
			return found
		}
	}
	return ""
}

// UnlikeDetail reports whether a detail is that of an answer which is not what the profile
// expects.
func UnlikeDetail(d attack.Detail) bool {
	return d.Kind == attack.ContentDetail || d == unlikeReply
}

var unlikeReply = attack.Detail{Kind: attack.ServerDetail, Code: attack.UnexpectedReply}

// Watchable returns the hops that the profile names, or the one that it should.
func (question *Case) Watchable() []Hop {
	return slices.DeleteFunc(slices.Clone(question.Hops), func(h Hop) bool { return h.Assumed })
}
