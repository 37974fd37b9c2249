// Package releases writes how a service did over its releases: as a table, JSON, Markdown
// and a page.
package releases

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/rampload/rampload/report/format"
	"github.com/rampload/rampload/report/history"
	"github.com/rampload/rampload/report/render/layout"
	htmlpage "github.com/rampload/rampload/report/render/page"
)

// Formats returns the names that [Write] knows.
func Formats() []string { return []string{"table", "json", "md", "html"} }

// Write writes histories in the named format; see [Formats].
func Write(w io.Writer, format string, all []history.History, opt layout.Options) error {
	switch format {
	case "table":
		return historyTable(w, all, opt)
	case "json":
		b, err := json.MarshalIndent(all, "", " ")
		if err != nil {
			return fmt.Errorf("write history: %w", err)
		}
		_, err = w.Write(append(b, '\n'))
		return err
	case "md":
		out := bufio.NewWriter(w)
		for _, h := range all {
			p := pageOfHistory(h)
			fmt.Fprintf(out, "### %s: %s\n\n", p.Word, layout.EscapeMarkdown(p.Headline))
			layout.WriteMarkdownFacts(out, p.Facts)
			for _, g := range p.Grids {
				layout.WriteMarkdownGrid(out, g)
			}
		}
		return out.Flush()
	case "html":
		return historyHTML(w, all, opt.Assets)
	}
	return fmt.Errorf("render history: unknown format %q; choose one of %v", format, Formats())
}

func historyTable(w io.Writer, all []history.History, opt layout.Options) error {
	out := bufio.NewWriter(w)
	for i, h := range all {
		if i > 0 {
			fmt.Fprintln(out)
		}
		p := pageOfHistory(h)
		layout.WriteVerdict(out, p, opt)
		if len(p.Facts) > 0 {
			fmt.Fprintln(out)
			layout.WriteFacts(out, p.Facts, opt)
		}
		for _, g := range p.Grids {
			fmt.Fprintln(out)
			if err := g.Cleaned().Write(out, opt); err != nil {
				return err
			}
		}
	}
	return out.Flush()
}

func pageOfHistory(h history.History) layout.Page {
	p := layout.Page{Word: "STEADY", Mark: layout.Good}
	runs := fmt.Sprintf("%s over %s", h.Name, format.Counted(len(h.Runs), "run"))
	p.Headline = runs + ": no change proven"
	switch n := len(h.Changes); {
	case len(h.Runs) == 1:
		p.Word, p.Mark, p.Headline = "ONE RUN", layout.Unsure, h.Name+": a history needs a second one"
	case n > 0:
		last := h.Changes[n-1]
		p.Word, p.Mark = "CHANGED", layout.Good
		for _, c := range h.Changes {
			if c.At == last.At && c.Worse {
				p.Mark, last = layout.Bad, c
				break
			}
		}
		if p.Mark == layout.Bad {
			p.Word = "WORSE"
		}
		p.Headline = runs + ": " + changeText(h, last)
	}
	for i, t := range h.Targets {
		of := ""
		if len(h.Targets) > 1 {
			of = t + " "
		}
		for _, m := range []struct {
			name string
			of   func(history.Values) *float64
			text func(history.Values) string
		}{
			{"onset", func(v history.Values) *float64 { return v.Onset.RPS }, func(v history.Values) string { return loadOrBound(v.Onset) }},
			{"p99", func(v history.Values) *float64 { return v.P99MS }, func(v history.Values) string { return layout.Millis(v.P99MS) }},
		} {
			var values []*float64
			var texts []string
			for _, r := range h.Runs {
				v := m.of(r.Targets[i])
				if values = append(values, v); v != nil {
					texts = append(texts, m.text(r.Targets[i]))
				}
			}
			if line := spark(values); line != "" && len(h.Runs) > 1 {
				p.Facts = append(p.Facts, layout.Fact{Label: m.name, Lines: []string{strings.TrimSpace(of + line + "  " + texts[0] + " to " + texts[len(texts)-1])}})
			}
		}
	}
	var changes []string
	for at := 0; at < len(h.Changes); {
		to := at + 1
		for to < len(h.Changes) && h.Changes[to].At == h.Changes[at].At {
			to++
		}
		changes = append(changes, changeText(h, h.Changes[at:to]...))
		at = to
	}
	if len(changes) > 0 {
		p.Facts = append(p.Facts, layout.Fact{Label: "changes", Lines: changes})
	}
	for i := range h.Targets {
		p.Grids = append(p.Grids, historyGrid(h, i))
	}
	return p
}

