package diagnose

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
)

const (
	fewAttempts  = 30  // below, nothing can be concluded
	candidateAt  = 0.1 // posterior of what an ambiguous verdict names
	mostOfThese  = 3
	mostExcluded = 10
	mostEvidence = 12
)

// findings concludes for every target; the first is the verdict of the run. What
// a target is proven to do comes before what the generator could not show, and
// that before what is well.
func (a *analysis) findings(cases []*investigation, g GeneratorState) []Finding {
	var out []Finding
	for _, c := range cases {
		out = append(out, c.conclude(g)...)
	}
	if len(out) == 0 {
		out = append(out, Finding{
			Verdict: Inconclusive, Cause: "unexplained",
			Summary: "The run log holds no load, so nothing can be concluded.",
			Advice:  []string{"repeat the run; if it ended at once, the log of the run says why"},
		})
	}
	slices.SortStableFunc(out, func(x, y Finding) int { return cmp.Compare(severity(x), severity(y)) })
	return out
}

func severity(f Finding) int {
	return slices.Index([]Verdict{Explains, Ambiguous, Unexplained, GeneratorLimited, Inconclusive, Healthy}, f.Verdict)
}

// conclude gives the findings of one target, the most important first.
func (c *investigation) conclude(g GeneratorState) []Finding {
	switch attempts := sum(c.t.attempts); {
	case c.censored:
		return []Finding{c.limited(g)}
	case attempts < fewAttempts && !c.faulty():
		return []Finding{c.finding(Inconclusive, "unexplained", 0,
			fmt.Sprintf("Only %s of %s ended, too few to conclude anything.", count(attempts, "attempt"), c.name()))}
	case !c.faulty():
		return []Finding{c.healthy(g)}
	}
	var first, second *hypothesis
	if len(c.hypotheses) > 0 {
		first = c.hypotheses[0]
	}
	if len(c.hypotheses) > 1 {
		second = c.hypotheses[1]
	}
	rival := c.none
	if second != nil {
		rival = max(rival, second.posterior)
	}
	// Requests that cross the graceful end of an HTTP/2 connection were not begun:
	// clients send them again.
	crossed := c.parts.share(attack.HTTP2GoAway) >= 0.9 && c.parts.failed < 0.005*c.parts.attempts
	minor := c.onset.Status == NoOnset && (c.parts.failed < 10 && !c.parts.restless() || crossed)
	switch {
	case first != nil && first.posterior >= first.claimedAt() && first.posterior >= explainsBy*rival && first.measured:
		return []Finding{c.explained(first, g)}
	case minor && c.none > 0.2 && c.parts.failed < 0.01*c.parts.attempts:
		return []Finding{c.healthy(g)}
	case c.hidden() != "":
		f := c.finding(Inconclusive, "unexplained", c.none, c.onsetSentence()+" "+c.hidden())
		f.Evidence, f.RuledOut, f.Advice = c.onsetEvidence(), c.excluded(nil, g), c.wouldDecide()
		return []Finding{f}
	case first != nil && first.posterior > c.none && first.posterior >= 0.2:
		return c.ambiguous(g)
	}
	return []Finding{c.unexplained(g)}
}

func (c *investigation) name() string {
	if c.t.info.Name == "" {
		return "the target"
	}
	return c.t.info.Name
}

func (c *investigation) finding(v Verdict, cause string, confidence float64, summary string) Finding {
	return Finding{Target: c.t.info.Name, Verdict: v, Cause: cause, Confidence: confidence, Summary: summary}
}

// hidden says what kept the cause from being seen, empty if nothing did.
func (c *investigation) hidden() string {
	if c.onset.Status == NoOnset {
		return ""
	}
	if missing := c.a.windowGap(c.t, c.onset.At); missing > 0 {
		return fmt.Sprintf("The record has no windows for %s around it.", wordSeconds(missing))
	}
	for _, h := range c.watchable() {
		var gaps, all int
		longest := 0.0
		for _, r := range c.a.resources {
			if !h.has(r.metric.Host) || generatorOwn(r.metric) || r.metric.Host == localHost && h.host != localHost {
				continue
			}
			all++
			if g := c.a.gapAt(r, c.onset.At); g != nil {
				gaps++
				longest = max(longest, g.to-g.from)
			}
		}
		if all > 0 && 2*gaps >= all {
			return fmt.Sprintf("The probes of %s were silent for %s around it, so no resource there can be blamed or ruled out.", h.host, wordSeconds(longest))
		}
	}
	return ""
}

