package render

import (
	"fmt"

	"github.com/rampload/rampload/report"
)

// saidGrid is what logs say of failed requests: who said it of whom, of how many, and the
// load at which it was said first.
func saidGrid(r *report.Report) grid {
	g := grid{name: "said", columns: []column{{title: "LOG OF", squeeze: 16}, {title: "OF WHOM", squeeze: 14, drop: 2}}}
	several := len(r.Targets) > 1
	if several {
		g.columns = append(g.columns, column{title: "TARGET", squeeze: 8, drop: 1})
	}
	g.columns = append(g.columns, column{title: "FAULT", drop: 3}, column{title: "FAILED", right: true}, column{title: "FIRST", right: true, drop: 4}, column{title: "SAYS", flex: true})
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
			row := []cell{text(who), text(orNone(s.Peer))}
			if several {
				row = append(row, text(shorten(t.Name, maxName)))
			}
			first := report.FormatSeconds(s.FirstS)
			if s.FirstRPS != nil {
				first = report.FormatCount(uint64(*s.FirstRPS+0.5)) + "/s"
			}
			g.rows = append(g.rows, append(row, text(s.Fault), text(saidOf(s)), text(first), text(s.Says)))
		}
	}
	if left > 0 {
		g.note = fmt.Sprintf("and %d more in the report", left)
	}
	return g
}

// saidOf says of how many failed transactions something was said.
func saidOf(s report.Said) string {
	if s.Joined == "time" {
		return fmt.Sprintf("%s, by time", report.FormatCount(s.Times))
	}
	return fmt.Sprintf("%s of %s", report.FormatCount(s.Times), report.FormatCount(s.Of))
}

func orNone(s string) string {
	if s == "" {
		return none
	}
	return s
}
