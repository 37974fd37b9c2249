package render

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/rampload/rampload/report"
)

// searchHeadline says what a search found in one line, empty without one that
// came to an end.
func searchHeadline(r *report.Report) string {
	c := r.Capacity
	if c == nil || !c.Complete {
		return ""
	}
	until := strings.Join(c.Until, ", ")
	if c.Binding != nil && c.Binding.Gate != "" {
		until = c.Binding.Gate
	}
	switch c.Status {
	case report.CapacityFound:
		return fmt.Sprintf("%s: capacity %s; %s does not hold %s%s", targetNames(r), rate(c.RPS), rate(c.HighRPS), until, boundBy(r))
	case report.CapacityAtLeast:
		if c.Binding != nil {
			return fmt.Sprintf("%s: capacity at least %s; this machine was the limit at %s", targetNames(r), rate(c.RPS), rate(c.HighRPS))
		}
		return fmt.Sprintf("%s: capacity at least %s, the highest load of the search; %s holds", targetNames(r), rate(c.RPS), until)
	case report.CapacityBelow:
		return fmt.Sprintf("%s: capacity below %s; the first load does not hold %s%s", targetNames(r), rate(c.HighRPS), until, boundBy(r))
	}
	return ""
}

// boundBy names the cause of the verdict behind a headline.
func boundBy(r *report.Report) string {
	if r.Capacity.Binding == nil || r.Capacity.Binding.Cause == "" {
		return ""
	}
	f := firstFinding(r)
	return ": " + causePhrase(f.Cause, who(f))
}

// searchFacts are the lines of a search below the verdict.
func searchFacts(r *report.Report) []fact {
	c := r.Capacity
	if c == nil {
		return nil
	}
	var lines []string
	switch {
	case c.RPS == nil && c.HighRPS == nil:
		lines = append(lines, "not known")
	case c.RPS == nil:
		lines = append(lines, "below "+rate(c.HighRPS))
	case c.HighRPS == nil:
		lines = append(lines, "at least "+rate(c.RPS))
	default:
		s := fmt.Sprintf("%s (%s)", rate(c.RPS), interval(c.LowRPS, c.HighRPS))
		if c.Status == report.CapacityAtLeast {
			s = "at least " + rate(c.RPS)
		}
		lines = append(lines, s)
	}
	loads := map[float64]bool{}
	for _, s := range c.Steps {
		loads[s.LoadRPS] = true
	}
	lines[0] += fmt.Sprintf("; %s in %s", several(len(loads), "load"), several(len(c.Steps), "step"))
	if !c.Complete {
		lines[0] += ", and not to the end"
	}
	if b := c.Binding; b != nil {
		s := b.Reason
		if b.Gate != "" && len(c.Until) > 1 {
			s = b.Gate + ": " + s
		}
		if b.Result != report.StepLimited { // which says so itself
			s = b.Result + ": " + s
		}
		lines = append(lines, rate(c.HighRPS)+" "+s)
	}
	return []fact{{"capacity", lines}}
}