func (c *investigation) limited(g GeneratorState) Finding {
	what := map[string]string{
		"client-ephemeral-ports":  "ran out of local ports",
		"client-file-descriptors": "ran out of file descriptors",
		"client-cpu":              "could not keep up",
	}[g.Cause]
	f := c.finding(GeneratorLimited, g.Cause, 0.99, fmt.Sprintf(
		"This machine %s at %s: %s. %s is not judged above that load; below it %s.",
		what, c.a.loadText(g.Load, g.At.Seconds()), g.Reason, strings.ToUpper(c.name()[:1])+c.name()[1:], c.below(g.At.Seconds())))
	f.Host, f.Process = localHost, localProcess
	f.Resource = ownResource(g.Cause)
	at := g.At
	f.Evidence = append(f.Evidence, Evidence{Source: "client", Text: g.Reason, At: &at})
	for _, r := range c.a.resources {
		own := generatorOwn(r.metric) || r.metric.Host == localHost && r.metric.Process == "" &&
			(r.metric.Name == probe.EphemeralPorts || r.metric.Name == probe.TimeWait || r.metric.Name == probe.CPU)
		if own && r.full != nil {
			f.Evidence = append(f.Evidence, Evidence{Source: "probe of " + localHost, Text: r.describe(), At: pointer(r.full.at)})
		}
	}
	if !math.IsNaN(g.CPU) {
		f.Evidence = append(f.Evidence, Evidence{Source: "probe of " + localHost, Text: fmt.Sprintf("rampload used at most %s of the processor; its 99th percentile of lag was %s", percent(g.CPU), wordSeconds(g.LagP99.Seconds()))})
	}
	f.Advice = c.clientAdvice(g)
	return f
}

// ownResource is the resource of the generator that a cause of its own speaks of.
func ownResource(cause string) string {
	return map[string]string{
		"client-ephemeral-ports": probe.EphemeralPorts, "client-file-descriptors": probe.OpenFiles, "client-cpu": probe.ProcessCPU,
	}[cause]
}

// below says what the target did before a time.
func (c *investigation) below(at float64) string {
	end := c.a.window(at)
	failed, all := sum(c.t.failed[:end]), sum(c.t.attempts[:end])
	if failed == 0 {
		return fmt.Sprintf("none of %s attempts failed", commas(all))
	}
	return fmt.Sprintf("%s of %s attempts failed", commas(failed), commas(all))
}

func (c *investigation) healthy(g GeneratorState) Finding {
	t := c.t.total
	bound := upper(t.failed, t.attempts)
	first := fmt.Sprintf("No failures: 0 of %s attempts (at most %s) up to %s.", commas(t.attempts), percentBound(bound), c.a.achievedText())
	if t.failed > 0 {
		first = fmt.Sprintf("No onset: %s of %s attempts failed (at most %s) up to %s, without a rise.", commas(t.failed), commas(t.attempts), percentBound(bound), c.a.achievedText())
	}
	f := c.finding(Healthy, "healthy", 1-bound, first)
	if t.failed > 0 {
		f.Evidence = append(f.Evidence, Evidence{Source: "client", Text: c.mixture()})
	}
	if t.idle > 0 {
		f.Evidence = append(f.Evidence, Evidence{Source: "client", Text: fmt.Sprintf("%s on pooled connections without a request in flight; no request noticed", count(t.idle, "reset"))})
	}
	for _, e := range c.incidents() {
		f.Summary += fmt.Sprintf(" Seen meanwhile: %s.", e.Text)
		f.Evidence = append(f.Evidence, e)
	}
	for i, r := range c.nearest() {
		words := "; "
		if i == 0 {
			words = " Nearest to its limit was "
			f.Resource, f.Host, f.Process, f.PID = r.metric.Name, r.metric.Host, r.metric.Process, r.metric.PID
		}
		f.Summary += fmt.Sprintf("%s%s: %s", words, place(r), r.headroom())
		f.Nearest = append(f.Nearest, r.metric)
	}
	if len(f.Nearest) > 0 {
		f.Summary += "."
	}
	if missing := c.unseen(); len(missing) > 0 {
		f.Evidence = append(f.Evidence, Evidence{Source: "sources", Text: "not seen: " + list(missing)})
	}
	f.RuledOut = c.excluded(nil, g)
	return f
}

