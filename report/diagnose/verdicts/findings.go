// Package verdicts concludes from ranked causes: what is claimed, what stays open, what was
// late and what was well, what each resource has to do with it, in sentences.
package verdicts

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/gather"
	"github.com/rampload/rampload/report/diagnose/inquiry"
	"github.com/rampload/rampload/report/diagnose/kernels"
	"github.com/rampload/rampload/report/diagnose/says"
	"github.com/rampload/rampload/report/diagnose/signals"
	"github.com/rampload/rampload/report/diagnose/words"
	"github.com/rampload/rampload/report/format"
	"github.com/rampload/rampload/report/runlog"
)

// Findings concludes for every target; the first is the verdict of the run (see order). What
// several targets need is advised once.
func Findings(a *evidence.Run, cases []*inquiry.Investigation, g evidence.GeneratorState) []Finding {
	var out []Finding
	for _, c := range cases {
		out = append(out, lookBehind(c, deepen(c, conclude(c, g)))...)
	}
	if len(out) == 0 {
		out = append(out, Finding{
			Verdict: Inconclusive, Cause: "unexplained",
			Summary: "The run log holds no load, so nothing can be concluded.",
			Advice:  []string{"repeat the run; if it ended at once, the log of the run says why"},
		})
	}
	order(out, cases)
	adviseOnce(out, cases)
	return out
}

// deepen adds to findings what is known less precisely than their cause.
func deepen(c *inquiry.Investigation, findings []Finding) []Finding {
	for i := range findings {
		f := &findings[i]
		switch f.Verdict {
		case Explains, Ambiguous:
			for _, h := range c.Hypotheses {
				if h.Cause == f.Cause {
					f.Tier, f.Mechanism = tierOf(c, h), h.Rule.Mechanism
					break
				}
			}
			if f.Verdict == Ambiguous && i == 0 {
				f.Tier, f.Mechanism = depth(c)
			}
		case Unexplained, Inconclusive:
			if len(c.Facts) > 0 {
				f.Tier, f.Mechanism = depth(c)
			}
		case GeneratorLimited:
			f.Tier, f.Mechanism = report.TierClient, report.MechanismExhausted
		}
	}
	return findings
}

// conclude gives the findings of one target, the most important first.
func conclude(c *inquiry.Investigation, g evidence.GeneratorState) []Finding {
	switch attempts := evidence.Sum(c.Target.Attempts); {
	case c.Censored:
		return []Finding{limited(c, g)}
	case attempts < evidence.FewAttempts && !c.Faulty():
		return []Finding{finding(c, Inconclusive, "unexplained", 0,
			fmt.Sprintf("Only %s of %s ended, too few to conclude anything.", format.Counted(attempts, "attempt"), c.Name()))}
	case !c.Faulty():
		if f := degraded(c, g); f != nil {
			return []Finding{*f}
		}
		return []Finding{healthy(c, g)}
	}
	var first, second *inquiry.Hypothesis
	if len(c.Hypotheses) > 0 {
		first = c.Hypotheses[0]
	}
	if len(c.Hypotheses) > 1 {
		second = c.Hypotheses[1]
	}
	rival := c.None
	if second != nil {
		rival = max(rival, second.Posterior)
	}
	// Requests that cross the graceful end of an HTTP/2 connection were not begun:
	// clients send them again.
	crossed := c.Parts.Share(attack.HTTP2GoAway) >= 0.9 && c.Parts.Failed < 0.005*c.Parts.Attempts
	minor := c.Onset.Status == evidence.NoOnset && (c.Parts.Failed < 10 && !c.Parts.Restless() || crossed)
	switch {
	case evidence.SpeaksOther(c.Case) != "":
		return []Finding{mistaken(c, g)}
	case first != nil && first.Posterior >= first.ClaimedAt() && first.Posterior >= evidence.ExplainsBy*rival && first.Measured && first.Proven:
		return []Finding{explained(c, first, g)}
	case minor && c.None > 0.2 && c.Parts.Failed < 0.01*c.Parts.Attempts:
		if f := degraded(c, g); f != nil {
			return []Finding{*f}
		}
		return []Finding{healthy(c, g)}
	case evidence.Unlike(c.Case) && (first == nil || !first.Proven):
		return []Finding{unlike(c, g)}
	case evidence.Hidden(c.Case) != "":
		f := finding(c, Inconclusive, "unexplained", c.None, onsetSentence(c)+" "+evidence.Hidden(c.Case))
		f.Evidence, f.RuledOut, f.Advice = onsetEvidence(c), excluded(c, nil, g), c.WouldDecide()
		return []Finding{f}
	case first != nil && first.Posterior > c.None && first.Posterior >= 0.2:
		return ambiguous(c, g)
	}
	return []Finding{unexplained(c, g)}
}

