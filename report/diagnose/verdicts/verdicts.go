package verdicts

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose/causes"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
	"github.com/rampload/rampload/report/diagnose/kernels"
	"github.com/rampload/rampload/report/diagnose/ranking"
	"github.com/rampload/rampload/report/diagnose/words"
	"github.com/rampload/rampload/report/format"
	"github.com/rampload/rampload/report/runlog"
	"github.com/rampload/rampload/report/stats"
)

func upper(failed, all float64) float64 { return stats.UpperShare(failed, all, 0.95) }

// ResourceVerdicts says of every watched metric what it has to do with the
// faults, and lists what should have been watched and was not.
func ResourceVerdicts(a *evidence.Run, cases []*inquiry.Investigation, g evidence.GeneratorState) []Resource {
	var out []Resource
	for _, r := range a.Resources {
		x := verdict(a, r, caseOf(r, cases))
		if g.Limited && x.Saturated != nil && r.Metric.Name == ownResource(g.Cause) && (evidence.GeneratorOwn(r.Metric) || r.Metric.Name == probe.EphemeralPorts && r.Metric.Host == evidence.LocalHost) {
			x.Verdict, x.Reason = Cause, "the generator's own limit"
		}
		out = append(out, x)
	}
	for _, c := range cases {
		for _, h := range c.Watchable() {
			if h.Host != "" && !kernels.WatchesProcess(c.Case, h) {
				out = append(out, unwatched(a, h))
			}
		}
	}
	return out
}

// caseOf returns the investigation that a resource is held against: a faulty
// target that its host serves, else any faulty one, nil if all is well.
func caseOf(r *evidence.Resource, cases []*inquiry.Investigation) *inquiry.Investigation {
	var any *inquiry.Investigation
	for _, c := range cases {
		if !c.Faulty() {
			continue
		}
		if any == nil {
			any = c
		}
		for _, h := range c.Watchable() {
			if h.Has(r.Metric.Host) {
				return c
			}
		}
	}
	return any
}

func unwatched(a *evidence.Run, h evidence.Hop) Resource {
	reason := "no process of this host was watched: name one under hosts"
	if a.Log.Trailer != nil {
		for _, s := range a.Log.Trailer.Sources {
			if h.Has(s.Source.Host) && strings.HasPrefix(s.Source.Name, "process") && s.State == probe.NotMeasured {
				reason = s.Reason
			}
		}
	}
	return Resource{
		Metric: probe.Metric{Host: h.Host, Name: probe.OpenFiles}, Limit: math.NaN(), Peak: math.NaN(), Load: math.NaN(),
		Verdict: NotMeasured, Reason: reason,
	}
}

func verdict(a *evidence.Run, r *evidence.Resource, c *inquiry.Investigation) Resource {
	out := Resource{Metric: r.Metric, Limit: r.Limit, Peak: r.Peak, Load: math.NaN()}
	s := r.Full
	if r.Counter != nil {
		s, out.Peak = r.Counter.Start, r.Counter.Total
	} else if s == nil && r.Level != nil && r.Level.Pinned {
		s, out.Inferred = r.Level, true
	}
	if s != nil && r.Def.Kind != probe.Symptom {
		out.Saturated = &evidence.Span{Value: s.At, Low: s.Low, High: s.High}
		out.Load = a.LoadAt(s.At)
	}
	judgeVerdict(a, r, s, c, &out)
	return out
}

