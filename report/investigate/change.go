package investigate

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"time"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// Plan is the load at the onset, unchanged, from which every experiment differs in one
// thing.
type Plan struct {
	Target string
	Load   float64 // requests per second, all targets; never above what the run had sent
	Held   int     // connections that are held, 0 for a load that is a rate
	For    time.Duration
	base   profiles.Profile
	report *report.Report
	of     *report.Target
	// Beside is a second source address from which the target can be reached; Direct the
	// URL of what stands behind the proxy. Zero: there is none.
	First, Beside netip.Addr
	Direct        string
}

// margin is how far above the onset the load is held: well in the rise.
const margin = 1.15

// NewPlan returns the load at the onset of a report's target. The error says why it
// cannot be sent again.
func NewPlan(r *report.Report, p profiles.Profile, target string, length time.Duration) (*Plan, error) {
	out := &Plan{Target: target, For: length, base: p, report: r}
	for i := range r.Targets {
		if r.Targets[i].Name == target {
			out.of = &r.Targets[i]
		}
	}
	if out.of == nil {
		return nil, fmt.Errorf("plan experiments: the report has no target %q", target)
	}
	sent := r.Totals.AchievedRPSMax
	if top := r.Profile.MaxRPS; top != nil {
		sent = min(sent, *top)
	}
	if sent <= 0 {
		return nil, fmt.Errorf("plan experiments: the run sent no load")
	}
	load := sent
	if o := out.of.Onset; o.LoadHighRPS != nil && *o.LoadHighRPS > 0 && (o.Status == report.OnsetFound || o.Status == report.OnsetPassing) {
		load = min(sent, margin**o.LoadHighRPS)
	}
	out.Load = load
	for _, s := range r.Profile.Stages {
		if s.LoadUnit == report.LoadConnections && s.PerConnectionRPS > 0 {
			out.Held = max(1, int(load/s.PerConnectionRPS))
		}
	}
	return out, nil
}

// Rate returns how many requests a second a profile of the plan sends at most.
func Rate(p profiles.Profile) float64 {
	most := 0.0
	for _, s := range p.Load {
		rate, _ := s.MaxRate(p.Client.PerConnection)
		most = max(most, rate)
	}
	return most
}

// Length returns how long a profile of the plan sends load.
func Length(p profiles.Profile) time.Duration { return p.Duration() }

// behindProxy returns how many instances the proxy that was seen shares the load among.
func (p *Plan) behindProxy() int {
	n := 1
	if p.of.Way == nil {
		return n
	}
	for _, h := range p.of.Way.Hops {
		if h.Depth == 2 {
			n = max(n, h.Instances)
		}
	}
	return n
}

// Reference returns the profile of the load unchanged.
func (p *Plan) Reference() profiles.Profile {
	out := p.base
	out.Gate = nil // they are of the whole load
	out.Load = profiles.Load{p.hold(p.Load)}
	if p.bursty() {
		out.Load = p.bursts(p.gap())
	}
	return out
}

// only keeps that part of the load, so that nobody gets more than the run had sent there.
func (p *Plan) only(out *profiles.Profile, share float64) {
	for i := range out.Load {
		switch s := out.Load[i].(type) {
		case profiles.Burst:
			s.Size = max(1, int(float64(s.Size)*share))
			out.Load[i] = s
		case profiles.Connections:
			s.From = max(1, int(float64(s.From)*share))
			s.To = s.From
			out.Load[i] = s
		case profiles.Hold:
			s.Rate = max(1, s.Rate*share)
			out.Load[i] = s
		}
	}
}

func (p *Plan) hold(rate float64) profiles.Stage {
	if p.Held > 0 {
		return profiles.Connections{From: p.Held, To: p.Held, For: p.For}
	}
	return profiles.Hold{Rate: rate, For: p.For}
}

// bursty reports whether the load of the run came in bursts: then connections rest.
func (p *Plan) bursty() bool {
	_, ok := profiles.First[profiles.Burst](p.base.Load)
	return ok
}

func (p *Plan) gap() time.Duration {
	burst, _ := profiles.First[profiles.Burst](p.base.Load)
	return burst.Every
}