func finding(c *inquiry.Investigation, v Verdict, cause string, confidence float64, summary string) Finding {
	return Finding{Target: c.Target.Info.Name, Verdict: v, Cause: cause, Confidence: confidence, Summary: summary}
}

func limited(c *inquiry.Investigation, g evidence.GeneratorState) Finding {
	what := map[string]string{
		"client-ephemeral-ports":  "ran out of local ports",
		"client-file-descriptors": "ran out of file descriptors",
		"client-cpu":              "could not keep up",
	}[g.Cause]
	f := finding(c, GeneratorLimited, g.Cause, 0.99, fmt.Sprintf(
		"This machine %s at %s: %s. %s is not judged above that load; below it %s.",
		what, c.Run.LoadText(g.Load, g.At.Seconds()), g.Reason, strings.ToUpper(c.Name()[:1])+c.Name()[1:], below(c, g.At.Seconds())))
	f.Host, f.Process = evidence.LocalHost, evidence.LocalProcess
	f.Resource = ownResource(g.Cause)
	at := g.At
	f.Evidence = append(f.Evidence, inquiry.Evidence{Source: "client", Text: g.Reason, At: &at})
	for _, r := range c.Run.Resources {
		own := evidence.GeneratorOwn(r.Metric) || r.Metric.Host == evidence.LocalHost && r.Metric.Process == "" &&
			(r.Metric.Name == probe.EphemeralPorts || r.Metric.Name == probe.TimeWait || r.Metric.Name == probe.CPU)
		if own && r.Full != nil {
			f.Evidence = append(f.Evidence, inquiry.Evidence{Source: "probe of " + evidence.LocalHost, Text: r.Describe(), At: words.Pointer(r.Full.At)})
		}
	}
	if !math.IsNaN(g.CPU) {
		f.Evidence = append(f.Evidence, inquiry.Evidence{Source: "probe of " + evidence.LocalHost, Text: fmt.Sprintf("rampload used at most %s of the processor; its 99th percentile of lag was %s", format.Percent(g.CPU), format.Seconds(g.LagP99.Seconds()))})
	}
	f.Advice = clientAdvice(c, g)
	return f
}

// ownResource is the resource of the generator that a cause of its own speaks of.
func ownResource(cause string) string {
	return map[string]string{
		"client-ephemeral-ports": probe.EphemeralPorts, "client-file-descriptors": probe.OpenFiles, "client-cpu": probe.ProcessCPU,
	}[cause]
}

// below says what the target did before a time.
func below(c *inquiry.Investigation, at float64) string {
	end := c.Run.Window(at)
	failed, all := evidence.Sum(c.Target.Failed[:end]), evidence.Sum(c.Target.Attempts[:end])
	if failed == 0 {
		return fmt.Sprintf("none of %s attempts failed", format.Number(all))
	}
	return fmt.Sprintf("%s of %s attempts failed", format.Number(failed), format.Number(all))
}

func healthy(c *inquiry.Investigation, g evidence.GeneratorState) Finding {
	t := c.Target.Total
	bound := upper(t.Failed, t.Attempts)
	first := fmt.Sprintf("No failures: 0 of %s attempts (at most %s) up to %s.", format.Number(t.Attempts), format.Bound(bound), c.Run.AchievedText())
	if t.Failed > 0 {
		first = fmt.Sprintf("No onset: %s of %s attempts failed (at most %s) up to %s, without a rise.", format.Number(t.Failed), format.Number(t.Attempts), format.Bound(bound), c.Run.AchievedText())
	}
	f := finding(c, Healthy, "healthy", 1-bound, first)
	if t.Failed > 0 {
		f.Evidence = append(f.Evidence, inquiry.Evidence{Source: "client", Text: evidence.Mixture(c.Case)})
	}
	if t.Idle > 0 {
		f.Evidence = append(f.Evidence, inquiry.Evidence{Source: "client", Text: fmt.Sprintf("%s on pooled connections without a request in flight; no request noticed", format.Counted(t.Idle, "reset"))})
	}
	for _, e := range incidents(c.Case) {
		f.Summary += fmt.Sprintf(" Seen meanwhile: %s.", e.Text)
		f.Evidence = append(f.Evidence, e)
	}
	f.Evidence = append(f.Evidence, vanished(c, &f.Summary)...)
	for i, r := range nearest(c) {
		words := "; "
		if i == 0 {
			words = " Nearest to its limit was "
			f.Resource, f.Host, f.Process, f.PID = r.Metric.Name, r.Metric.Host, r.Metric.Process, r.Metric.PID
		}
		f.Summary += fmt.Sprintf("%s%s: %s", words, evidence.Place(r), r.Headroom())
		f.Nearest = append(f.Nearest, r.Metric)
	}
	if len(f.Nearest) > 0 {
		f.Summary += "."
	}
	if missing := c.Unseen(); len(missing) > 0 {
		f.Evidence = append(f.Evidence, inquiry.Evidence{Source: "sources", Text: "not seen: " + words.List(missing)})
	}
	f.RuledOut = excluded(c, nil, g)
	return f
}

