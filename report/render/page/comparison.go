package page

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"
)

//go:embed comparison.tmpl
var comparisonText string

//go:embed comparison.js
var comparisonScript string

// ComparisonView is two releases side by side. All text is free of control characters.
type ComparisonView struct {
	Old, New string // what the sides are called
	Word     string
	Class    string // as in [View]
	Headline string
	Facts    []Fact
	Closing  []Fact
	Grids    []Grid
	Curves   []Curves
}

// Curves are one measure over the load, a line a run.
type Curves struct {
	Title string    `json:"title"`
	Loads []float64 `json:"loads"` // requests per second, rising
	Lines []Curve   `json:"lines"`
}

// Curve is one run. Values are as many as there are loads: null where it has none.
type Curve struct {
	Label  string     `json:"label"`
	New    bool       `json:"new"`
	Values []*float64 `json:"values"`
	Onset  *float64   `json:"onset"` // requests per second
}

// WriteComparison writes the page of a comparison.
func WriteComparison(w io.Writer, v ComparisonView, assets Assets) error {
	if err := assets.check(); err != nil {
		return err
	}
	t, err := template.New("comparison").Funcs(template.FuncMap{"lower": strings.ToLower}).Parse(comparisonText)
	if err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	d := struct {
		ComparisonView
		HasCharts       bool
		Style, UPlotCSS template.CSS
		UPlotJS, Script template.JS
	}{ComparisonView: v, Style: template.CSS(style)} //nolint:gosec // embedded with this package
	if d.HasCharts = len(v.Curves) > 0 && len(assets.UPlotJS) > 0; d.HasCharts {
		d.UPlotCSS = template.CSS(assets.UPlotCSS) //nolint:gosec // the caller's, checked above
		d.UPlotJS = template.JS(assets.UPlotJS)    //nolint:gosec // the caller's, checked above
		d.Script = template.JS(comparisonScript)   //nolint:gosec // embedded with this package
	}
	if err := t.Execute(w, d); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	return nil
}