func judgeVerdict(a *evidence.Run, r *evidence.Resource, s *evidence.Saturation, c *inquiry.Investigation, out *Resource) {
	switch {
	case r.Def.Kind == probe.Symptom:
		out.Verdict, out.Reason = SymptomOnly, "moves because of resets, never their cause"
		return
	case len(r.Value) == 0 && r.Counter == nil:
		out.Verdict, out.Reason = NotMeasured, "no reading during the load"
		return
	}
	var best *inquiry.Hypothesis
	if c != nil {
		for _, h := range c.Hypotheses {
			if (h.Lead == r || h.Counter == r) && (best == nil || h.Posterior > best.Posterior) {
				best = h
			}
		}
	}
	dated := c != nil && (c.Onset.Status == evidence.Found || c.Onset.Status == evidence.Transient || c.Onset.Status == evidence.Periodic)
	if s != nil && dated {
		out.Lag, _ = ranking.Lag(c, s, r.Metric.Host)
	}
	if best != nil {
		out.Posterior = best.Posterior
		if best == c.Hypotheses[0] && best.Posterior >= best.ClaimedAt() && !c.Censored {
			out.Verdict, out.Reason = Cause, relativeTo(c, r, s)
			return
		}
	}
	switch {
	case evidence.Waiting(r.Metric.Name):
		out.Verdict, out.Reason = SymptomOnly, "time that tasks waited: it shows that something is short, and has no limit of its own"
		out.Saturated, out.Lag, out.Load = nil, nil, math.NaN()
	case r.Beyond():
		out.Verdict, out.Reason = RuledOut, "counts pages that are shared with other processes: what its cgroup is charged is what is limited"
		out.Limit, out.Saturated, out.Lag, out.Load = math.NaN(), nil, nil, math.NaN()
	case s == nil && r.Counter != nil:
		out.Verdict, out.Reason = RuledOut, "did not move"
	case s == nil:
		judgeRoom(a, r, c, out)
	case evidence.GeneratorOwn(r.Metric):
		out.Verdict, out.Reason = RuledOut, "of the generator; see there"
	case r.Throughout || r.Counter != nil && r.Counter.Throughout:
		out.Verdict, out.Reason = FullThroughout, "from the start of the load: tells nothing of when faults begin"
		if c == nil {
			out.Reason = "from the start of the load, and nothing failed"
		}
	case c == nil:
		out.Verdict, out.Reason = RuledOut, fmt.Sprintf("at %s, and nothing failed", format.Seconds(s.At))
	case !dated:
		before, after := c.Target.Compose(0, a.Window(s.At)), c.Target.Compose(a.Window(s.At), a.N)
		if stats.LowerShare(after.Failed, after.Attempts, 0.99) <= 2*stats.UpperShare(before.Failed, before.Attempts, 0.99) {
			out.Verdict, out.Reason = RuledOut, fmt.Sprintf("at %s, and the share of failures did not change", format.Seconds(s.At))
			break
		}
		out.Verdict, out.Reason = Candidate, fmt.Sprintf("at %s; %s of %s attempts failed before, %s of %s from there on", format.Seconds(s.At),
			format.Number(before.Failed), format.Number(before.Attempts), format.Number(after.Failed), format.Number(after.Attempts))
	default:
		judgeOrder(a, r, s, c, out)
	}
}

// judgeOrder rules out by the order in time, with the error of both times.
func judgeOrder(a *evidence.Run, r *evidence.Resource, s *evidence.Saturation, c *inquiry.Investigation, out *Resource) {
	if a.ClockError(r.Metric.Host) > evidence.MaxClockError {
		out.Verdict, out.Reason = Candidate, "its host's clock is too far off to tell what came first"
		return
	}
	lag, sigma := ranking.Lag(c, s, r.Metric.Host)
	tau := evidence.TauHard
	switch {
	case r.Counter != nil:
		tau = evidence.TauCounter
	case r.Def.Kind == probe.Utilisation || s.Corner:
		tau = evidence.TauUse
	}
	verb := "full"
	if r.Counter != nil {
		verb = "moved"
	} else if r.Full == nil {
		verb = "stopped growing"
	}
	switch {
	case lag.Value < -2.6*sigma:
		out.Verdict, out.Reason = RuledOut, fmt.Sprintf("%s only %s after the onset", verb, format.Seconds(-lag.Value))
	case lag.Value > 2.6*sigma+5*tau:
		out.Verdict, out.Reason = RuledOut, fmt.Sprintf("%s %s before the onset, without failures", verb, format.Seconds(lag.Value))
	case r.Full == nil && r.Counter == nil && r.Limit > 0 && r.Most < 0.5:
		out.Verdict, out.Reason = RuledOut, fmt.Sprintf("%s %s, far from its limit (%s)", verb, c.Relative(s.At), format.Percent(r.Most))
	case r.Full == nil && r.Counter == nil && math.IsNaN(r.Most) && out.Posterior < evidence.CandidateAt:
		out.Verdict, out.Reason = RuledOut, fmt.Sprintf("%s %s; it has no limit that is known, and the faults tell of none", verb, c.Relative(s.At))
	case r.Full == nil && r.Counter == nil:
		out.Verdict, out.Reason = Candidate, fmt.Sprintf("%s %s", verb, c.Relative(s.At))
	case out.Posterior >= 0.02:
		out.Verdict, out.Reason = Candidate, fmt.Sprintf("%s %s; less likely than the cause", verb, c.Relative(s.At))
		if len(c.Hypotheses) > 0 && c.Hypotheses[0].Posterior < c.Hypotheses[0].ClaimedAt() {
			out.Reason = fmt.Sprintf("%s %s", verb, c.Relative(s.At))
		}
	default:
		out.Verdict, out.Reason = Candidate, fmt.Sprintf("%s %s, but the faults are not of its kind", verb, c.Relative(s.At))
	}
}

