package render

import (
	"bytes"
	"fmt"
	"io"

	"github.com/rampload/rampload/report"
	htmlpage "github.com/rampload/rampload/report/render/page"
)

// HTML writes a report as one self-contained page: nothing is loaded from
// elsewhere. Charts need the assets; without them there are tables only.
func HTML(w io.Writer, r *report.Report, assets Assets) error {
	var b bytes.Buffer
	if err := htmlpage.Write(&b, viewOf(r), htmlpage.Assets{UPlotJS: assets.UPlotJS, UPlotCSS: assets.UPlotCSS}); err != nil {
		return fmt.Errorf("write HTML: %w", err)
	}
	// The template escapes markup; control characters are text to it.
	if _, err := io.WriteString(w, clean(b.String())); err != nil {
		return fmt.Errorf("write HTML: %w", err)
	}
	return nil
}

// LiveHTML writes the page of a run that goes on: r is its report so far. The page listens
// to server-sent events at "events", beside where it was loaded from; see cmd/internal/web.
func LiveHTML(w io.Writer, r *report.Report, assets Assets) error {
	v := viewOf(r)
	v.Live, v.Word, v.Class = true, "RUNNING", unsure.class()
	v.Headline = clean(Finding(r))
	var b bytes.Buffer
	if err := htmlpage.Write(&b, v, htmlpage.Assets{UPlotJS: assets.UPlotJS, UPlotCSS: assets.UPlotCSS}); err != nil {
		return fmt.Errorf("write HTML: %w", err)
	}
	if _, err := io.WriteString(w, clean(b.String())); err != nil {
		return fmt.Errorf("write HTML: %w", err)
	}
	return nil
}

// class is the style of a mark on the page.
func (m mark) class() string { return [...]string{"", "good", "bad", "unsure", "faint"}[m] }

func viewOf(r *report.Report) htmlpage.View {
	p := pageOf(r)
	v := htmlpage.View{
		Report: r, Word: p.word, Class: p.mark.class(), Headline: p.headline,
		Chain: chain(r), Facts: htmlFacts(p.facts), Closing: htmlFacts(p.closing),
	}
	v.Grids = htmlGrids(p.grids)
	return v
}

func htmlGrids(grids []grid) []htmlpage.Grid {
	var all []htmlpage.Grid
	for _, g := range grids {
		if len(g.rows) == 0 {
			continue
		}
		out := htmlpage.Grid{Name: g.name, Note: g.note}
		for _, c := range g.columns {
			out.Columns = append(out.Columns, htmlpage.Column{Title: c.title, Right: c.right})
		}
		for _, row := range g.rows {
			cells := make([]htmlpage.Cell, len(row))
			for i, c := range row {
				cells[i] = htmlpage.Cell{Text: clean(c.text), Class: c.mark.class(), Right: g.columns[i].right}
			}
			out.Rows = append(out.Rows, cells)
		}
		all = append(all, out)
	}
	return all
}

func htmlFacts(facts []fact) []htmlpage.Fact {
	out := make([]htmlpage.Fact, len(facts))
	for i, f := range facts {
		out[i].Label = clean(f.label)
		for _, line := range f.lines {
			out[i].Lines = append(out[i].Lines, clean(line))
		}
	}
	return out
}
