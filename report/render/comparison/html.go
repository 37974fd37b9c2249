package comparison

import (
	"io"
	"maps"
	"slices"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/render/layout"
	htmlpage "github.com/rampload/rampload/report/render/page"
)

// Compared are the reports that were compared.
type Compared struct{ Old, New []*report.Report }

// HTML writes a comparison as one self-contained page, with the runs of both sides
// over each other. Charts need the assets.
func HTML(w io.Writer, c report.Comparison, of Compared, assets layout.Assets) error {
	p := pageOfComparison(c)
	v := htmlpage.ComparisonView{
		Old: layout.Clean(sideName(c.Old, "old")), New: layout.Clean(sideName(c.New, "new")),
		Word: p.Word, Class: p.Mark.Class(), Headline: layout.Clean(p.Headline),
		Facts: layout.HTMLFacts(p.Facts), Closing: layout.HTMLFacts(p.Closing), Grids: layout.HTMLGrids(p.Grids), Curves: of.curves(),
	}
	return layout.WritePage(w, func(w io.Writer) error {
		return htmlpage.WriteComparison(w, v, htmlpage.Assets{UPlotJS: assets.UPlotJS, UPlotCSS: assets.UPlotCSS})
	})
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
			of = layout.Clean(t.Name) + ": "
		}
		loads := map[float64]bool{}
		for _, r := range all {
			same := targetOf(r, t.Name)
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
					line.Label = layout.Clean(r.Label)
				}
				same := targetOf(r, t.Name)
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

// targetOf is the target of that name in a run; the zero value where it has none.
func targetOf(r *report.Report, name string) report.Target {
	i := slices.IndexFunc(r.Targets, func(t report.Target) bool { return t.Name == name })
	if i < 0 {
		return report.Target{}
	}
	return r.Targets[i]
}
