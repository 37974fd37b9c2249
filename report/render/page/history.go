package page

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"
)

//go:embed history.tmpl
var historyText string

//go:embed history.js
var historyScript string

// HistoryView is a profile over its runs. All text is free of control characters.
type HistoryView struct {
	Name     string
	Word     string
	Class    string // as in [View]
	Headline string
	Facts    []Fact
	Grids    []Grid
	Labels   []string // of the runs
	Changed  []Changed
	Charts   []HistoryChart
}

// Changed marks a run with which something changed.
type Changed struct {
	At    int  `json:"at"`
	Worse bool `json:"worse"`
}

// HistoryChart is one number over all runs: null where it was not measured.
type HistoryChart struct {
	Title  string     `json:"title"`
	Values []*float64 `json:"values"`
	Low    []*float64 `json:"low,omitempty"` // 95 % interval
	High   []*float64 `json:"high,omitempty"`
	Open   []bool     `json:"open,omitempty"` // the value is a lower bound
}

// WriteHistory writes one page over all histories.
func WriteHistory(w io.Writer, all []HistoryView, assets Assets) error {
	if err := assets.check(); err != nil {
		return err
	}
	t, err := template.New("history").Funcs(template.FuncMap{"lower": strings.ToLower}).Parse(historyText)
	if err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	type chartData struct {
		Labels  []string       `json:"labels"`
		Changed []Changed      `json:"changed"`
		Charts  []HistoryChart `json:"charts"`
	}
	d := struct {
		All             []HistoryView
		Data            []chartData
		HasCharts       bool
		Style, UPlotCSS template.CSS
		UPlotJS, Script template.JS
	}{All: all, Style: template.CSS(style)} //nolint:gosec // embedded with this package
	for _, h := range all {
		c := chartData{h.Labels, h.Changed, []HistoryChart{}}
		if c.Changed == nil {
			c.Changed = []Changed{}
		}
		for _, chart := range h.Charts {
			if measured(chart.Values) > 1 {
				c.Charts = append(c.Charts, chart)
			}
		}
		d.HasCharts = d.HasCharts || len(c.Charts) > 0
		d.Data = append(d.Data, c)
	}
	d.HasCharts = d.HasCharts && len(assets.UPlotJS) > 0
	if d.HasCharts {
		d.UPlotCSS = template.CSS(assets.UPlotCSS) //nolint:gosec // the caller's, checked above
		d.UPlotJS = template.JS(assets.UPlotJS)    //nolint:gosec // the caller's, checked above
		d.Script = template.JS(historyScript)      //nolint:gosec // embedded with this package
	}
	if err := t.Execute(w, d); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	return nil
}

func measured(values []*float64) int {
	n := 0
	for _, v := range values {
		if v != nil {
			n++
		}
	}
	return n
}