// bursts is the bursts of the run with another gap.
func (p *Plan) bursts(gap time.Duration) profiles.Load {
	burst, ok := profiles.First[profiles.Burst](p.base.Load)
	if !ok {
		return nil
	}
	burst.Every, burst.Jitter, burst.For = gap, gap/20, max(p.For, min(4*gap, 30*time.Second))
	return profiles.Load{burst}
}

// Can returns the experiments that this profile and target allow.
func (p *Plan) Can() []inquiry.Experiment {
	var out []inquiry.Experiment
	for _, e := range []inquiry.Experiment{
		inquiry.HalfConcurrency, inquiry.HalfRate, inquiry.Fresh, inquiry.Kept, inquiry.GapBelow, inquiry.GapAbove, inquiry.Small, inquiry.Large,
		inquiry.OneAddress, inquiry.OtherAddresses, inquiry.TwoSources, inquiry.NoRetries, inquiry.AroundProxy,
	} {
		if _, _, ok := p.Change(e); ok {
			out = append(out, e)
		}
	}
	return out
}

// Change returns the profile of an experiment, and what of the load it changes; ok is
// false where the profile or the target does not allow it.
func (p *Plan) Change(e inquiry.Experiment) (out profiles.Profile, what string, ok bool) {
	out = p.Reference()
	c := &out.Client
	switch e {
	case inquiry.Fresh:
		if c.Connections == 0 || p.Held > 0 {
			return out, "", false
		}
		c.Connections = 0
		return out, "a new connection for every request", true
	case inquiry.Kept:
		if c.Connections != 0 || p.Held > 0 {
			return out, "", false
		}
		c.Connections = p.atOnce()
		return out, fmt.Sprintf("connections are kept, %d at most", c.Connections), true
	case inquiry.HalfConcurrency:
		if p.Held > 1 {
			// The same rate over half of them.
			out.Load = profiles.Load{profiles.Connections{From: p.Held / 2, To: p.Held / 2, For: p.For}}
			c.PerConnection *= 2
			return out, fmt.Sprintf("%d held connections instead of %d, at the same rate", p.Held/2, p.Held), true
		}
		n := p.atOnce()
		if n < 2 || p.bursty() || c.Connections == 0 { // a bound on new ones would keep them: two changes
			return out, "", false
		}
		c.Connections = n / 2
		what := fmt.Sprintf("at most %d connections, half of the %d that the load takes", n/2, n)
		if n/2 == 1 {
			what = fmt.Sprintf("one connection instead of the %d that the load takes", n)
		}
		return out, what, true
	case inquiry.HalfRate:
		n := p.atOnce()
		if p.Held > 0 {
			n = p.Held
		}
		if n < 2 || p.bursty() || c.Connections == 0 {
			return out, "", false
		}
		c.PerConnection = p.Load / 2 / float64(n)
		out.Load = profiles.Load{profiles.Connections{From: n, To: n, For: p.For}}
		return out, fmt.Sprintf("half the rate over as many connections (%d)", n), true
	case inquiry.Small, inquiry.Large:
		return p.bySize(out, e)
	case inquiry.OneAddress, inquiry.OtherAddresses:
		return p.byAddress(out, e)
	case inquiry.TwoSources:
		if !p.Beside.IsValid() || len(c.LocalAddrs) > 0 {
			return out, "", false
		}
		c.LocalAddrs = []netip.Addr{p.First, p.Beside}
		return out, fmt.Sprintf("from %s and %s in turn", p.First, p.Beside), true
	case inquiry.GapBelow, inquiry.GapAbove:
		idle := p.idleAfter()
		gap := idle * 6 / 10
		if e == inquiry.GapAbove {
			gap = idle * 16 / 10
		}
		if idle == 0 || gap < 50*time.Millisecond || gap > 7*time.Second || c.Connections == 0 {
			return out, "", false
		}
		if p.bursty() {
			out.Load = p.bursts(gap)
		} else {
			size := min(64, max(4, int(p.Load*gap.Seconds())))
			out.Load = profiles.Load{profiles.Burst{Size: size, Every: gap, Jitter: gap / 20, For: max(p.For, 4*gap)}}
		}
		return out, fmt.Sprintf("connections rest for %s between requests", gap.Round(time.Millisecond)), true
	case inquiry.NoRetries:
		if c.Retries.Max == 0 {
			return out, "", false
		}
		c.Retries = profiles.Retries{}
		return out, "no retries", true
	case inquiry.AroundProxy:
		if p.Direct == "" {
			return out, "", false
		}
		out.Targets = slices.Clone(out.Targets)
		for i := range out.Targets {
			if out.Targets[i].Name == p.Target {
				out.Targets[i].URL, out.Targets[i].ConnectTo = p.Direct, ""
			}
		}
		p.only(&out, 1/float64(p.behindProxy()))
		return out, "straight to " + p.Direct, true
	}
	return out, "", false
}