func (r *resource) headroom() string {
	if r.def.Unit == "share" {
		return percent(r.peak)
	}
	return fmt.Sprintf("%s of %s (%s)", amount(r.peak, r.def.Unit), amount(r.limit, r.def.Unit), percent(r.most))
}

// busyFrom is the utilisation that is told beside the nearest limit; farFrom the use
// of a limit below which it is not worth telling before a processor's.
const busyFrom, farFrom = 0.8, 0.25

// nearest returns the resource of the serving hosts that came closest to a limit
// that refuses, and behind it the busiest capacity that slows, if that was busy: a
// full processor harms nobody by itself. Where every limit that refuses is far, it
// is the capacity alone.
func (c *investigation) nearest() []*resource {
	var limit, busy *resource
	for _, r := range c.a.resources {
		serves := slices.ContainsFunc(c.hops, func(h hop) bool { return h.has(r.metric.Host) })
		if !serves || generatorOwn(r.metric) || math.IsNaN(r.most) || r.counter != nil || r.metric.Name == probe.CPUCore || r.metric.Name == probe.IOWait || r.beyond() {
			continue
		}
		best := &limit
		if r.def.Kind == probe.Utilisation {
			best = &busy
		}
		if *best == nil || r.most > (*best).most {
			*best = r
		}
	}
	switch {
	case limit == nil && busy == nil:
		return nil
	case limit == nil, busy != nil && limit.most < min(farFrom, busy.most):
		return []*resource{busy}
	case busy == nil || busy.most < busyFrom:
		return []*resource{limit}
	}
	return []*resource{limit, busy}
}

// beyond reports whether use exceeded the limit for good, so that it cannot be
// what limits: a process' resident memory counts pages that it shares, a cgroup's
// limit only those that are charged to it.
func (r *resource) beyond() bool {
	return r.metric.Name == probe.RSS && r.most > 1.02
}

func (c *investigation) explained(h *hypothesis, g GeneratorState) Finding {
	f := c.finding(Explains, h.cause, h.posterior, c.onsetSentence()+" "+c.causeSentence(h))
	c.fill(&f, h)
	f.Evidence = c.evidence(h)
	if g, ok := c.leak(h); ok {
		how := "with all that was sent"
		if g.load > 0 {
			how = "at a constant load"
		}
		f.Summary += fmt.Sprintf(" It had grown %s: it would come at any load, sooner or later.", how)
	}
	f.RuledOut = c.excluded(h, g)
	f.Advice = c.advice(h)
	return f
}

