package render

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/rampload/rampload/report"
)

// CompareFormats returns the names that [Comparison] knows.
func CompareFormats() []string { return []string{"table", "json", "md", "html"} }

// Comparison writes a comparison in the named format; see [CompareFormats]. Only the page
// needs the reports that were compared.
func Comparison(w io.Writer, format string, c report.Comparison, of Compared, opt Options) error {
	switch format {
	case "table":
		return CompareTable(w, c, opt)
	case "json":
		return CompareJSON(w, c)
	case "md":
		return CompareMarkdown(w, c)
	case "html":
		return CompareHTML(w, c, of, opt.Assets)
	}
	return fmt.Errorf("render comparison: unknown format %q; choose one of %v", format, CompareFormats())
}

// CompareTable writes a comparison for a terminal.
func CompareTable(w io.Writer, c report.Comparison, opt Options) error {
	p := pageOfComparison(c)
	out := bufio.NewWriter(w)
	writeVerdict(out, p, opt)
	fmt.Fprintln(out)
	writeFacts(out, p.facts, opt)
	for _, g := range p.grids {
		if len(g.rows) == 0 {
			continue
		}
		fmt.Fprintln(out)
		if err := g.cleaned().write(out, opt); err != nil {
			return err
		}
	}
	if len(p.closing) > 0 {
		fmt.Fprintln(out)
		writeFacts(out, p.closing, opt)
	}
	fmt.Fprintf(out, "\nexit %d\n", p.exit)
	return out.Flush()
}

// CompareMarkdown writes a comparison as GitHub-flavoured Markdown, such as for a comment
// on a pull request: the verdict, what changed, and the measures folded.
func CompareMarkdown(w io.Writer, c report.Comparison) error {
	p := pageOfComparison(c)
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "### %s: %s\n\n", p.word, escapeMarkdown(p.headline))
	writeMarkdownFacts(out, p.facts)
	if slices.ContainsFunc(p.grids, func(g grid) bool { return len(g.rows) > 0 }) || len(p.closing) > 0 {
		fmt.Fprint(out, "<details><summary>what was measured</summary>\n\n")
		for _, g := range p.grids {
			if len(g.rows) > 0 {
				writeMarkdownGrid(out, g)
			}
		}
		writeMarkdownFacts(out, p.closing)
		fmt.Fprint(out, "</details>\n")
	}
	return out.Flush()
}

// CompareJSON writes a comparison as indented JSON.
func CompareJSON(w io.Writer, c report.Comparison) error {
	b, err := json.MarshalIndent(c, "", " ")
	if err != nil {
		return fmt.Errorf("write comparison: %w", err)
	}
	_, err = w.Write(append(b, '\n'))
	return err
}

func pageOfComparison(c report.Comparison) page {
	p := page{exit: c.ExitCode, headline: c.Summary}
	p.word, p.mark = compareWord(c)
	for _, said := range []string{"regressed: ", "indicative "} { // by the word already
		p.headline = strings.TrimPrefix(p.headline, said)
	}
	p.facts = []fact{
		{"old", []string{sideText(c.Old, "old")}},
		{"new", []string{sideText(c.New, "new")}},
		{"full first", change(c.OldFull, c.NewFull)},
		{"cause", change(c.OldCause, c.NewCause)},
	}
	if lines := powerLines(c.Metrics); len(lines) > 0 {
		p.closing = append(p.closing, fact{"power", lines})
	}
	if len(c.Warnings) > 0 {
		p.closing = append(p.closing, fact{"note", c.Warnings})
	}
	// Resources that changed or may have; the others would bury them.
	g := metricsGrid(c, func(m report.MetricComparison) bool { return m.Target != "" })
	resources := metricsGrid(c, func(m report.MetricComparison) bool {
		return m.Target == "" && m.Outcome != report.Equivalent && m.Outcome != report.NoDifference && m.Outcome != report.NotComparable
	})
	p.grids = []grid{g, resources}
	return p
}

// powerLines say what so many runs could have shown, one line where it is the same for
// several metrics.
func powerLines(metrics []report.MetricComparison) []string {
	var order []string
	of := map[string][]string{}
	for _, m := range metrics {
		if m.Power == nil {
			continue
		}
		name := m.Metric
		if m.Target != "" {
			name = m.Target + " " + name
		}
		s := m.Power.String()
		if of[s] == nil {
			order = append(order, s)
		}
		of[s] = append(of[s], name)
	}
	var out []string
	for _, s := range order {
		out = append(out, strings.Join(of[s], ", ")+": "+s)
	}
	return out
}

// baselineGrid is what a run was held against; empty without a baseline.
func baselineGrid(r *report.Report) grid {
	if r.Baseline == nil {
		return grid{name: "baseline"}
	}
	c := report.Comparison{Metrics: r.Baseline.Metrics}
	g := metricsGrid(c, func(m report.MetricComparison) bool {
		return m.Target != "" || m.Outcome != report.NoDifference && m.Outcome != report.Equivalent && m.Outcome != report.NotComparable
	})
	g.name = "baseline"
	for i := range g.columns {
		switch g.columns[i].title {
		case "OLD":
			g.columns[i].title = "BASELINE"
		case "NEW":
			g.columns[i].title = "THIS RUN"
		}
	}
	return g
}

