package render

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/rampload/rampload/report"
)

//go:embed html.tmpl
var htmlTemplate string

//go:embed html.css
var htmlStyle string

//go:embed html.js
var htmlScript string

// HTML writes a report as one self-contained page: nothing is loaded from
// elsewhere. Charts need the assets; without them there are tables only.
func HTML(w io.Writer, r *report.Report, assets Assets) error {
	for _, b := range [][]byte{assets.UPlotJS, assets.UPlotCSS} {
		if bytes.Contains(bytes.ToLower(b), []byte("</s")) {
			return fmt.Errorf("write HTML: a chart asset would end its own element; pass uPlot's minified files")
		}
	}
	t, err := template.New("report").Funcs(template.FuncMap{
		"class":   func(m mark) string { return [...]string{"", "good", "bad", "unsure", "faint"}[m] },
		"lower":   strings.ToLower,
		"seconds": report.FormatSeconds,
		"atp":     seconds,
		"percent": func(share float64) string { return fmt.Sprintf("%.0f%%", 100*share) },
	}).Parse(htmlTemplate)
	if err != nil {
		return fmt.Errorf("write HTML: %w", err)
	}
	v := viewOf(r)
	v.Style = template.CSS(htmlStyle) //nolint:gosec // embedded with this package
	if len(assets.UPlotJS) > 0 && len(v.Charts.At) > 1 {
		v.HasCharts = true
		v.UPlotCSS = template.CSS(assets.UPlotCSS) //nolint:gosec // the caller's, checked above
		v.UPlotJS = template.JS(assets.UPlotJS)    //nolint:gosec // the caller's, checked above
		v.Script = template.JS(htmlScript)         //nolint:gosec // embedded with this package
	}
	var page strings.Builder
	if err := t.Execute(&page, v); err != nil {
		return fmt.Errorf("write HTML: %w", err)
	}
	// The template escapes markup; control characters are text to it.
	if _, err := io.WriteString(w, clean(page.String())); err != nil {
		return fmt.Errorf("write HTML: %w", err)
	}
	return nil
}

// htmlView is what the template shows.
type htmlView struct {
	Report    *report.Report
	Word      string
	Mark      mark
	Headline  string
	Facts     []htmlFact
	Closing   []htmlFact
	Grids     []htmlGrid
	Charts    charts
	HasCharts bool
	Style     template.CSS
	UPlotCSS  template.CSS
	UPlotJS   template.JS
	Script    template.JS
}

type htmlFact struct {
	Label string
	Lines []string
}

type htmlGrid struct {
	Name    string
	Columns []htmlColumn
	Rows    [][]htmlCell
	Note    string
}

type htmlColumn struct {
	Title string
	Right bool
}

type htmlCell struct {
	Text  string
	Mark  mark
	Right bool
}

// charts is the data of the page's charts, in the form that its script reads.
type charts struct {
	At     []*float64 `json:"at"`
	Load   []line     `json:"load"`
	Faults []line     `json:"faults"` // per second
	P99    []line     `json:"p99"`    // ms
	Use    []line     `json:"use"`    // percent
	Onsets []band     `json:"onsets"`
}

type line struct {
	Label  string     `json:"label"`
	Values []*float64 `json:"values"`
	Cause  bool       `json:"cause"`
	Dashed bool       `json:"dashed"` // what lies on another line as long as all is well
}

