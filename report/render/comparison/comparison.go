// Package comparison writes what comparing two releases found: as a table, JSON, Markdown
// for a pull request, and a page with the curves of both sides.
package comparison

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/format"
	"github.com/rampload/rampload/report/render/layout"
)

// Formats returns the names that [Write] knows.
func Formats() []string { return []string{"table", "json", "md", "html"} }

// Write writes a comparison in the named format; see [Formats]. Only the page
// needs the reports that were compared.
func Write(w io.Writer, format string, c report.Comparison, of Compared, opt layout.Options) error {
	switch format {
	case "table":
		return Table(w, c, opt)
	case "json":
		return JSON(w, c)
	case "md":
		return Markdown(w, c)
	case "html":
		return HTML(w, c, of, opt.Assets)
	}
	return fmt.Errorf("render comparison: unknown format %q; choose one of %v", format, Formats())
}

// Table writes a comparison for a terminal.
func Table(w io.Writer, c report.Comparison, opt layout.Options) error {
	p := pageOfComparison(c)
	out := bufio.NewWriter(w)
	layout.WriteVerdict(out, p, opt)
	fmt.Fprintln(out)
	layout.WriteFacts(out, p.Facts, opt)
	for _, g := range p.Grids {
		if len(g.Rows) == 0 {
			continue
		}
		fmt.Fprintln(out)
		if err := g.Cleaned().Write(out, opt); err != nil {
			return err
		}
	}
	if len(p.Closing) > 0 {
		fmt.Fprintln(out)
		layout.WriteFacts(out, p.Closing, opt)
	}
	layout.WriteExit(out, p.Exit, layout.Options{Width: opt.Width, Plain: opt.Plain})
	return out.Flush()
}

// Markdown writes a comparison as GitHub-flavoured Markdown, such as for a comment
// on a pull request: the verdict, what changed, and the measures folded.
func Markdown(w io.Writer, c report.Comparison) error {
	p := pageOfComparison(c)
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "### %s: %s\n\n", p.Word, layout.EscapeMarkdown(p.Headline))
	layout.WriteMarkdownFacts(out, p.Facts)
	if slices.ContainsFunc(p.Grids, func(g layout.Grid) bool { return len(g.Rows) > 0 }) || len(p.Closing) > 0 {
		fmt.Fprint(out, "<details><summary>what was measured</summary>\n\n")
		for _, g := range p.Grids {
			if len(g.Rows) > 0 {
				layout.WriteMarkdownGrid(out, g)
			}
		}
		layout.WriteMarkdownFacts(out, p.Closing)
		fmt.Fprint(out, "</details>\n")
	}
	return out.Flush()
}

// JSON writes a comparison as indented JSON.
func JSON(w io.Writer, c report.Comparison) error {
	b, err := json.MarshalIndent(c, "", " ")
	if err != nil {
		return fmt.Errorf("write comparison: %w", err)
	}
	_, err = w.Write(append(b, '\n'))
	return err
}