// baselineFact says which runs a run was held against; nil for none.
func baselineFact(r *report.Report) []fact {
	b := r.Baseline
	if b == nil {
		return nil
	}
	s := sideText(report.Side{Labels: b.Labels, Runs: b.Runs}, "earlier")
	if len(b.Files) > 0 {
		s += " (" + b.Files[0]
		if n := len(b.Files); n > 1 {
			s += fmt.Sprintf(" and %d more", n-1)
		}
		s += ")"
	}
	return []fact{{"baseline", []string{s + ": " + b.Summary}}}
}

func compareWord(c report.Comparison) (string, mark) {
	has := func(outcome string) bool {
		return slices.ContainsFunc(c.Metrics, func(m report.MetricComparison) bool { return m.Outcome == outcome })
	}
	switch {
	case has(report.Regression):
		return "REGRESSED", bad
	case c.Indicative:
		return "INDICATIVE", unsure
	case c.ExitCode == report.ExitUndecided:
		return wordNoVerdict, unsure
	case has(report.Improvement):
		return "IMPROVED", good
	case has(report.Inconclusive):
		return "INCONCLUSIVE", unsure
	}
	return "UNCHANGED", good
}

func sideText(s report.Side, name string) string {
	label := strings.Join(s.Labels, ", ")
	if label == "" {
		label = name + " release"
	}
	if s.Runs == 1 {
		return label + ", 1 run"
	}
	return fmt.Sprintf("%s, %d runs", label, s.Runs)
}

// change says what was the same in the runs of both sides, or of each.
func change(old, new []string) []string {
	o, n := tallied(old), tallied(new)
	if o == n {
		return []string{"both: " + o}
	}
	return []string{"old: " + o, "new: " + n}
}

// tallied counts equal texts: "none (2 of 5), open-files on a (3 of 5)".
func tallied(texts []string) string {
	var order []string
	count := map[string]int{}
	for _, s := range texts {
		if count[s]++; count[s] == 1 {
			order = append(order, s)
		}
	}
	if len(order) == 1 {
		return order[0]
	}
	slices.SortStableFunc(order, func(a, b string) int { return count[b] - count[a] })
	parts := make([]string, len(order))
	for i, s := range order {
		parts[i] = fmt.Sprintf("%s (%d of %d)", s, count[s], len(texts))
	}
	return strings.Join(parts, ", ")
}

func metricsGrid(c report.Comparison, keep func(report.MetricComparison) bool) grid {
	g := grid{name: "metrics", columns: []column{
		{title: "TARGET", squeeze: 8},
		{title: "METRIC"},
		{title: "OLD", right: true},
		{title: "NEW", right: true},
		{title: "SHIFT", right: true},
		{title: "95% INTERVAL", right: true, drop: 2},
		{title: "P", right: true, drop: 3},
		{title: "OUTCOME"},
		{title: "NOTE", flex: true, drop: 4},
	}}
	for _, m := range c.Metrics {
		if !keep(m) {
			continue
		}
		mk := plain
		switch m.Outcome {
		case report.Regression:
			mk = bad
		case report.Improvement:
			mk = good
		case report.IndicativeRegression, report.IndicativeChange, report.Inconclusive:
			mk = unsure
		case report.Equivalent, report.NoDifference, report.NotComparable:
			mk = faint
		}
		p := none
		if m.P != nil {
			p = fmt.Sprintf("%.3f", *m.P)
		}
		span := none
		if m.ShiftLow != nil && m.ShiftHigh != nil {
			span = shiftText(m, m.ShiftLow) + " to " + shiftText(m, m.ShiftHigh)
		}
		g.rows = append(g.rows, []cell{
			text(shorten(m.Target, maxName)), text(m.Metric), text(metricValue(m, m.Old, m.OldAtLeast)), text(metricValue(m, m.New, m.NewAtLeast)),
			text(shiftText(m, m.Shift)), text(span), text(p),
			{outcomeText(m), mk},
			text(m.Note),
		})
	}
	return g.without("TARGET", "95% INTERVAL", "P", "NOTE")
}

func outcomeText(m report.MetricComparison) string {
	if m.NeedRuns > 0 && m.Outcome == report.Inconclusive {
		return fmt.Sprintf("%s, need n≈%d", m.Outcome, m.NeedRuns)
	}
	return m.Outcome
}

func metricValue(m report.MetricComparison, v *float64, atLeast bool) string {
	if v == nil {
		return none
	}
	s := ""
	switch m.Unit {
	case "rps":
		s = rate(v)
	case "ms":
		s = millis(v)
	default:
		s = percent(*v)
	}
	if atLeast {
		s = "≥" + s
	}
	return s
}

// shiftText prints a relative shift in percent and another in points.
func shiftText(m report.MetricComparison, v *float64) string {
	if v == nil {
		return none
	}
	s := report.FormatPercent(*v, 2)
	if *v > 0 {
		s = "+" + s
	}
	if !m.Relative {
		s = strings.TrimSuffix(s, "%") + " pts"
	}
	return s
}