// several counts things.
func several(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// withCapacity adds what is known of capacity and idle connections to the facts
// of a report: a search is what its run was for, a ramp's capacity follows from
// where its faults begin.
func withCapacity(r *report.Report, facts []fact) []fact {
	if word, _, _ := verdict(r); word == wordNotRun {
		return facts
	}
	if idleOnly(r) {
		return idleFacts(r)
	}
	at := 0
	for i, f := range facts {
		if f.label == "onset" || f.label == "recovered" || f.label == "proved" {
			at = i + 1
		}
	}
	return slices.Concat(searchFacts(r), facts[:at], capacityFacts(r), facts[at:], idleFacts(r))
}

// searchGrid is the loads of a search, each once.
func searchGrid(r *report.Report) grid {
	g := grid{name: "search", columns: []column{
		{title: "LOAD", right: true},
		{title: "RESULT"},
		{title: "REQUESTS", right: true, drop: 3},
		{title: "FAILED", right: true, drop: 1},
		{title: "RESET", right: true, drop: 4},
		{title: "P99", right: true, drop: 2},
		{title: "WHY", flex: true},
	}}
	if r.Capacity == nil {
		return g
	}
	steps := slices.Clone(r.Capacity.Steps)
	slices.SortStableFunc(steps, func(a, b report.CapacityStep) int { return cmp.Compare(a.LoadRPS, b.LoadRPS) })
	for len(steps) > 0 {
		n := 1
		for n < len(steps) && steps[n].LoadRPS == steps[0].LoadRPS {
			n++
		}
		g.rows = append(g.rows, searchRow(steps[:n], len(r.Capacity.Until) > 1))
		steps = steps[n:]
	}
	return g
}

// searchRow is one load: the result that most of its steps had, the last of them
// where they differ. ManyGates says that
// there is more than one to break.
func searchRow(steps []report.CapacityStep, manyGates bool) []cell {
	count := map[string]int{}
	for _, s := range steps {
		count[s.Result]++
	}
	most := steps[len(steps)-1]
	for _, s := range slices.Backward(steps) {
		if count[s.Result] > count[most.Result] {
			most = s
		}
	}
	word := most.Result
	if len(steps) > 1 {
		word += fmt.Sprintf(" %d of %d", count[most.Result], len(steps))
	}
	m := map[string]mark{report.StepPassed: good, report.StepFailed: bad}[most.Result]
	if m == plain {
		m = unsure
	}
	var requests, failed, resets uint64
	var p99 *float64
	for _, s := range steps {
		requests, failed, resets = requests+s.Requests, failed+s.Failed, resets+s.WireResets
		if s.Result == most.Result {
			p99 = s.P99MS
		}
	}
	load := most.LoadRPS
	why := most.Reason
	if most.Gate != "" && manyGates {
		why = most.Gate + ": " + why
	}
	return []cell{
		text(rate(&load)),
		{word, m},
		text(report.FormatCount(requests)), text(report.FormatCount(failed)),
		text(report.FormatCount(resets)), text(millis(p99)), text(why),
	}
}

// capacityFacts are what a ramp told of the capacity of each target.
func capacityFacts(r *report.Report) []fact {
	var lines []string
	for _, t := range r.Targets {
		c := t.Capacity
		if c == nil || c.RPS == nil {
			continue
		}
		var limits []string
		add := func(name string, l *report.CapacityLimit, says string) {
			if l != nil && c.Binding != name {
				limits = append(limits, fmt.Sprintf("%s %s", says, load(r, &l.RPS, nil)))
			}
		}
		says := map[string]string{"faults": "faults begin", "goodput": "successes stop growing", "latency": "p99 begins to climb"}
		bound := map[string]*report.CapacityLimit{"faults": c.Faults, "goodput": c.Goodput, "latency": c.Latency}[c.Binding]
		s := load(r, c.RPS, nil)
		if bound != nil {
			s += fmt.Sprintf(" (%s)", loadInterval(r, &bound.LowRPS, &bound.HighRPS, nil))
		}
		s += ": there " + says[c.Binding]
		add("faults", c.Faults, "faults from")
		add("goodput", c.Goodput, "successes level off at")
		add("latency", c.Latency, "p99 climbs from")
		if len(limits) > 0 {
			s += "; " + strings.Join(limits, ", ")
		}
		if c.RecommendedRPS != nil && *c.RecommendedRPS > 0 {
			s += "; stay below " + load(r, c.RecommendedRPS, nil)
		}
		if len(r.Targets) > 1 {
			s = t.Name + ": " + s
		}
		lines = append(lines, s)
	}
	if len(lines) == 0 {
		return nil
	}
	return []fact{{"capacity", lines}}
}

// idleFacts say how long idle connections live, a line for each target.
func idleFacts(r *report.Report) []fact {
	var lines, advice []string
	for _, t := range r.Targets {
		if t.Idle == nil {
			continue
		}
		lines = append(lines, t.Name+": "+t.Idle.Summary)
		if t.Idle.Advice != "" && !slices.Contains(advice, t.Idle.Advice) {
			advice = append(advice, t.Idle.Advice)
		}
	}
	if len(lines) == 0 {
		return nil
	}
	out := []fact{{"idle", lines}}
	if len(advice) > 0 {
		out = append(out, fact{"fix", advice})
	}
	return out
}

// idleOnly reports whether a run sent no load, and only held connections idle.
func idleOnly(r *report.Report) bool {
	for _, t := range r.Targets {
		if t.Idle != nil {
			return r.Totals.Attempts == 0 && r.Totals.LocalFaults == 0
		}
	}
	return false
}

// idleVerdict is the first line of a run that held connections idle.
func idleVerdict(r *report.Report) (word string, m mark, headline string) {
	word, m = wordPassed, good
	var first string
	for _, t := range r.Targets {
		switch {
		case t.Idle == nil:
		case t.Idle.Resets() && word != wordFound:
			word, m, first = wordFound, unsure, t.Name+": "+t.Idle.Summary
		case t.Idle.Error != "" && word == wordPassed:
			word, m, first = wordNoVerdict, unsure, t.Name+": "+t.Idle.Summary
		case first == "":
			first = t.Name + ": " + t.Idle.Summary
		}
	}
	return word, m, first
}

// idleGrid is every connection that was held idle.
func idleGrid(r *report.Report) grid {
	g := grid{name: "idle", columns: []column{{title: "TARGET", squeeze: 8}, {title: "IDLE FOR", right: true}, {title: "END"}, {title: "AFTER", right: true}}}
	for _, t := range r.Targets {
		if t.Idle == nil {
			continue
		}
		for _, try := range t.Idle.Tries {
			m, after := bad, report.FormatSeconds(try.LastedS)
			if try.End == "alive" {
				m, after = good, none
			}
			g.rows = append(g.rows, []cell{text(shorten(t.Name, maxName)), text(report.FormatSeconds(try.PlannedS)), {try.End, m}, text(after)})
		}
	}
	return g
}
