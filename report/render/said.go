package render

import (
	"fmt"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/format"
	"github.com/rampload/rampload/report/render/layout"
)

// saidGrid is what logs and traces say of failed requests: who said it of whom, of how many, and the
// load at which it was said first.
func saidGrid(r *report.Report) layout.Grid {
	g := layout.Grid{Name: "who said what", Columns: []layout.Column{{Title: "WHO", Squeeze: 16}, {Title: "OF WHOM", Squeeze: 14, Drop: 2}}}
	several := len(r.Targets) > 1
	if several {
		g.Columns = append(g.Columns, layout.Column{Title: "TARGET", Squeeze: 8, Drop: 1})
	}
	g.Columns = append(g.Columns, layout.Column{Title: "FAULT", Drop: 3}, layout.Column{Title: "FAILED", Right: true}, layout.Column{Title: "FIRST", Right: true, Drop: 4}, layout.Column{Title: "SAYS", Flex: true})
	left := 0
	for _, t := range r.Targets {
		for i, s := range t.Said {
			if i >= maxRows {
				left++
				continue
			}
			who := s.Service
			if s.Host != "" && s.Host != s.Service {
				who += " on " + s.Host
			}
			peer := s.Peer
			switch {
			case s.Edge != nil:
				who = s.Edge.String() + " (trace)"
			case s.File == repliesFile: // who says it is who answered
				who, peer = s.Peer+" (on the wire)", ""
			}
			row := []layout.Cell{layout.Text(who), layout.Text(orNone(peer))}
			if several {
				row = append(row, layout.Text(layout.Shorten(t.Name, layout.MaxName)))
			}
			first := format.Seconds(s.FirstS)
			if s.FirstRPS != nil {
				first = format.Count(uint64(*s.FirstRPS+0.5)) + "/s"
			}
			g.Rows = append(g.Rows, append(row, layout.Text(s.Fault), layout.Text(saidOf(s)), layout.Text(first), layout.Text(s.Says)))
		}
	}
	if left > 0 {
		g.Note = fmt.Sprintf("and %d more in the report", left)
	}
	return g
}

// repliesFile stands in the place of a file for answers that were read on the wire.
const repliesFile = "replies"

// saidOf says of how many failed transactions something was said.
func saidOf(s report.Said) string {
	if e := s.Edge; e != nil && e.GoodOf > 0 {
		return fmt.Sprintf("%s of %s; good %s of %s", format.Count(s.Times), format.Count(s.Of), format.Count(e.GoodTimes), format.Count(e.GoodOf))
	}
	if s.Joined == "time" {
		lines := "lines"
		if s.Times == 1 {
			lines = "line"
		}
		return fmt.Sprintf("%s %s, by time", format.Count(s.Times), lines)
	}
	return fmt.Sprintf("%s of %s", format.Count(s.Times), format.Count(s.Of))
}

func orNone(s string) string {
	if s == "" {
		return layout.None
	}
	return s
}