// vanished tells of a run without failures what the kernels on the way dropped or
// rejected all the same: the first of what harms also in the summary.
func vanished(c *inquiry.Investigation, summary *string) (list []inquiry.Evidence) {
	const most = 3
	all := kernels.DroppedThroughout(c.Case)
	harmful := slices.DeleteFunc(slices.Clone(all), func(v kernels.Dropped) bool { return !v.Harms() })
	for i, v := range harmful[:min(most, len(harmful))] {
		if i == 0 {
			*summary += fmt.Sprintf(" All the same, %s.", v.Text())
		}
		list = append(list, inquiry.Evidence{Source: "kernel of " + v.Host, Text: v.Text(), At: words.Pointer(v.First)})
	}
	if n := len(harmful) - most; n > 0 {
		list = append(list, inquiry.Evidence{Source: "kernels", Text: fmt.Sprintf("%s more of packets that were dropped or rejected", format.Counted(float64(n), "kind"))})
	}
	return list
}

// busyFrom is the utilisation that is told beside the nearest limit; farFrom the use
// of a limit below which it is not worth telling before a processor's.
const busyFrom, farFrom = 0.8, 0.25

// nearest returns the resource of the serving hosts that came closest to a limit
// that refuses, and behind it the busiest capacity that slows, if that was busy: a
// full processor harms nobody by itself. Where every limit that refuses is far, it
// is the capacity alone.
func nearest(c *inquiry.Investigation) []*evidence.Resource {
	var limit, busy *evidence.Resource
	for _, r := range c.Run.Resources {
		serves := slices.ContainsFunc(c.Hops, func(h evidence.Hop) bool { return h.Has(r.Metric.Host) })
		if !serves || evidence.GeneratorOwn(r.Metric) || math.IsNaN(r.Most) || r.Counter != nil || r.Metric.Name == probe.CPUCore || r.Metric.Name == probe.IOWait || !probe.Tells(r.Metric.Name, r.Most) || r.Beyond() {
			continue
		}
		best := &limit
		if r.Def.Kind == probe.Utilisation {
			best = &busy
		}
		if *best == nil || r.Most > (*best).Most {
			*best = r
		}
	}
	switch {
	case limit == nil && busy == nil:
		return nil
	case limit == nil, busy != nil && limit.Most < min(farFrom, busy.Most):
		return []*evidence.Resource{busy}
	case busy == nil || busy.Most < busyFrom:
		return []*evidence.Resource{limit}
	}
	return []*evidence.Resource{limit, busy}
}

func explained(c *inquiry.Investigation, h *inquiry.Hypothesis, g evidence.GeneratorState) Finding {
	f := finding(c, Explains, h.Cause, h.Posterior, onsetSentence(c)+" "+causeSentence(c, h))
	fill(c, &f, h)
	f.Evidence = evidenceFor(c, h)
	if g, ok := c.Leak(h); ok {
		how := "with all that was sent"
		if g.Load > 0 {
			how = "at a constant load"
		}
		f.Summary += fmt.Sprintf(" It had grown %s: it would come at any load, sooner or later.", how)
	}
	f.RuledOut = excluded(c, h, g)
	f.Advice = h.Advice(c)
	return f
}

