package diagnose

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/stats"
)

func upper(failed, all float64) float64 { return stats.UpperShare(failed, all, 0.95) }

// resourceVerdicts says of every watched metric what it has to do with the
// faults, and lists what should have been watched and was not.
func (a *analysis) resourceVerdicts(cases []*investigation, g GeneratorState) []Resource {
	var out []Resource
	for _, r := range a.resources {
		x := a.verdict(r, caseOf(r, cases))
		if g.Limited && x.Saturated != nil && r.metric.Name == ownResource(g.Cause) && (generatorOwn(r.metric) || r.metric.Name == probe.EphemeralPorts && r.metric.Host == localHost) {
			x.Verdict, x.Reason = Cause, "the generator's own limit"
		}
		out = append(out, x)
	}
	for _, c := range cases {
		for _, h := range c.watchable() {
			if h.host != "" && !c.watchesProcess(h) {
				out = append(out, a.unwatched(h))
			}
		}
	}
	return out
}

// caseOf returns the investigation that a resource is held against: a faulty
// target that its host serves, else any faulty one, nil if all is well.
func caseOf(r *resource, cases []*investigation) *investigation {
	var any *investigation
	for _, c := range cases {
		if !c.faulty() {
			continue
		}
		if any == nil {
			any = c
		}
		for _, h := range c.watchable() {
			if h.has(r.metric.Host) {
				return c
			}
		}
	}
	return any
}

func (a *analysis) unwatched(h hop) Resource {
	reason := "no process of this host was watched: name one under hosts"
	if a.log.Trailer != nil {
		for _, s := range a.log.Trailer.Sources {
			if h.has(s.Source.Host) && strings.HasPrefix(s.Source.Name, "process") && s.State == probe.NotMeasured {
				reason = s.Reason
			}
		}
	}
	return Resource{
		Metric: probe.Metric{Host: h.host, Name: probe.OpenFiles}, Limit: math.NaN(), Peak: math.NaN(), Load: math.NaN(),
		Verdict: NotMeasured, Reason: reason,
	}
}

func (a *analysis) verdict(r *resource, c *investigation) Resource {
	out := Resource{Metric: r.metric, Limit: r.limit, Peak: r.peak, Load: math.NaN()}
	s := r.full
	if r.counter != nil {
		s, out.Peak = r.counter.start, r.counter.total
	} else if s == nil && r.level != nil && r.level.pinned {
		s, out.Inferred = r.level, true
	}
	if s != nil && r.def.Kind != probe.Symptom {
		out.Saturated = &Span{s.at, s.low, s.high}
		out.Load = a.loadAt(s.at)
	}
	a.judgeVerdict(r, s, c, &out)
	return out
}

func (a *analysis) judgeVerdict(r *resource, s *saturation, c *investigation, out *Resource) {
	switch {
	case r.def.Kind == probe.Symptom:
		out.Verdict, out.Reason = SymptomOnly, "moves because of resets, never their cause"
		return
	case len(r.value) == 0 && r.counter == nil:
		out.Verdict, out.Reason = NotMeasured, "no reading during the load"
		return
	}
	var best *hypothesis
	if c != nil {
		for _, h := range c.hypotheses {
			if (h.lead == r || h.counter == r) && (best == nil || h.posterior > best.posterior) {
				best = h
			}
		}
	}
	dated := c != nil && (c.onset.Status == Found || c.onset.Status == Transient || c.onset.Status == Periodic)
	if s != nil && dated {
		out.Lag, _ = c.lag(s, r.metric.Host)
	}
	if best != nil {
		out.Posterior = best.posterior
		if best == c.hypotheses[0] && best.posterior >= best.claimedAt() && !c.censored {
			out.Verdict, out.Reason = Cause, c.relativeTo(r, s)
			return
		}
	}
	switch {
	case waiting(r.metric.Name):
		out.Verdict, out.Reason = SymptomOnly, "time that tasks waited: it shows that something is short, and has no limit of its own"
		out.Saturated, out.Lag, out.Load = nil, nil, math.NaN()
	case r.beyond():
		out.Verdict, out.Reason = RuledOut, "counts pages that are shared with other processes: what its cgroup is charged is what is limited"
		out.Limit, out.Saturated, out.Lag, out.Load = math.NaN(), nil, nil, math.NaN()
	case s == nil && r.counter != nil:
		out.Verdict, out.Reason = RuledOut, "did not move"
	case s == nil:
		a.judgeRoom(r, c, out)
	case generatorOwn(r.metric):
		out.Verdict, out.Reason = RuledOut, "of the generator; see there"
	case r.throughout || r.counter != nil && r.counter.throughout:
		out.Verdict, out.Reason = FullThroughout, "from the start of the load: tells nothing of when faults begin"
		if c == nil {
			out.Reason = "from the start of the load, and nothing failed"
		}
	case c == nil:
		out.Verdict, out.Reason = RuledOut, fmt.Sprintf("at %s, and nothing failed", wordSeconds(s.at))
	case !dated:
		before, after := c.t.compose(0, a.window(s.at)), c.t.compose(a.window(s.at), a.n)
		if stats.LowerShare(after.failed, after.attempts, 0.99) <= 2*stats.UpperShare(before.failed, before.attempts, 0.99) {
			out.Verdict, out.Reason = RuledOut, fmt.Sprintf("at %s, and the share of failures did not change", wordSeconds(s.at))
			break
		}
		out.Verdict, out.Reason = Candidate, fmt.Sprintf("at %s; %s of %s attempts failed before, %s of %s from there on", wordSeconds(s.at),
			commas(before.failed), commas(before.attempts), commas(after.failed), commas(after.attempts))
	default:
		a.judgeOrder(r, s, c, out)
	}
}