// changeText says what changed with one release: "v1.4: p99 81ms to 190ms, worse".
func changeText(h history.History, changes ...history.Change) string {
	first := changes[0]
	who := first.Label
	if who == "" {
		who = "the run of " + h.Runs[first.At].Started.UTC().Format("2006-01-02 15:04")
	}
	if first.Commit != "" {
		who += " (" + first.Commit[:min(len(first.Commit), 10)] + ")"
	}
	parts := make([]string, 0, len(changes)+1)
	var causes []string
	for _, c := range changes {
		parts = append(parts, metricChange(h, c))
		if c.Cause != "" && !slices.Contains(causes, c.Cause) {
			causes = append(causes, c.Cause)
		}
	}
	if len(causes) > 0 {
		parts = append(parts, "cause: "+strings.Join(causes, ", "))
	}
	return who + ": " + strings.Join(parts, "; ")
}

func metricChange(h history.History, c history.Change) string {
	metric := c.Metric
	if c.Target != "" && len(h.Targets) > 1 {
		metric = c.Target + " " + metric
	}
	value := func(v *float64, atLeast bool) string {
		if atLeast {
			return "> " + valueIn(c.Unit, v)
		}
		return valueIn(c.Unit, v)
	}
	s := fmt.Sprintf("%s %s to %s", metric, value(c.Old, c.OldAtLeast), value(c.New, c.NewAtLeast))
	if c.Worse {
		s += ", worse"
	} else {
		s += ", better"
	}
	if !c.Proven {
		s += " (indicative)"
	}
	return s
}

// valueIn prints a value of a comparison in its unit.
func valueIn(unit string, v *float64) string {
	switch {
	case v == nil:
		return layout.None
	case unit == "rps":
		return layout.Rate(v)
	case unit == "ms":
		return layout.Millis(v)
	case unit == "ratio":
		return format.Percent(*v)
	}
	return format.Number(*v)
}

// spark draws values as a line of blocks, from 0 on; empty without two of them.
func spark(values []*float64) string {
	top, n := 0.0, 0
	for _, v := range values {
		if v != nil {
			top = math.Max(top, *v)
			n++
		}
	}
	if n < 2 || top <= 0 {
		return ""
	}
	blocks := []rune("▁▂▃▄▅▆▇█")
	const most = 60
	if len(values) > most {
		values = values[len(values)-most:]
	}
	var out strings.Builder
	for _, v := range values {
		if v == nil {
			out.WriteByte(' ')
			continue
		}
		out.WriteRune(blocks[min(len(blocks)-1, int(*v/top*float64(len(blocks))))])
	}
	return out.String()
}

func historyLoad(l history.Load) string {
	if l.RPS != nil && !l.AtLeast && l.LowRPS != nil && l.HighRPS != nil {
		return layout.Rate(l.RPS) + " (" + layout.Interval(l.LowRPS, l.HighRPS) + ")"
	}
	return loadOrBound(l)
}

// loadOrBound is a load without its interval.
func loadOrBound(l history.Load) string {
	if l.RPS != nil && l.AtLeast {
		return "> " + layout.Rate(l.RPS)
	}
	return layout.Rate(l.RPS)
}

func historyGrid(h history.History, target int) layout.Grid {
	g := layout.Grid{Name: h.Targets[target], Columns: []layout.Column{
		{Title: "RUN", Drop: 2},
		{Title: "RELEASE", Squeeze: 12},
		{Title: "ONSET", Right: true},
		{Title: "PASSES SHARE", Right: true, Drop: 4},
		{Title: "CAPACITY", Right: true, Drop: 5},
		{Title: "P99", Right: true},
		{Title: "FAILED", Right: true},
		{Title: "LEAST LEFT", Drop: 3, Squeeze: 16},
		{Title: "CAUSE", Squeeze: 14},
	}}
	changed := marksOf(h, h.Targets[target])
	for i, r := range h.Runs {
		v := r.Targets[target]
		label, cause, left, failed := r.Label, r.Cause, layout.None, layout.None
		if label == "" {
			label = layout.None
		}
		if cause == "" {
			cause = r.Verdict
		}
		if r.Headroom != nil {
			left = format.Percent(*r.Headroom) + " " + r.Nearest
		}
		if v.FailShare != nil {
			failed = format.Percent(*v.FailShare)
		}
		g.Rows = append(g.Rows, []layout.Cell{
			layout.Text(r.Started.UTC().Format("2006-01-02 15:04")),
			{Text: label, Mark: changed[at{i, ""}]},
			{Text: historyLoad(v.Onset), Mark: changed[at{i, "onset load"}]},
			{Text: historyLoad(v.Crossing), Mark: changed[at{i, "SLO crossing"}]},
			{Text: historyLoad(v.Capacity), Mark: changed[at{i, "capacity"}]},
			{Text: layout.Millis(v.P99MS), Mark: changed[at{i, "p99"}]},
			{Text: failed, Mark: changed[at{i, "failed share"}]},
			layout.Text(left), layout.Text(cause),
		})
	}
	return g.Without("PASSES SHARE", "CAPACITY", "LEAST LEFT", "RELEASE")
}

