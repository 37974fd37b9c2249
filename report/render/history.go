package render

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/history"
	htmlpage "github.com/rampload/rampload/report/render/page"
)

// HistoryFormats returns the names that [History] knows.
func HistoryFormats() []string { return []string{"table", "json", "md", "html"} }

// History writes histories in the named format; see [HistoryFormats].
func History(w io.Writer, format string, all []history.History, opt Options) error {
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
			fmt.Fprintf(out, "### %s: %s\n\n", p.word, escapeMarkdown(p.headline))
			writeMarkdownFacts(out, p.facts)
			for _, g := range p.grids {
				writeMarkdownGrid(out, g)
			}
		}
		return out.Flush()
	case "html":
		return historyHTML(w, all, opt.Assets)
	}
	return fmt.Errorf("render history: unknown format %q; choose one of %v", format, HistoryFormats())
}

func historyTable(w io.Writer, all []history.History, opt Options) error {
	out := bufio.NewWriter(w)
	for i, h := range all {
		if i > 0 {
			fmt.Fprintln(out)
		}
		p := pageOfHistory(h)
		writeVerdict(out, p, opt)
		if len(p.facts) > 0 {
			fmt.Fprintln(out)
			writeFacts(out, p.facts, opt)
		}
		for _, g := range p.grids {
			fmt.Fprintln(out)
			if err := g.cleaned().write(out, opt); err != nil {
				return err
			}
		}
	}
	return out.Flush()
}

func pageOfHistory(h history.History) page {
	p := page{word: "STEADY", mark: good}
	runs := fmt.Sprintf("%s over %s", h.Name, plural(len(h.Runs), "run"))
	p.headline = runs + ": no release changed it"
	switch n := len(h.Changes); {
	case len(h.Runs) == 1:
		p.word, p.mark, p.headline = "ONE RUN", unsure, h.Name+": a history needs a second one"
	case n > 0:
		last := h.Changes[n-1]
		p.word, p.mark = "CHANGED", good
		for _, c := range h.Changes {
			if c.At == last.At && c.Worse {
				p.mark, last = bad, c
				break
			}
		}
		if p.mark == bad {
			p.word = "WORSE"
		}
		p.headline = runs + ": " + changeText(h, last)
	}
	for i, t := range h.Targets {
		of := ""
		if len(h.Targets) > 1 {
			of = t + " "
		}
		for _, m := range []struct {
			name string
			of   func(history.Values) *float64
			text func(*float64) string
		}{
			{"onset", func(v history.Values) *float64 { return v.Onset.RPS }, rate},
			{"p99", func(v history.Values) *float64 { return v.P99MS }, millis},
		} {
			var values []*float64
			for _, r := range h.Runs {
				values = append(values, m.of(r.Targets[i]))
			}
			if line := spark(values); line != "" && len(h.Runs) > 1 {
				p.facts = append(p.facts, fact{m.name, []string{strings.TrimSpace(of + line + "  " + ends(values, m.text))}})
			}
		}
	}
	for i, c := range h.Changes {
		label := ""
		if i == 0 {
			label = "changes"
		}
		p.facts = append(p.facts, fact{label, []string{changeText(h, c)}})
	}
	for i := range h.Targets {
		p.grids = append(p.grids, historyGrid(h, i))
	}
	return p
}

// changeText says which release changed what: "v1.4: p99 81ms to 190ms, worse".
func changeText(h history.History, c history.Change) string {
	who := c.Label
	if who == "" {
		who = "the run of " + h.Runs[c.At].Started.UTC().Format("2006-01-02 15:04")
	}
	if c.Commit != "" {
		who += " (" + c.Commit[:min(len(c.Commit), 10)] + ")"
	}
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
	s := fmt.Sprintf("%s: %s %s to %s", who, metric, value(c.Old, c.OldAtLeast), value(c.New, c.NewAtLeast))
	if c.Worse {
		s += ", worse"
	} else {
		s += ", better"
	}
	if !c.Proven {
		s += " (indicative)"
	}
	if c.Cause != "" {
		s += "; cause: " + c.Cause
	}
	return s
}

