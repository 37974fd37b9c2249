package render

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/format"
	"github.com/rampload/rampload/report/render/layout"
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
		return fmt.Sprintf("%s: capacity %s; %s does not hold %s%s", targetNames(r), layout.Rate(c.RPS), layout.Rate(c.HighRPS), until, boundBy(r))
	case report.CapacityAtLeast:
		if c.Binding != nil {
			return fmt.Sprintf("%s: capacity at least %s; this machine was the limit at %s", targetNames(r), layout.Rate(c.RPS), layout.Rate(c.HighRPS))
		}
		return fmt.Sprintf("%s: capacity at least %s, the highest load of the search; %s holds", targetNames(r), layout.Rate(c.RPS), until)
	case report.CapacityBelow:
		return fmt.Sprintf("%s: capacity below %s; the first load does not hold %s%s", targetNames(r), layout.Rate(c.HighRPS), until, boundBy(r))
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
func searchFacts(r *report.Report) []layout.Fact {
	c := r.Capacity
	if c == nil {
		return nil
	}
	var lines []string
	switch {
	case c.RPS == nil && c.HighRPS == nil:
		lines = append(lines, "not known")
	case c.RPS == nil:
		lines = append(lines, "below "+layout.Rate(c.HighRPS))
	case c.HighRPS == nil:
		lines = append(lines, "at least "+layout.Rate(c.RPS))
	default:
		s := fmt.Sprintf("%s (%s)", layout.Rate(c.RPS), layout.Interval(c.LowRPS, c.HighRPS))
		if c.Status == report.CapacityAtLeast {
			s = "at least " + layout.Rate(c.RPS)
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
		lines = append(lines, layout.Rate(c.HighRPS)+" "+s)
	}
	return []layout.Fact{{Label: "capacity", Lines: lines}}
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
func withCapacity(r *report.Report, facts []layout.Fact) []layout.Fact {
	if word, _, _ := verdict(r); word == wordNotRun {
		return facts
	}
	if idleOnly(r) {
		return idleFacts(r)
	}
	at := 0
	for i, f := range facts {
		if f.Label == "onset" || f.Label == "recovered" || f.Label == "proved" {
			at = i + 1
		}
	}
	return slices.Concat(searchFacts(r), facts[:at], capacityFacts(r), facts[at:], idleFacts(r))
}

// searchGrid is the loads of a search, each once.
func searchGrid(r *report.Report) layout.Grid {
	g := layout.Grid{Name: "search", Columns: []layout.Column{
		{Title: "LOAD", Right: true},
		{Title: "RESULT"},
		{Title: "REQUESTS", Right: true, Drop: 3},
		{Title: "FAILED", Right: true, Drop: 1},
		{Title: "RESET", Right: true, Drop: 4},
		{Title: "P99", Right: true, Drop: 2},
		{Title: "WHY", Flex: true},
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
		g.Rows = append(g.Rows, searchRow(steps[:n], len(r.Capacity.Until) > 1))
		steps = steps[n:]
	}
	return g
}

// searchRow is one load: the result that most of its steps had, the last of them
// where they differ. ManyGates says that
// there is more than one to break.
func searchRow(steps []report.CapacityStep, manyGates bool) []layout.Cell {
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
	m := map[string]layout.Mark{report.StepPassed: layout.Good, report.StepFailed: layout.Bad}[most.Result]
	if m == layout.Plain {
		m = layout.Unsure
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
	return []layout.Cell{
		layout.Text(layout.Rate(&load)),
		{Text: word, Mark: m},
		layout.Text(format.Count(requests)), layout.Text(format.Count(failed)),
		layout.Text(format.Count(resets)), layout.Text(layout.Millis(p99)), layout.Text(why),
	}
}

// capacityFacts are what a ramp told of the capacity of each target.
func capacityFacts(r *report.Report) []layout.Fact {
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
	return []layout.Fact{{Label: "capacity", Lines: lines}}
}

// idleFacts say how long idle connections live, a line for each target.
func idleFacts(r *report.Report) []layout.Fact {
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
	out := []layout.Fact{{Label: "idle", Lines: lines}}
	if len(advice) > 0 {
		out = append(out, layout.Fact{Label: "fix", Lines: advice})
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
func idleVerdict(r *report.Report) (word string, m layout.Mark, headline string) {
	word, m = wordPassed, layout.Good
	var first string
	for _, t := range r.Targets {
		switch {
		case t.Idle == nil:
		case t.Idle.Resets() && word != wordFound:
			word, m, first = wordFound, layout.Unsure, t.Name+": "+t.Idle.Summary
		case t.Idle.Error != "" && word == wordPassed:
			word, m, first = wordNoVerdict, layout.Unsure, t.Name+": "+t.Idle.Summary
		case first == "":
			first = t.Name + ": " + t.Idle.Summary
		}
	}
	return word, m, first
}

// idleGrid is every connection that was held idle.
func idleGrid(r *report.Report) layout.Grid {
	g := layout.Grid{Name: "idle", Columns: []layout.Column{{Title: "TARGET", Squeeze: 8}, {Title: "IDLE FOR", Right: true}, {Title: "END"}, {Title: "AFTER", Right: true}}}
	for _, t := range r.Targets {
		if t.Idle == nil {
			continue
		}
		for _, try := range t.Idle.Tries {
			m, after := layout.Bad, format.Seconds(try.LastedS)
			if try.End == "alive" {
				m, after = layout.Good, layout.None
			}
			g.Rows = append(g.Rows, []layout.Cell{layout.Text(layout.Shorten(t.Name, layout.MaxName)), layout.Text(format.Seconds(try.PlannedS)), {Text: try.End, Mark: m}, layout.Text(after)})
		}
	}
	return g
}