// at is a cell of a history: a run, and the metric; no metric is the release itself.
type at struct {
	run    int
	metric string
}

// marksOf says which cells of a target's runs changed, and whether for the worse.
func marksOf(h history.History, target string) map[at]layout.Mark {
	marks := map[at]layout.Mark{}
	for _, c := range h.Changes {
		cells := []at{{c.At, ""}}
		if c.Target == "" || c.Target == target {
			cells = append(cells, at{c.At, c.Metric})
		}
		for _, cell := range cells {
			switch {
			case c.Worse:
				marks[cell] = layout.Bad
			case marks[cell] == layout.Plain:
				marks[cell] = layout.Good
			}
		}
	}
	return marks
}

func historyHTML(w io.Writer, all []history.History, assets layout.Assets) error {
	var pages []htmlpage.HistoryView
	for _, h := range all {
		p := pageOfHistory(h)
		v := htmlpage.HistoryView{Name: h.Name, Word: p.Word, Class: p.Mark.Class(), Headline: p.Headline, Facts: layout.HTMLFacts(p.Facts), Grids: layout.HTMLGrids(p.Grids)}
		for i, t := range h.Targets {
			v.Charts = append(v.Charts, historyCharts(h, i, t)...)
		}
		for i, r := range h.Runs {
			label := r.Label
			if label == "" {
				label = r.Started.UTC().Format("01-02 15:04")
			}
			v.Labels = append(v.Labels, layout.Clean(label))
			for _, c := range h.Changes {
				if c.At == i {
					v.Changed = append(v.Changed, htmlpage.Changed{At: i, Worse: c.Worse})
				}
			}
		}
		pages = append(pages, v)
	}
	return layout.WritePage(w, func(w io.Writer) error {
		return htmlpage.WriteHistory(w, pages, htmlpage.Assets{UPlotJS: assets.UPlotJS, UPlotCSS: assets.UPlotCSS})
	})
}

// historyCharts are the numbers of a target over its runs, with their intervals.
func historyCharts(h history.History, target int, name string) []htmlpage.HistoryChart {
	of := ""
	if len(h.Targets) > 1 {
		of = name + ": "
	}
	load := func(title string, of func(history.Values) history.Load) htmlpage.HistoryChart {
		c := htmlpage.HistoryChart{Title: title}
		for _, r := range h.Runs {
			l := of(r.Targets[target])
			c.Values, c.Low, c.High = append(c.Values, l.RPS), append(c.Low, l.LowRPS), append(c.High, l.HighRPS)
			c.Open = append(c.Open, l.AtLeast)
		}
		return c
	}
	plain := func(title string, of func(history.Run) *float64) htmlpage.HistoryChart {
		c := htmlpage.HistoryChart{Title: title}
		for _, r := range h.Runs {
			c.Values = append(c.Values, of(r))
		}
		return c
	}
	percent := func(v *float64) *float64 {
		if v == nil {
			return nil
		}
		return new(100 * *v)
	}
	return []htmlpage.HistoryChart{
		load(of+"onset, requests per second", func(v history.Values) history.Load { return v.Onset }),
		load(of+"failures pass the share of the gate, requests per second", func(v history.Values) history.Load { return v.Crossing }),
		load(of+"capacity, requests per second", func(v history.Values) history.Load { return v.Capacity }),
		plain(of+"p99 of successes, ms", func(r history.Run) *float64 { return r.Targets[target].P99MS }),
		plain(of+"failed requests, %", func(r history.Run) *float64 { return percent(r.Targets[target].FailShare) }),
		plain("least left of a resource, %", func(r history.Run) *float64 { return percent(r.Headroom) }),
	}
}
