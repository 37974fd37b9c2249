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

// chain is the way of a request to the target of the first finding, with the place of
// the fault as far as it is known.
func chain(r *report.Report) []htmlpage.Hop {
	f := firstFinding(r)
	t, ok := target(r, f.Target)
	if !ok {
		if len(r.Targets) != 1 {
			return nil
		}
		t = r.Targets[0]
	}
	hops := []htmlpage.Hop{{Name: "this machine", Note: "sends the load"}, {Name: t.Name, Note: t.URL}}
	if !faulty(f) && f.Verdict != "generator-limited" {
		return hops
	}
	at := f.Host
	if f.Process != "" {
		at = report.Resource{Host: f.Host, Process: f.Process, PID: f.PID}.Owner()
	}
	switch f.Tier {
	case report.TierClient:
		hops[0].Failing = true
	case report.TierPath:
		hops[1].Path = true
		if f.Host != "" && f.Host != "local" {
			hops = []htmlpage.Hop{hops[0], {Name: at, Note: "on the way", Failing: true}, hops[1]}
			hops[2].Path = false
		}
	case report.TierProxy, report.TierServer:
		hops[1].Failing = true
		if at != "" {
			hops[1].Note += ", " + at
		}
	case report.TierUpstream:
		if at == "" {
			at = "a service behind it"
		}
		hops = append(hops, htmlpage.Hop{Name: at, Note: "behind it", Failing: true})
	}
	return hops
}