func pageOfComparison(c report.Comparison) layout.Page {
	p := layout.Page{Exit: c.ExitCode, Headline: c.Summary}
	p.Word, p.Mark = compareWord(c)
	for _, said := range []string{"regressed: ", "indicative "} { // by the word already
		p.Headline = strings.TrimPrefix(p.Headline, said)
	}
	p.Facts = []layout.Fact{
		{Label: "old", Lines: []string{sideText(c.Old, "old")}},
		{Label: "new", Lines: []string{sideText(c.New, "new")}},
		{Label: "full first", Lines: change(c.OldFull, c.NewFull)},
		{Label: "cause", Lines: change(c.OldCause, c.NewCause)},
	}
	if lines := powerLines(c.Metrics); len(lines) > 0 {
		p.Closing = append(p.Closing, layout.Fact{Label: "power", Lines: lines})
	}
	if len(c.Warnings) > 0 {
		p.Closing = append(p.Closing, layout.Fact{Label: "note", Lines: c.Warnings})
	}
	resources := metricsGrid(c, func(m report.MetricComparison) bool { return !ofTarget(m) && differs(m) })
	resources.Name = "resources"
	p.Grids = []layout.Grid{metricsGrid(c, ofTarget), resources}
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

// BaselineGrids are what a run was held against, by target and by resource; empty without
// a baseline.
func BaselineGrids(r *report.Report) []layout.Grid {
	if r.Baseline == nil {
		return nil
	}
	c := report.Comparison{Metrics: r.Baseline.Metrics}
	targets := metricsGrid(c, ofTarget)
	targets.Name = "baseline"
	resources := metricsGrid(c, func(m report.MetricComparison) bool { return !ofTarget(m) && differs(m) })
	resources.Name = "baseline resources"
	for _, g := range []layout.Grid{targets, resources} {
		for i := range g.Columns {
			switch g.Columns[i].Title {
			case "OLD":
				g.Columns[i].Title = "BASELINE"
			case "NEW":
				g.Columns[i].Title = "THIS RUN"
			}
		}
	}
	return []layout.Grid{targets, resources}
}

func ofTarget(m report.MetricComparison) bool { return m.Target != "" }

// differs reports whether a measure changed or may have: the others would bury it.
func differs(m report.MetricComparison) bool {
	return m.Outcome != report.NoDifference && m.Outcome != report.Equivalent && m.Outcome != report.NotComparable
}

// BaselineFact says which runs a run was held against; nil for none.
func BaselineFact(r *report.Report) []layout.Fact {
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
	return []layout.Fact{{Label: "baseline", Lines: []string{s + ": " + b.Summary}}}
}

func compareWord(c report.Comparison) (string, layout.Mark) {
	has := func(outcome string) bool {
		return slices.ContainsFunc(c.Metrics, func(m report.MetricComparison) bool { return m.Outcome == outcome })
	}
	switch {
	case has(report.Regression):
		return "REGRESSED", layout.Bad
	case c.ExitCode == report.ExitUndecided:
		return "NO VERDICT", layout.Unsure
	case c.Indicative:
		return "INDICATIVE", layout.Unsure
	case has(report.Improvement):
		return "IMPROVED", layout.Good
	case has(report.Inconclusive):
		return "INCONCLUSIVE", layout.Unsure
	}
	return "UNCHANGED", layout.Good
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

// tallied counts equal texts: "none (2 of 5), open-files on a (3 of 5)". What differs by
// the load alone is one: "cpu on a, at different loads (4 of 5)".
func tallied(texts []string) string {
	var order []string
	of := map[string][]string{}
	for _, s := range texts {
		what, _, _ := strings.Cut(s, " at ")
		if of[what] == nil {
			order = append(order, what)
		}
		of[what] = append(of[what], s)
	}
	name := func(what string) string {
		all := slices.Compact(slices.Sorted(slices.Values(of[what])))
		if len(all) == 1 {
			return all[0]
		}
		return what + ", at different loads"
	}
	if len(order) == 1 {
		return name(order[0])
	}
	slices.SortStableFunc(order, func(a, b string) int { return len(of[b]) - len(of[a]) })
	parts := make([]string, len(order))
	for i, what := range order {
		parts[i] = fmt.Sprintf("%s (%d of %d)", name(what), len(of[what]), len(texts))
	}
	return strings.Join(parts, "; ")
}

func metricsGrid(c report.Comparison, keep func(report.MetricComparison) bool) layout.Grid {
	g := layout.Grid{Name: "metrics", Columns: []layout.Column{
		{Title: "TARGET", Squeeze: 8},
		{Title: "METRIC"},
		{Title: "OLD", Right: true},
		{Title: "NEW", Right: true},
		{Title: "SHIFT", Right: true},
		{Title: "95% INTERVAL", Right: true, Drop: 2},
		{Title: "P", Right: true, Drop: 3},
		{Title: "OUTCOME"},
		{Title: "NOTE", Flex: true, Drop: 4},
	}}
	for _, m := range c.Metrics {
		if !keep(m) {
			continue
		}
		mk := layout.Plain
		switch m.Outcome {
		case report.Regression:
			mk = layout.Bad
		case report.Improvement:
			mk = layout.Good
		case report.IndicativeRegression, report.IndicativeChange, report.Inconclusive:
			mk = layout.Unsure
		case report.Equivalent, report.NoDifference, report.NotComparable:
			mk = layout.Faint
		}
		p := layout.None
		if m.P != nil {
			p = fmt.Sprintf("%.3f", *m.P)
		}
		span := layout.None
		if m.ShiftLow != nil && m.ShiftHigh != nil {
			span = shiftText(m, m.ShiftLow) + " to " + shiftText(m, m.ShiftHigh)
		}
		g.Rows = append(g.Rows, []layout.Cell{
			layout.Text(layout.Shorten(m.Target, layout.MaxName)), layout.Text(m.Metric), layout.Text(metricValue(m, m.Old, m.OldAtLeast)), layout.Text(metricValue(m, m.New, m.NewAtLeast)),
			layout.Text(shiftText(m, m.Shift)), layout.Text(span), layout.Text(p),
			{Text: outcomeText(m), Mark: mk},
			layout.Text(m.Note),
		})
	}
	return g.Without("TARGET", "95% INTERVAL", "P", "NOTE")
}

func outcomeText(m report.MetricComparison) string {
	if m.NeedRuns > 0 && m.Outcome == report.Inconclusive {
		return fmt.Sprintf("%s, need n≈%d", m.Outcome, m.NeedRuns)
	}
	return m.Outcome
}

func metricValue(m report.MetricComparison, v *float64, atLeast bool) string {
	if v == nil {
		return layout.None
	}
	s := ""
	switch m.Unit {
	case "rps":
		s = layout.Rate(v)
	case "ms":
		s = layout.Millis(v)
	default:
		s = format.Percent(*v)
	}
	if atLeast {
		s = "≥" + s
	}
	return s
}

// shiftText prints a relative shift in percent and another in points.
func shiftText(m report.MetricComparison, v *float64) string {
	if v == nil {
		return layout.None
	}
	s := format.Percent(*v)
	if *v > 0 {
		s = "+" + s
	}
	if !m.Relative {
		s = strings.TrimSuffix(s, "%") + " pts"
	}
	return s
}
