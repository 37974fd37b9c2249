package render

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rampload/rampload/report"
)

// wayFacts says which way the requests of the first finding's target took, and where
// they stood on it.
func wayFacts(r *report.Report) []fact {
	t, ok := target(r, firstFinding(r).Target)
	if !ok || t.Way == nil {
		return nil
	}
	out := []fact{{"way", []string{t.Way.Line}}}
	if t.Way.Text != "" {
		out = append(out, fact{"stand", strings.Split(t.Way.Text, "; ")})
	}
	return out
}

// notAgain leaves out of facts what others say already: where requests stood is evidence
// of many causes.
func notAgain(facts, said []fact) []fact {
	var out []fact
	for _, f := range facts {
		f.lines = slices.DeleteFunc(f.lines, func(line string) bool {
			return slices.ContainsFunc(said, func(o fact) bool { return slices.Contains(o.lines, line) })
		})
		if len(f.lines) > 0 {
			out = append(out, f)
		}
	}
	return out
}

// wayGrid shows where requests stood, hop by hop, while they failed.
func wayGrid(r *report.Report) grid {
	g := grid{name: "where requests stood"}
	g.columns = []column{
		{title: "HOP", squeeze: 10},
		{title: "OPEN", right: true},
		{title: "BEFORE", right: true, drop: 2},
		{title: "NOT ACCEPTED", right: true, drop: 4},
		{title: "NOT READ", right: true, drop: 3},
		{title: "OLDEST", right: true},
		{title: "CPU", right: true, drop: 1},
		{title: "WAIT FOR", squeeze: 10},
		{title: "STAND"},
	}
	for _, t := range r.Targets {
		if t.Way == nil || !slices.ContainsFunc(t.Way.Hops, func(h report.WayHop) bool { return h.Role != "" }) {
			continue
		}
		for _, h := range t.Way.Hops {
			m := plain
			if h.Role == report.RoleCulprit {
				m = bad
			}
			name := h.Process + " " + h.Host
			if !h.Watched {
				name = h.Address
			}
			g.rows = append(g.rows, []cell{
				{strings.Repeat(" ", 2*(h.Depth-1)) + shorten(name, maxName), m},
				text(howMany(h.Now.Open)), text(howMany(h.Before.Open)), text(howMany(h.Now.NotAccepted)), text(howMany(h.Now.NotRead)),
				text(aged(h.Now.OldestS)), text(shareOf(h.Now.Processor)), text(shorten(waitsFor(h), maxName)),
				{stands(h), m},
			})
		}
	}
	return g
}

func howMany(v *float64) string {
	if v == nil {
		return none
	}
	return report.FormatNumber(*v)
}

func aged(v *float64) string {
	if v == nil {
		return none
	}
	return report.FormatSeconds(*v)
}

func shareOf(v *float64) string {
	if v == nil {
		return none
	}
	return percent(*v)
}

// waitsFor names whom most requests of a hop are out to.
func waitsFor(h report.WayHop) string {
	best, most := none, 0.0
	for _, b := range h.Behind {
		if b.Requests != nil && *b.Requests > most {
			best, most = fmt.Sprintf("%s (%s)", b.To, report.FormatNumber(*b.Requests)), *b.Requests
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
	case report.StandsNetwork:
		return "on the way on"
	case report.StandsInside:
		return "inside"
	case report.StandsStill:
		return "stands still"
	}
	return none
}
