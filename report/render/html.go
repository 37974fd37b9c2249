package render

import (
	"io"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/render/layout"
	htmlpage "github.com/rampload/rampload/report/render/page"
)

// HTML writes a report as one self-contained page: nothing is loaded from
// elsewhere. Charts need the assets; without them there are tables only.
func HTML(w io.Writer, r *report.Report, assets layout.Assets) error {
	return layout.WritePage(w, func(w io.Writer) error {
		return htmlpage.Write(w, viewOf(r), htmlpage.Assets{UPlotJS: assets.UPlotJS, UPlotCSS: assets.UPlotCSS})
	})
}

// LiveHTML writes the page of a run that goes on: r is its report so far. The page listens
// to server-sent events at "events", beside where it was loaded from; see cmd/internal/web.
func LiveHTML(w io.Writer, r *report.Report, assets layout.Assets) error {
	v := viewOf(r)
	v.Live, v.Word, v.Class = true, "RUNNING", layout.Unsure.Class()
	v.Headline = layout.Clean(Finding(r))
	return layout.WritePage(w, func(w io.Writer) error {
		return htmlpage.Write(w, v, htmlpage.Assets{UPlotJS: assets.UPlotJS, UPlotCSS: assets.UPlotCSS})
	})
}

func viewOf(r *report.Report) htmlpage.View {
	p := pageOf(r)
	v := htmlpage.View{
		Report: r, Word: p.Word, Class: p.Mark.Class(), Headline: p.Headline,
		Chain: chain(r), Facts: layout.HTMLFacts(p.Facts), Closing: layout.HTMLFacts(p.Closing),
	}
	v.Grids = layout.HTMLGrids(p.Grids)
	return v
}