// ambiguous names the causes that fit. The first says what happened; the others
// only what is their own.
func ambiguous(c *inquiry.Investigation, g evidence.GeneratorState) []Finding {
	var out []Finding
	var names []string
	said := map[string]bool{}
	for _, h := range c.Hypotheses {
		if len(out) == evidence.MostOfThese || h.Posterior < evidence.CandidateAt && len(out) > 0 {
			break
		}
		names = append(names, fmt.Sprintf("%s (%s)", h.Cause, format.Percent(h.Posterior)))
		f := finding(c, Ambiguous, h.Cause, h.Posterior, "")
		fill(c, &f, h)
		for _, e := range evidenceFor(c, h) {
			if !said[e.Text] {
				said[e.Text] = true
				f.Evidence = append(f.Evidence, e)
			}
		}
		f.RuledOut = excluded(c, h, g)
		if len(out) == 0 {
			f.Summary = onsetSentence(c) + " " + causeSentence(c, h)
			f.Advice = append(c.WouldDecide(), h.Advice(c)...)
		} else {
			f.Summary = fmt.Sprintf("Or %s (%s): %s", h.Cause, format.Percent(h.Posterior), causeSentence(c, h))
			f.Advice = h.Advice(c)
		}
		out = append(out, f)
	}
	settle := "settle"
	if len(out) == 1 {
		settle = "prove"
	}
	out[0].Summary += fmt.Sprintf(" The evidence does not %s it: %s, something else %s.", settle, strings.Join(names, ", "), format.Percent(max(0, 1-shares(out))))
	return out
}

func shares(f []Finding) float64 {
	s := 0.0
	for _, x := range f {
		s += x.Confidence
	}
	return s
}

func unexplained(c *inquiry.Investigation, g evidence.GeneratorState) Finding {
	f := finding(c, Unexplained, "unexplained", c.None, onsetSentence(c)+" Nothing that was watched ran out at that time, and nothing else seen names a cause.")
	if len(c.Hypotheses) > 0 && c.Hypotheses[0].Posterior >= 0.05 {
		h := c.Hypotheses[0]
		f.Summary += fmt.Sprintf(" The least unlikely is %s (%s).", h.Cause, format.Percent(h.Posterior))
	}
	f.Evidence = onsetEvidence(c)
	if r := c.Onset.Climber; r != nil {
		f.Resource, f.Host, f.Process, f.PID = r.Metric.Name, r.Metric.Host, r.Metric.Process, r.Metric.PID
	}
	at, waited := gather.Culprit(c.Case)
	switch h, known := reachedHop(c); {
	case waited:
		f.Host, f.Process = at.Host, at.Process()
		f.Summary += " " + whereItStands(c, at)
	case known:
		f.Host, f.Process = h.Host, h.Process()
		f.Summary += fmt.Sprintf(" What failed came as far as %s and no further: it is there that requests fail.", h.Place())
		if said := c.Facts[h.Index][evidence.Replied]; said.Is == evidence.Yes {
			f.Summary += " " + words.Capital(said.Text) + "."
		}
		f.Summary += lastingState(c)
		for _, x := range []evidence.Clue{evidence.Replied, evidence.Came, evidence.TurnedAway, evidence.EndsThem, evidence.TriedInVain} {
			if y := c.Facts[h.Index][x]; y.Is == evidence.Yes {
				f.Evidence = append(f.Evidence, inquiry.Evidence{Source: y.Source, Text: y.Text})
			}
		}
	}
	f.RuledOut = excluded(c, nil, g)
	if c.Parts.Fault[attack.Status] > 0.5*c.Parts.Failed && c.Run.Log.Header.Role != runlog.RoleWatcher {
		f.Advice = append(f.Advice, fmt.Sprintf("read the log of %s for the transaction ids of the failed requests (X-Transaction-Id): it answered them itself%s", c.Name(), evidence.Codes(c.Case, attack.Status)))
	}
	f.Advice = append(f.Advice, c.WouldDecide()...)
	return f
}