func relativeTo(c *inquiry.Investigation, r *evidence.Resource, s *evidence.Saturation) string {
	switch {
	case s == nil:
		return "the cause"
	case r.Counter != nil:
		return "began to move " + c.Relative(s.At)
	}
	return "ran out " + c.Relative(s.At)
}

// judgeRoom says how much room a resource had left. It is room only if the next
// reading could not have been full, and if it was read around the onset.
func judgeRoom(a *evidence.Run, r *evidence.Resource, c *inquiry.Investigation, out *Resource) {
	if c != nil && c.Onset.Status != evidence.NoOnset && !evidence.GeneratorOwn(r.Metric) {
		if g := a.GapAt(r, c.Onset.At); g != nil {
			out.Verdict, out.Reason = NotMeasured, fmt.Sprintf("no reading for %s around the onset", format.Seconds(g.To-g.From))
			return
		}
	}
	switch {
	case math.IsNaN(r.Most):
		out.Verdict, out.Reason = Headroom, fmt.Sprintf("%s at most; no limit is known", format.Amount(r.Peak, r.Def.Unit))
	case r.Most+3*r.Jump < 1:
		out.Verdict, out.Reason = Headroom, fmt.Sprintf("%s at most", r.Headroom())
	default:
		out.Verdict, out.Reason = RuledOut, fmt.Sprintf("%s at most, never full for long", r.Headroom())
	}
}

// mainResources are those that a reader asks for first.
var mainResources = []string{
	probe.CPU, probe.ProcessCPU, probe.CgroupCPU, probe.Memory, probe.RSS, probe.CgroupMemory, probe.OpenFiles,
	probe.ListenQueue, probe.ListenOverflows, probe.SynQueue, probe.Conntrack, probe.EphemeralPorts, probe.Threads, probe.OOMKills, probe.CPUThrottled,
}

