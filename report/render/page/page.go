// Package page writes a report as one self-contained HTML page: its charts, its
// explorer of failures, its marks of events. Nothing is loaded from elsewhere. What is
// said in words comes from report/render, which hands it in; this package lays out and
// draws. It imports report alone.
package page

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"strings"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/format"
)

//go:embed page.tmpl
var text string

//go:embed page.css
var style string

//go:embed page.js
var script string

//go:embed explorer.js
var explorer string

//go:embed live.js
var liveScript string

// View is what the page says in words. All text is free of control characters.
type View struct {
	Report   *report.Report
	Word     string // "FAILED"
	Class    string // of the word: good, bad, unsure, faint or empty
	Headline string
	Chain    []Hop
	Facts    []Fact
	Closing  []Fact
	Grids    []Grid
	// Live says that the run goes on: the page listens to what comes from where it was
	// loaded, at "events".
	Live bool
}

// Hop is a station on the way of a request.
type Hop struct {
	Name  string
	Notes []string // what stands below the name
	// Depth is how many hops lie between this one and the client: hops of one depth are
	// asked side by side.
	Depth int
	// Failing marks the hop at fault, and Path the way to it.
	Failing, Path bool
}

// Fact is a label with lines of text.
type Fact struct {
	Label string
	Lines []string
}

// Grid is a table.
type Grid struct {
	Name    string
	Columns []Column
	Rows    [][]Cell
	Note    string
}

// Column is the head of one column.
type Column struct {
	Title string
	Right bool // numbers
}

// Cell is one value; its class is as that of [View.Class].
type Cell struct {
	Text  string
	Class string
	Right bool
}

// Assets are the chart library's files. Without them the page has tables only.
type Assets struct {
	UPlotJS  []byte
	UPlotCSS []byte
}

func (a Assets) check() error {
	for _, b := range [][]byte{a.UPlotJS, a.UPlotCSS} {
		if bytes.Contains(bytes.ToLower(b), []byte("</s")) {
			return errors.New("write page: a chart asset would end its own element; pass uPlot's minified files")
		}
	}
	return nil
}

// Write writes the page.
func Write(w io.Writer, v View, assets Assets) error {
	if err := assets.check(); err != nil {
		return err
	}
	t, err := template.New("report").Funcs(template.FuncMap{
		"lower":   strings.ToLower,
		"seconds": format.Seconds,
		"atp": func(v *float64) string {
			if v == nil {
				return "-"
			}
			return format.Seconds(*v)
		},
		"count":  func(n int) string { return format.Count(uint64(max(0, n))) },
		"ucount": format.Count,
		"nth":    func(i int) int { return i + 1 },
	}).Parse(text)
	if err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	d := struct {
		View
		Data        data
		Marks       []mark
		Unmeasured  []report.Source
		HasCharts   bool
		HasExplorer bool
		Style       template.CSS
		UPlotCSS    template.CSS
		UPlotJS     template.JS
		Script      template.JS
		Explorer    template.JS
		LiveScript  template.JS
	}{View: v, Data: dataOf(v.Report), Style: template.CSS(style)} //nolint:gosec // embedded with this package
	d.Marks = d.Data.Marks
	for _, s := range v.Report.Sources {
		if s.State != "measured" {
			d.Unmeasured = append(d.Unmeasured, s)
		}
	}
	if len(assets.UPlotJS) > 0 && len(d.Data.At) > 1 {
		d.HasCharts = true
		d.UPlotCSS = template.CSS(assets.UPlotCSS) //nolint:gosec // the caller's, checked above
		d.UPlotJS = template.JS(assets.UPlotJS)    //nolint:gosec // the caller's, checked above
		d.Script = template.JS(script)             //nolint:gosec // embedded with this package
	}
	if len(d.Data.Groups) > 0 {
		d.HasExplorer = true
		d.Explorer = template.JS(explorer) //nolint:gosec // embedded with this package
	}
	if v.Live {
		d.LiveScript = template.JS(liveScript) //nolint:gosec // embedded with this package
	}
	if err := t.Execute(w, d); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	return nil
}