func fill(c *inquiry.Investigation, f *Finding, h *inquiry.Hypothesis) {
	if h.Rule.Mechanism == report.MechanismIdle {
		f.Idle = c.IdleFrom
	}
	f.Host, f.Process, f.PID = h.Host, h.Process, h.Pid
	if f.Process == "" && h.Rule.Leg != inquiry.Path {
		f.Process = h.Hop.Process()
		if h.Hop.Station != nil && h.Hop.Assumed {
			f.Process = h.Hop.Station.Place()
		}
	}
	if h.Rule.Cause == "credentials" {
		if host, others := gather.RefusedCaller(c.Case, h.Hop, says.Credentials); host != "" {
			f.Host, f.Process = host, c.Hops[h.Hop.Index-1].Process()
			f.Summary += fmt.Sprintf(" %s refused %s alone, and none of the %d others that ask it: it is what %s says of itself.", h.Hop.Place(), host, others, host)
			return
		}
	}
	if h.Rule.Mechanism == report.MechanismDNS && h.Told && h.Host != "" {
		return // whose names they are is known
	}
	if h.Rule.Leg == inquiry.Path && h.Lead == nil && h.Counter == nil && h.Cause != "host-firewall" {
		f.Host = "" // somewhere on the way
		if len(c.Routers) == 1 {
			f.Host = c.Routers[0]
		}
		f.Host = cmp.Or(dropper(c, h), f.Host)
		return
	}
	switch {
	case h.Lead != nil:
		f.Resource = h.Lead.Metric.Name
	case h.Counter != nil:
		f.Resource = h.Counter.Metric.Name
	}
	if f.Process == "" && f.PID == 0 && h.Hop.Index < len(c.Wires) {
		v := c.Wires[h.Hop.Index]
		f.PID = v.Pid
		if by := signals.ByWhom(v); by != "" {
			f.Process = strings.TrimPrefix(by, " by ")
		}
	}
	if d := inquiry.FirstDeath(c, h); d != nil && f.Process == "" && slices.ContainsFunc(h.Rule.Any, func(x evidence.Clue) bool {
		return x == evidence.Died || x == evidence.WorkersDied || x == evidence.OutOfMemory
	}) {
		f.Process, f.PID = d.Process, d.Pid
	}
	if c.Address != nil && h.Hop.Index == 0 && c.Address.Host != "" && h.Rule.Leg == inquiry.Server {
		f.Host = c.Address.Host
	}
	if c.Address != nil && h.Hop.Index == 0 && evidence.ProcessesOf(c.Case, h.Hop, f.Process) > 1 {
		f.PID = 0 // which of them serves the address is not known
	}
}

// dropper returns the host whose kernel says that it dropped or rejected what a cause of
// the path is about; empty where none says so.
func dropper(c *inquiry.Investigation, h *inquiry.Hypothesis) string {
	for _, x := range []evidence.Clue{evidence.FilterDropped, evidence.TrackingDropped, evidence.ReverseDropped, evidence.TooBigDropped, evidence.PathRejected, evidence.Unanswered, evidence.DroppedInPart} {
		f := c.Facts[h.Hop.Index][x]
		if host, ok := strings.CutPrefix(f.Source, "kernel of "); ok && f.Is == evidence.Yes && slices.Contains(h.Rule.Proof, x) {
			return host
		}
	}
	return ""
}

// ResourceVerdict is what a resource has to do with the resets.
type ResourceVerdict string

// The verdicts of a resource.
const (
	Cause          ResourceVerdict = "cause"
	Candidate      ResourceVerdict = "candidate"
	RuledOut       ResourceVerdict = "ruled-out"
	FullThroughout ResourceVerdict = "full-throughout"
	Headroom       ResourceVerdict = "headroom"
	SymptomOnly    ResourceVerdict = "symptom"
	NotMeasured    ResourceVerdict = "not-measured"
)

// Resource is one watched metric with what was concluded of it.
type Resource struct {
	Metric    probe.Metric
	Limit     float64 // NaN: unknown
	Peak      float64
	Saturated *evidence.Span // seconds; nil: never
	Load      float64        // at saturation
	Lag       *evidence.Span // onset less saturation, seconds
	Verdict   ResourceVerdict
	Reason    string
	Posterior float64 // share of belief in [0,1]; 0 when not ranked
	Inferred  bool    // the limit was inferred from a plateau
}

// Verdict is the verdict of a finding.
type Verdict string

// The verdicts of a finding.
const (
	Healthy          Verdict = "healthy"
	Degraded         Verdict = "degraded" // nothing failed, but answers came late for a reason of its own
	Explains         Verdict = "explains"
	Ambiguous        Verdict = "ambiguous"
	Unexplained      Verdict = "unexplained"
	Inconclusive     Verdict = "inconclusive"
	GeneratorLimited Verdict = "generator-limited"
)

// Exclusion is one thing that did not cause it, and why.
type Exclusion struct{ What, Reason string }

// Finding is one conclusion about one target.
type Finding struct {
	Target     string
	Verdict    Verdict
	Cause      string // key of the cause catalogue
	Host       string
	Process    string
	PID        int32
	Resource   string
	Tier       report.Tier      // where the cause lives; empty: not known
	Mechanism  report.Mechanism // what happened there; empty: not known
	Confidence float64
	Idle       float64 // seconds of rest from which on connections failed; 0: it is not about rest
	Summary    string
	Evidence   []inquiry.Evidence
	RuledOut   []Exclusion
	Advice     []string
	Nearest    []probe.Metric // of a pass: what came nearest to its limit, and a capacity that was busy
}