// band is an onset with its interval, in seconds.
type band struct {
	Label string  `json:"label"`
	At    float64 `json:"at"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

func viewOf(r *report.Report) htmlView {
	p := pageOf(r)
	v := htmlView{
		Report: r, Word: p.word, Mark: p.mark, Headline: p.headline,
		Facts: htmlFacts(p.facts), Closing: htmlFacts(p.closing), Charts: chartsOf(r),
	}
	for _, g := range p.grids {
		if len(g.rows) == 0 {
			continue
		}
		out := htmlGrid{Name: g.name, Note: g.note}
		for _, c := range g.columns {
			out.Columns = append(out.Columns, htmlColumn{c.title, c.right})
		}
		for _, row := range g.rows {
			cells := make([]htmlCell, len(row))
			for i, c := range row {
				cells[i] = htmlCell{clean(c.text), c.mark, g.columns[i].right}
			}
			out.Rows = append(out.Rows, cells)
		}
		v.Grids = append(v.Grids, out)
	}
	return v
}

func htmlFacts(facts []fact) []htmlFact {
	out := make([]htmlFact, len(facts))
	for i, f := range facts {
		out[i].Label = clean(f.label)
		for _, line := range f.lines {
			out[i].Lines = append(out[i].Lines, clean(line))
		}
	}
	return out
}

// maxLines is how many lines of one chart can be told apart.
const maxLines = 6

func chartsOf(r *report.Report) charts {
	w := r.Windows
	perSecond := 1.0
	if w.IntervalMS > 0 {
		perSecond = 1000 / w.IntervalMS
	}
	c := charts{At: w.Columns["at_s"]}
	for _, name := range []string{"offered_rps", "achieved_rps"} {
		if values := w.Columns[name]; values != nil {
			c.Load = append(c.Load, line{Label: strings.TrimSuffix(name, "_rps") + "/s", Values: values, Dashed: name == "achieved_rps"})
		}
	}
	prefix := func(t report.Target) string {
		if len(r.Targets) == 1 {
			return ""
		}
		return t.Name + " "
	}
	for _, t := range r.Targets {
		for _, kind := range []struct{ column, label string }{{"wire_resets", "resets/s"}, {"failures", "failures/s"}} {
			values := w.Columns[t.Name+"/"+kind.column]
			if values == nil || len(c.Faults) >= 2*maxLines {
				continue
			}
			c.Faults = append(c.Faults, line{Label: prefix(t) + kind.label, Values: scaled(values, perSecond), Dashed: kind.column == "failures"})
		}
		if values := w.Columns[t.Name+"/p99_ms"]; values != nil && len(c.P99) < maxLines {
			c.P99 = append(c.P99, line{Label: prefix(t) + "p99 ms", Values: values})
		}
		if o := t.Onset; o.Status == report.OnsetFound && o.AtS != nil && o.LowS != nil && o.HighS != nil {
			c.Onsets = append(c.Onsets, band{Label: prefix(t) + o.Fault, At: *o.AtS, Low: *o.LowS, High: *o.HighS})
		}
	}
	c.Use = usedLines(r)
	return c
}

// usedLines are the fullest resources over time, causes first.
func usedLines(r *report.Report) []line {
	causes := map[string]bool{}
	for _, res := range r.Resources {
		if res.Verdict == "cause" || res.Verdict == "candidate" {
			causes["utilisation:"+res.Label()] = true
		}
	}
	type ranked struct {
		line
		peak float64
	}
	var all []ranked
	for name, values := range r.Windows.Columns {
		label, ok := strings.CutPrefix(name, "utilisation:")
		if !ok {
			continue
		}
		peak := math.Inf(-1)
		for _, v := range values {
			if v != nil {
				peak = max(peak, *v)
			}
		}
		all = append(all, ranked{line{Label: label, Values: scaled(values, 100), Cause: causes[name]}, peak})
	}
	slices.SortFunc(all, func(a, b ranked) int {
		switch {
		case a.Cause != b.Cause && a.Cause, a.Cause == b.Cause && a.peak > b.peak:
			return -1
		case a.Cause == b.Cause && a.peak == b.peak:
			return strings.Compare(a.Label, b.Label)
		}
		return 1
	})
	var out []line
	for _, l := range all[:min(maxLines, len(all))] {
		out = append(out, l.line)
	}
	return out
}

func scaled(values []*float64, by float64) []*float64 {
	out := make([]*float64, len(values))
	for i, v := range values {
		if v != nil {
			x := math.Round(*v*by*1000) / 1000
			out[i] = &x
		}
	}
	return out
}