// valueIn prints a value of a comparison in its unit.
func valueIn(unit string, v *float64) string {
	switch {
	case v == nil:
		return none
	case unit == "rps":
		return rate(v)
	case unit == "ms":
		return millis(v)
	case unit == "ratio":
		return percent(*v)
	}
	return report.FormatNumber(*v)
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return report.FormatCount(uint64(max(0, n))) + " " + what + "s"
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

// ends are the first and the last value.
func ends(values []*float64, text func(*float64) string) string {
	var first, last *float64
	for _, v := range values {
		if v == nil {
			continue
		}
		if first == nil {
			first = v
		}
		last = v
	}
	return text(first) + " to " + text(last)
}

func historyLoad(l history.Load) string {
	switch {
	case l.RPS == nil:
		return none
	case l.AtLeast:
		return "> " + rate(l.RPS)
	case l.LowRPS != nil && l.HighRPS != nil:
		return rate(l.RPS) + " (" + interval(l.LowRPS, l.HighRPS) + ")"
	}
	return rate(l.RPS)
}

func historyGrid(h history.History, target int) grid {
	g := grid{name: h.Targets[target], columns: []column{
		{title: "RUN", drop: 2},
		{title: "RELEASE", squeeze: 12},
		{title: "ONSET", right: true},
		{title: "PASSES SHARE", right: true, drop: 4},
		{title: "CAPACITY", right: true, drop: 5},
		{title: "P99", right: true},
		{title: "FAILED", right: true},
		{title: "LEAST LEFT", drop: 3, squeeze: 16},
		{title: "CAUSE", squeeze: 14},
	}}
	changed := map[int]mark{}
	for _, c := range h.Changes {
		switch {
		case c.Worse:
			changed[c.At] = bad
		case changed[c.At] == plain:
			changed[c.At] = good
		}
	}
	for i, r := range h.Runs {
		v := r.Targets[target]
		label, cause, left, failed := r.Label, r.Cause, none, none
		if label == "" {
			label = none
		}
		if cause == "" {
			cause = r.Verdict
		}
		if r.Headroom != nil {
			left = percent(*r.Headroom) + " " + r.Nearest
		}
		if v.FailShare != nil {
			failed = percent(*v.FailShare)
		}
		g.rows = append(g.rows, []cell{
			text(r.Started.UTC().Format("2006-01-02 15:04")),
			{label, changed[i]},
			{historyLoad(v.Onset), changed[i]},
			text(historyLoad(v.Crossing)),
			text(historyLoad(v.Capacity)),
			text(millis(v.P99MS)), text(failed), text(left), text(cause),
		})
	}
	return g.without("PASSES SHARE", "CAPACITY", "LEAST LEFT", "RELEASE")
}

func historyHTML(w io.Writer, all []history.History, assets Assets) error {
	var pages []htmlpage.HistoryView
	for _, h := range all {
		p := pageOfHistory(h)
		v := htmlpage.HistoryView{Name: h.Name, Word: p.word, Class: p.mark.class(), Headline: p.headline, Facts: htmlFacts(p.facts), Grids: htmlGrids(p.grids)}
		for i, t := range h.Targets {
			v.Charts = append(v.Charts, historyCharts(h, i, t)...)
		}
		for i, r := range h.Runs {
			label := r.Label
			if label == "" {
				label = r.Started.UTC().Format("01-02 15:04")
			}
			v.Labels = append(v.Labels, clean(label))
			for _, c := range h.Changes {
				if c.At == i {
					v.Changed = append(v.Changed, htmlpage.Changed{At: i, Worse: c.Worse})
				}
			}
		}
		pages = append(pages, v)
	}
	var b bytes.Buffer
	if err := htmlpage.WriteHistory(&b, pages, htmlpage.Assets{UPlotJS: assets.UPlotJS, UPlotCSS: assets.UPlotCSS}); err != nil {
		return fmt.Errorf("write HTML: %w", err)
	}
	if _, err := io.WriteString(w, clean(b.String())); err != nil {
		return fmt.Errorf("write HTML: %w", err)
	}
	return nil
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
