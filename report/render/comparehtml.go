package render

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/rampload/rampload/report"
	htmlpage "github.com/rampload/rampload/report/render/page"
)

// Compared are the reports that were compared.
type Compared struct{ Old, New []*report.Report }

// CompareHTML writes a comparison as one self-contained page, with the runs of both sides
// over each other. Charts need the assets.
func CompareHTML(w io.Writer, c report.Comparison, of Compared, assets Assets) error {
	p := pageOfComparison(c)
	v := htmlpage.ComparisonView{
		Old: clean(sideName(c.Old, "old")), New: clean(sideName(c.New, "new")),
		Word: p.word, Class: p.mark.class(), Headline: clean(p.headline),
		Facts: htmlFacts(p.facts), Closing: htmlFacts(p.closing), Grids: htmlGrids(p.grids), Curves: of.curves(),
	}
	var b bytes.Buffer
	if err := htmlpage.WriteComparison(&b, v, htmlpage.Assets{UPlotJS: assets.UPlotJS, UPlotCSS: assets.UPlotCSS}); err != nil {
		return fmt.Errorf("write HTML: %w", err)
	}
	if _, err := io.WriteString(w, clean(b.String())); err != nil {
		return fmt.Errorf("write HTML: %w", err)
	}
	return nil
}

// sideName is what a side is called: its labels, else which side it is.
func sideName(s report.Side, side string) string {
	if len(s.Labels) == 0 {
		return side
	}
	name := s.Labels[0]
	for _, l := range s.Labels[1:] {
		name += ", " + l
	}
	return name
}

// curves are, for each target, the failed share and the latency over the load.
func (c Compared) curves() []htmlpage.Curves {
	var out []htmlpage.Curves
	all := slices.Concat(c.Old, c.New)
	if len(all) == 0 {
		return nil
	}
	measures := []struct {
		title string
		of    func(report.LoadBin) *float64
	}{
		{"failed requests, %", func(b report.LoadBin) *float64 {
			if b.Requests == 0 {
				return nil
			}
			return new(100 * float64(b.Failed) / float64(b.Requests))
		}},
		{"p99 of successes, ms", func(b report.LoadBin) *float64 { return b.P99MS }},
		{"p50 of successes, ms", func(b report.LoadBin) *float64 { return b.P50MS }},
	}
	for _, t := range all[0].Targets {
		of := ""
		if len(all[0].Targets) > 1 {
			of = clean(t.Name) + ": "
		}
		loads := map[float64]bool{}
		for _, r := range all {
			same, _ := target(r, t.Name)
			for _, b := range same.ByLoad {
				loads[b.LowRPS] = true
			}
		}
		for _, m := range measures {
			curves := htmlpage.Curves{Title: of + m.title, Loads: slices.Sorted(maps.Keys(loads))}
			some := false
			for i, r := range all {
				line := htmlpage.Curve{New: i >= len(c.Old), Values: make([]*float64, len(curves.Loads)), Label: "old"}
				if line.New {
					line.Label = "new"
				}
				if r.Label != "" {
					line.Label = clean(r.Label)
				}
				same, _ := target(r, t.Name)
				for _, b := range same.ByLoad {
					k, _ := slices.BinarySearch(curves.Loads, b.LowRPS)
					line.Values[k] = m.of(b)
					some = some || line.Values[k] != nil
				}
				if same.Onset.Status == report.OnsetFound {
					line.Onset = same.Onset.LoadRPS
				}
				curves.Lines = append(curves.Lines, line)
			}
			if some && len(curves.Loads) > 1 {
				out = append(out, curves)
			}
		}
	}
	return out
}