// judgeOrder rules out by the order in time, with the error of both times.
func (a *analysis) judgeOrder(r *resource, s *saturation, c *investigation, out *Resource) {
	if a.clockError(r.metric.Host) > maxClockError {
		out.Verdict, out.Reason = Candidate, "its host's clock is too far off to tell what came first"
		return
	}
	lag, sigma := c.lag(s, r.metric.Host)
	tau := tauHard
	switch {
	case r.counter != nil:
		tau = tauCounter
	case r.def.Kind == probe.Utilisation || s.corner:
		tau = tauUse
	}
	verb := "full"
	if r.counter != nil {
		verb = "moved"
	} else if r.full == nil {
		verb = "stopped growing"
	}
	switch {
	case lag.Value < -2.6*sigma:
		out.Verdict, out.Reason = RuledOut, fmt.Sprintf("%s only %s after the onset", verb, wordSeconds(-lag.Value))
	case lag.Value > 2.6*sigma+5*tau:
		out.Verdict, out.Reason = RuledOut, fmt.Sprintf("%s %s before the onset, without failures", verb, wordSeconds(lag.Value))
	case r.full == nil && r.counter == nil && r.limit > 0 && r.most < 0.5:
		out.Verdict, out.Reason = RuledOut, fmt.Sprintf("%s %s, far from its limit (%s)", verb, c.relative(s.at), percent(r.most))
	case r.full == nil && r.counter == nil && math.IsNaN(r.most) && out.Posterior < candidateAt:
		out.Verdict, out.Reason = RuledOut, fmt.Sprintf("%s %s; it has no limit that is known, and the faults tell of none", verb, c.relative(s.at))
	case r.full == nil && r.counter == nil:
		out.Verdict, out.Reason = Candidate, fmt.Sprintf("%s %s", verb, c.relative(s.at))
	case out.Posterior >= 0.02:
		out.Verdict, out.Reason = Candidate, fmt.Sprintf("%s %s; less likely than the cause", verb, c.relative(s.at))
		if len(c.hypotheses) > 0 && c.hypotheses[0].posterior < c.hypotheses[0].claimedAt() {
			out.Reason = fmt.Sprintf("%s %s", verb, c.relative(s.at))
		}
	default:
		out.Verdict, out.Reason = Candidate, fmt.Sprintf("%s %s, but the faults are not of its kind", verb, c.relative(s.at))
	}
}

// waiting reports whether a resource is pressure stall information: time that
// tasks waited.
func waiting(name string) bool {
	return name == probe.CPUPressure || name == probe.MemoryPressure || name == probe.IOPressure
}

func (c *investigation) relativeTo(r *resource, s *saturation) string {
	switch {
	case s == nil:
		return "the cause"
	case r.counter != nil:
		return "began to move " + c.relative(s.at)
	}
	return "ran out " + c.relative(s.at)
}

// judgeRoom says how much room a resource had left. It is room only if the next
// reading could not have been full, and if it was read around the onset.
func (a *analysis) judgeRoom(r *resource, c *investigation, out *Resource) {
	if c != nil && c.onset.Status != NoOnset && !generatorOwn(r.metric) {
		if g := a.gapAt(r, c.onset.At); g != nil {
			out.Verdict, out.Reason = NotMeasured, fmt.Sprintf("no reading for %s around the onset", wordSeconds(g.to-g.from))
			return
		}
	}
	switch {
	case math.IsNaN(r.most):
		out.Verdict, out.Reason = Headroom, fmt.Sprintf("%s at most; no limit is known", amount(r.peak, r.def.Unit))
	case r.most+3*r.jump < 1:
		out.Verdict, out.Reason = Headroom, fmt.Sprintf("%s at most", r.headroom())
	default:
		out.Verdict, out.Reason = RuledOut, fmt.Sprintf("%s at most, never full for long", r.headroom())
	}
}

