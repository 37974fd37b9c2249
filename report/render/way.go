package render

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/format"
	"github.com/rampload/rampload/report/render/layout"
)

// wayFacts says which way the requests of the first finding's target took, and where
// they stood on it.
func wayFacts(r *report.Report) []layout.Fact {
	t, ok := target(r, firstFinding(r).Target)
	if !ok || t.Way == nil {
		return nil
	}
	out := []layout.Fact{{Label: "way", Lines: []string{t.Way.Line}}}
	if t.Way.Text != "" {
		out = append(out, layout.Fact{Label: "stand", Lines: strings.Split(t.Way.Text, "; ")})
	}
	return out
}

// notAgain leaves out of facts what others say already: where requests stood is evidence
// of many causes.
func notAgain(facts, said []layout.Fact) []layout.Fact {
	var out []layout.Fact
	for _, f := range facts {
		f.Lines = slices.DeleteFunc(f.Lines, func(line string) bool {
			return slices.ContainsFunc(said, func(o layout.Fact) bool { return slices.Contains(o.Lines, line) })
		})
		if len(f.Lines) > 0 {
			out = append(out, f)
		}
	}
	return out
}

// wayGrid shows where requests stood, hop by hop, while they failed.
func wayGrid(r *report.Report) layout.Grid {
	g := layout.Grid{Name: "where requests stood"}
	g.Columns = []layout.Column{
		{Title: "HOP", Squeeze: 10},
		{Title: "OPEN", Right: true},
		{Title: "BEFORE", Right: true, Drop: 2},
		{Title: "NOT ACCEPTED", Right: true, Drop: 4},
		{Title: "NOT READ", Right: true, Drop: 3},
		{Title: "OLDEST", Right: true},
		{Title: "CPU", Right: true, Drop: 1},
		{Title: "WAIT FOR", Squeeze: 10},
		{Title: "STAND"},
	}
	for _, t := range r.Targets {
		if t.Way == nil || !slices.ContainsFunc(t.Way.Hops, func(h report.WayHop) bool { return h.Role != "" }) {
			continue
		}
		for _, h := range t.Way.Hops {
			m := layout.Plain
			if h.Role == report.RoleCulprit {
				m = layout.Bad
			}
			name := h.Process + " " + h.Host
			if !h.Watched {
				name = h.Address
			}
			g.Rows = append(g.Rows, []layout.Cell{
				{Text: strings.Repeat(" ", 2*(h.Depth-1)) + layout.Shorten(name, layout.MaxName), Mark: m},
				layout.Text(howMany(h.Now.Open)), layout.Text(howMany(h.Before.Open)), layout.Text(howMany(h.Now.NotAccepted)), layout.Text(howMany(h.Now.NotRead)),
				layout.Text(aged(h.Now.OldestS)), layout.Text(shareOf(h.Now.Processor)), layout.Text(layout.Shorten(waitsFor(h), layout.MaxName)),
				{Text: stands(h), Mark: m},
			})
		}
	}
	return g
}

func howMany(v *float64) string {
	if v == nil {
		return layout.None
	}
	return format.Number(*v)
}

func aged(v *float64) string {
	if v == nil {
		return layout.None
	}
	return format.Seconds(*v)
}

func shareOf(v *float64) string {
	if v == nil {
		return layout.None
	}
	return format.Percent(*v)
}

// waitsFor names whom most requests of a hop are out to.
func waitsFor(h report.WayHop) string {
	best, most := layout.None, 0.0
	for _, b := range h.Behind {
		if b.Requests != nil && *b.Requests > most {
			best, most = fmt.Sprintf("%s (%s)", b.To, format.Number(*b.Requests)), *b.Requests
		}
	}
	return best
}

// stands words where the requests of a hop stood.
func stands(h report.WayHop) string {
	switch h.State {
	case report.StandsNotAccepted:
		return "all busy"
	case report.StandsNoProcessor:
		return "no processor"
	case report.StandsOnDisk:
		return "on disk"
	case report.StandsBehind:
		return "waits"
	case report.StandsPool:
		return "pool full"
	case report.StandsCutOff:
		return "cut off"
	case report.StandsNetwork:
		return "on the way on"
	case report.StandsInside:
		return "inside"
	case report.StandsStill:
		return "stands still"
	}
	return layout.None
}