// excluded lists what did not cause it: what ran out at another time, what had
// room, and the generator.
func excluded(c *inquiry.Investigation, top *inquiry.Hypothesis, g evidence.GeneratorState) []Exclusion {
	var byTime, room []Exclusion
	type line struct {
		r   *evidence.Resource
		res Resource
	}
	best := map[string]line{}
	for _, r := range c.Run.Resources {
		serves := slices.ContainsFunc(c.Hops, func(h evidence.Hop) bool { return h.Has(r.Metric.Host) })
		if (r.Metric.Name == probe.ListenQueue || r.Metric.Name == probe.SynQueue) &&
			!slices.ContainsFunc(c.Hops, func(h evidence.Hop) bool { return h.Has(r.Metric.Host) && c.Listens(r.Metric.Instance, h) }) {
			continue // of another service on that host
		}
		if !serves || evidence.GeneratorOwn(r.Metric) || top != nil && (top.Lead == r || top.Counter == r) || c.Onset.Climber == r || r.Metric.Name == probe.CPUCore {
			continue
		}
		if top != nil && top.Lead != nil && top.Lead.Metric.Name == r.Metric.Name && r.Full != nil {
			continue
		}
		if inquiry.ProcessorBound(c, top) && slices.Contains([]string{probe.ProcessCPU, probe.CgroupCPU, probe.CPUThrottled}, r.Metric.Name) {
			continue // it is why answers came late
		}
		var res Resource
		if c.Faulty() {
			res = verdict(c.Run, r, c)
		} else {
			res = verdict(c.Run, r, nil)
		}
		what := evidence.Place(r)
		if !severalHosts(c) {
			what = strings.TrimSuffix(what, " on "+r.Metric.Host)
		}
		switch {
		case (res.Verdict == FullThroughout || res.Verdict == RuledOut && res.Saturated != nil) && bearing(r.Metric.Name):
			byTime = append(byTime, Exclusion{what, res.Reason})
		case (res.Verdict == Headroom || res.Verdict == RuledOut) && slices.Contains(mainResources, r.Metric.Name) && (r.Counter != nil || !math.IsNaN(r.Most)):
			if old, ok := best[what]; !ok || words.Finite(r.Most, 0) > words.Finite(old.r.Most, 0) {
				best[what] = line{r, res}
			}
		}
	}
	for _, name := range mainResources {
		for _, what := range words.SortedKeys(best) {
			if best[what].r.Metric.Name == name {
				room = append(room, Exclusion{what, best[what].res.Reason})
			}
		}
	}
	out := append(byTime[:min(len(byTime), evidence.MostExcluded/2)], room...)
	out = out[:min(len(out), evidence.MostExcluded)]
	switch {
	case c.Run.Log.Header.Role == runlog.RoleWatcher: // others sent the load
	case !g.Limited:
		reason := "sent on time"
		if g.LagP99 > 0 {
			reason = fmt.Sprintf("sent within %s of the schedule (99th percentile)", format.Seconds(g.LagP99.Seconds()))
		}
		if !math.IsNaN(g.CPU) {
			reason += fmt.Sprintf(", %s of the processor at most", format.Percent(g.CPU))
		}
		out = append(out, Exclusion{"generator", reason})
	case !c.Censored:
		out = append(out, Exclusion{"generator", fmt.Sprintf("reached its limit only later, at %s/s", format.Number(g.Load))})
	}
	return append(out, contradicted(c, top)...)
}

// bearing reports whether the exhaustion of a resource could cause anything that
// the catalogue knows.
func bearing(name string) bool {
	return slices.ContainsFunc(causes.Catalogue(), func(r inquiry.Rule) bool {
		return slices.Contains(r.Gauges, name) || slices.Contains(r.Counters, name)
	})
}

func severalHosts(c *inquiry.Investigation) bool { return len(c.Watchable()) > 1 }

// contradicted lists causes that a reader would think of and that an observation
// speaks against.
func contradicted(c *inquiry.Investigation, top *inquiry.Hypothesis) []Exclusion {
	var out []Exclusion
	if len(c.Facts) == 0 || !c.Faulty() {
		return nil
	}
	f := c.Facts[0]
	isPath := top != nil && top.Rule.Leg == inquiry.Path
	if f[evidence.SentNone].Is == evidence.No && !isPath {
		out = append(out, Exclusion{"the path (firewall, load balancer, injector)", f[evidence.SentNone].Text})
	} else if f[evidence.Loopback].Is == evidence.Yes && !isPath {
		out = append(out, Exclusion{"the path", "the target is on this machine"})
	}
	alive := func(f *evidence.Facts) bool { return f[evidence.Died].Is == evidence.No }
	if alive(f) && !slices.ContainsFunc(c.Facts, func(f *evidence.Facts) bool { return !alive(f) && f[evidence.Died].Is == evidence.Yes }) {
		out = append(out, Exclusion{"crash or restart", "no watched process ended"})
	}
	return out
}

// FailingHost returns the host that the verdict on a target names, "" where it names none.
func FailingHost(findings []Finding, target string) string {
	for _, f := range findings {
		if f.Target != target {
			continue
		}
		switch f.Verdict {
		case Explains, Ambiguous, Unexplained:
			return f.Host
		}
		return ""
	}
	return ""
}