// ambiguous names the causes that fit. The first says what happened; the others
// only what is their own.
func (c *investigation) ambiguous(g GeneratorState) []Finding {
	var out []Finding
	var names []string
	said := map[string]bool{}
	for _, h := range c.hypotheses {
		if len(out) == mostOfThese || h.posterior < candidateAt && len(out) > 0 {
			break
		}
		names = append(names, fmt.Sprintf("%s (%s)", h.cause, percent(h.posterior)))
		f := c.finding(Ambiguous, h.cause, h.posterior, "")
		c.fill(&f, h)
		for _, e := range c.evidence(h) {
			if !said[e.Text] {
				said[e.Text] = true
				f.Evidence = append(f.Evidence, e)
			}
		}
		f.RuledOut = c.excluded(h, g)
		if len(out) == 0 {
			f.Summary = c.onsetSentence() + " " + c.causeSentence(h)
			f.Advice = append(c.wouldDecide(), c.advice(h)...)
		} else {
			f.Summary = fmt.Sprintf("Or %s (%s): %s", h.cause, percent(h.posterior), c.causeSentence(h))
			f.Advice = c.advice(h)
		}
		out = append(out, f)
	}
	settle := "settle"
	if len(out) == 1 {
		settle = "prove"
	}
	out[0].Summary += fmt.Sprintf(" The evidence does not %s it: %s, something else %s.", settle, strings.Join(names, ", "), percent(max(0, 1-shares(out))))
	return out
}

func shares(f []Finding) float64 {
	s := 0.0
	for _, x := range f {
		s += x.Confidence
	}
	return s
}

func (c *investigation) unexplained(g GeneratorState) Finding {
	f := c.finding(Unexplained, "unexplained", c.none, c.onsetSentence()+" Nothing that was watched ran out at that time, and nothing else seen names a cause.")
	if len(c.hypotheses) > 0 && c.hypotheses[0].posterior >= 0.05 {
		h := c.hypotheses[0]
		f.Summary += fmt.Sprintf(" The least unlikely is %s (%s).", h.cause, percent(h.posterior))
	}
	f.Evidence = c.onsetEvidence()
	f.RuledOut = c.excluded(nil, g)
	if c.parts.fault[attack.Status] > 0.5*c.parts.failed {
		f.Advice = append(f.Advice, fmt.Sprintf("read the log of %s for the transaction ids of the failed requests (X-Transaction-Id): it answered them itself%s", c.name(), c.codes(attack.Status)))
	}
	f.Advice = append(f.Advice, c.wouldDecide()...)
	return f
}

func (c *investigation) fill(f *Finding, h *hypothesis) {
	f.Host, f.Process, f.PID = h.host, h.process, h.pid
	if h.rule.leg == path && h.lead == nil && h.counter == nil && h.cause != "host-firewall" {
		f.Host = "" // somewhere on the way
		if len(c.routers) == 1 {
			f.Host = c.routers[0]
		}
		return
	}
	switch {
	case h.lead != nil:
		f.Resource = h.lead.metric.Name
	case h.counter != nil:
		f.Resource = h.counter.metric.Name
	}
	if f.Process == "" && f.PID == 0 && h.hop.index < len(c.wires) {
		v := c.wires[h.hop.index]
		f.PID = v.pid
		if by := v.byWhom(); by != "" {
			f.Process = strings.TrimPrefix(by, " by ")
		}
	}
	if d := c.firstDeath(h); d != nil && f.Process == "" && slices.ContainsFunc(h.rule.any, func(x clue) bool { return x == died || x == workersDied || x == outOfMemory }) {
		f.Process, f.PID = d.process, d.pid
	}
	if c.address != nil && h.hop.index == 0 && c.address.host != "" && h.rule.leg == server {
		f.Host = c.address.host
	}
	if c.address != nil && h.hop.index == 0 && c.processesOf(h.hop, f.Process) > 1 {
		f.PID = 0 // which of them serves the address is not known
	}
}

// processesOf counts the processes of a name that were watched on a hop.
func (c *investigation) processesOf(h hop, name string) int {
	pids := map[int32]bool{}
	for _, s := range c.a.log.Series {
		if m := s.Metric; h.has(m.Host) && m.Process == name && m.PID != 0 {
			pids[m.PID] = true
		}
	}
	return len(pids)
}

// firstDeath returns the first end of a process of a hypothesis' hop, nil without.
func (c *investigation) firstDeath(h *hypothesis) *death {
	if h.hop.index >= len(c.dead) || len(c.dead[h.hop.index]) == 0 {
		return nil
	}
	for i, d := range c.dead[h.hop.index] {
		if d.at >= c.from-3 {
			return &c.dead[h.hop.index][i]
		}
	}
	return nil
}