// mainResources are those that a reader asks for first.
var mainResources = []string{
	probe.CPU, probe.ProcessCPU, probe.CgroupCPU, probe.Memory, probe.RSS, probe.CgroupMemory, probe.OpenFiles,
	probe.ListenQueue, probe.ListenOverflows, probe.SynQueue, probe.Conntrack, probe.EphemeralPorts, probe.Threads, probe.OOMKills, probe.CPUThrottled,
}

// excluded lists what did not cause it: what ran out at another time, what had
// room, and the generator.
func (c *investigation) excluded(top *hypothesis, g GeneratorState) []Exclusion {
	var byTime, room []Exclusion
	type line struct {
		r   *resource
		res Resource
	}
	best := map[string]line{}
	for _, r := range c.a.resources {
		serves := slices.ContainsFunc(c.hops, func(h hop) bool { return h.has(r.metric.Host) })
		if (r.metric.Name == probe.ListenQueue || r.metric.Name == probe.SynQueue) &&
			!slices.ContainsFunc(c.hops, func(h hop) bool { return h.has(r.metric.Host) && c.listens(r.metric.Instance, h) }) {
			continue // of another service on that host
		}
		if !serves || generatorOwn(r.metric) || top != nil && (top.lead == r || top.counter == r) || r.metric.Name == probe.CPUCore {
			continue
		}
		if top != nil && top.lead != nil && top.lead.metric.Name == r.metric.Name && r.full != nil {
			continue
		}
		if c.processorBound(top) && slices.Contains([]string{probe.ProcessCPU, probe.CgroupCPU, probe.CPUThrottled}, r.metric.Name) {
			continue // it is why answers came late
		}
		var res Resource
		if c.faulty() {
			res = c.a.verdict(r, c)
		} else {
			res = c.a.verdict(r, nil)
		}
		what := place(r)
		if !c.severalHosts() {
			what = strings.TrimSuffix(what, " on "+r.metric.Host)
		}
		switch {
		case (res.Verdict == FullThroughout || res.Verdict == RuledOut && res.Saturated != nil) && bearing(r.metric.Name):
			byTime = append(byTime, Exclusion{what, res.Reason})
		case (res.Verdict == Headroom || res.Verdict == RuledOut) && slices.Contains(mainResources, r.metric.Name) && (r.counter != nil || !math.IsNaN(r.most)):
			if old, ok := best[what]; !ok || finite(r.most, 0) > finite(old.r.most, 0) {
				best[what] = line{r, res}
			}
		}
	}
	for _, name := range mainResources {
		for _, what := range sortedKeys(best) {
			if best[what].r.metric.Name == name {
				room = append(room, Exclusion{what, best[what].res.Reason})
			}
		}
	}
	out := append(byTime[:min(len(byTime), mostExcluded/2)], room...)
	out = out[:min(len(out), mostExcluded)]
	if !g.Limited {
		reason := "sent on time"
		if g.LagP99 > 0 {
			reason = fmt.Sprintf("sent within %s of the schedule (99th percentile)", wordSeconds(g.LagP99.Seconds()))
		}
		if !math.IsNaN(g.CPU) {
			reason += fmt.Sprintf(", %s of the processor at most", percent(g.CPU))
		}
		out = append(out, Exclusion{"generator", reason})
	} else if !c.censored {
		out = append(out, Exclusion{"generator", fmt.Sprintf("reached its limit only later, at %s/s", commas(g.Load))})
	}
	return append(out, c.contradicted(top)...)
}

// processorBound reports whether a service was slow for lack of processor, which the
// client's timeout only shows.
func (c *investigation) processorBound(h *hypothesis) bool {
	return h != nil && strings.HasSuffix(h.cause, "client-timeout") && h.hop.index < len(c.facts) && c.facts[h.hop.index][processorBusy].is == yes
}

// bearing reports whether the exhaustion of a resource could cause anything that
// the catalogue knows.
func bearing(name string) bool {
	return slices.ContainsFunc(catalogue(), func(r rule) bool {
		return slices.Contains(r.gauges, name) || slices.Contains(r.counters, name)
	})
}

func (c *investigation) severalHosts() bool { return len(c.watchable()) > 1 }

// contradicted lists causes that a reader would think of and that an observation
// speaks against.
func (c *investigation) contradicted(top *hypothesis) []Exclusion {
	var out []Exclusion
	if len(c.facts) == 0 || !c.faulty() {
		return nil
	}
	f := c.facts[0]
	isPath := top != nil && top.rule.leg == path
	if f[sentNone].is == no && !isPath {
		out = append(out, Exclusion{"the path (firewall, load balancer, injector)", f[sentNone].text})
	} else if f[loopback].is == yes && !isPath {
		out = append(out, Exclusion{"the path", "the target is on this machine"})
	}
	alive := func(f *facts) bool { return f[died].is == no }
	if alive(f) && !slices.ContainsFunc(c.facts, func(f *facts) bool { return !alive(f) && f[died].is == yes }) {
		out = append(out, Exclusion{"crash or restart", "no watched process ended"})
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