// atOnce estimates how many connections the load takes: its rate times the time of a
// slow answer, within the profile's limit.
func (p *Plan) atOnce() int {
	took := 0.05
	if l := p.of.LatencyFromSendMS.P90; l != nil {
		took = *l / 1e3
	}
	n := max(2, int(math.Ceil(p.Load*took)))
	if most := p.base.Client.Connections; most > 0 {
		n = min(n, most)
	}
	return min(n, 256)
}

// idleAfter returns the suspected time after which connections at rest are cut, 0
// where none is suspected.
func (p *Plan) idleAfter() time.Duration {
	for _, f := range p.report.Findings {
		if f.Target == p.Target && f.IdleS != nil && *f.IdleS > 0 {
			return time.Duration(*f.IdleS * float64(time.Second))
		}
	}
	return 0
}

// bySize keeps the requests of the target on one side of the widest gap between their
// sizes, of request and answer together.
func (p *Plan) bySize(out profiles.Profile, e inquiry.Experiment) (profiles.Profile, string, bool) {
	i := slices.IndexFunc(out.Targets, func(t profiles.Target) bool { return t.Name == p.Target })
	if i < 0 || len(out.Targets[i].Requests) < 2 || len(p.of.ByRequest) != len(out.Targets[i].Requests) {
		return out, "", false
	}
	sizes := make([]float64, len(p.of.ByRequest))
	for k, q := range p.of.ByRequest {
		if q.SentBytes != nil {
			sizes[k] += *q.SentBytes
		}
		if q.ReceivedBytes != nil {
			sizes[k] += *q.ReceivedBytes
		}
	}
	sorted := slices.Sorted(slices.Values(sizes))
	border, widest := 0.0, 1.2
	for k := 1; k < len(sorted); k++ {
		if wide := sorted[k] / max(sorted[k-1], 1); wide > widest {
			border, widest = sorted[k], wide
		}
	}
	if border == 0 {
		return out, "", false
	}
	out.Targets = slices.Clone(out.Targets)
	t := &out.Targets[i]
	var kept []profiles.Request
	var weight, all float64
	for k, q := range t.Requests {
		all += float64(q.Weight)
		if (sizes[k] >= border) == (e == inquiry.Large) {
			kept = append(kept, q)
			weight += float64(q.Weight)
		}
	}
	t.Requests = kept
	if all > 0 && weight > 0 {
		p.only(&out, weight/all)
	}
	word := "below"
	if e == inquiry.Large {
		word = "of"
	}
	return out, fmt.Sprintf("only requests %s %.0f bytes, with their answer", word, border), true
}

// byAddress sends everything to the address with most of the failures, or to another.
func (p *Plan) byAddress(out profiles.Profile, e inquiry.Experiment) (profiles.Profile, string, bool) {
	i := slices.IndexFunc(out.Targets, func(t profiles.Target) bool { return t.Name == p.Target })
	if i < 0 || len(p.of.ByAddress) < 2 || out.Targets[i].ConnectTo != "" {
		return out, "", false
	}
	share := func(a report.Address) float64 { return float64(a.Failed) / float64(max(a.Attempts, 1)) }
	worst, best := 0, 0
	for k, a := range p.of.ByAddress {
		if share(a) > share(p.of.ByAddress[worst]) {
			worst = k
		}
		if share(a) < share(p.of.ByAddress[best]) {
			best = k
		}
	}
	k := worst
	if e == inquiry.OtherAddresses {
		k = best
	}
	if worst == best {
		return out, "", false
	}
	out.Targets = slices.Clone(out.Targets)
	out.Targets[i].ConnectTo = p.of.ByAddress[k].Address
	var all uint64
	for _, a := range p.of.ByAddress {
		all += a.Attempts
	}
	p.only(&out, float64(p.of.ByAddress[k].Attempts)/float64(max(all, 1)))
	return out, "only " + p.of.ByAddress[k].Address, true
}
