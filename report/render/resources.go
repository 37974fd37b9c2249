package render

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/format"
	"github.com/rampload/rampload/report/render/layout"
)

func resourcesGrid(r *report.Report) layout.Grid {
	g := layout.Grid{Name: "saturation", Columns: []layout.Column{
		{Title: "RESOURCE", Squeeze: 12},
		{Title: "ON", Squeeze: 16},
		{Title: "PEAK", Right: true, Drop: 5},
		{Title: "LIMIT", Right: true, Drop: 6},
		{Title: "USED", Right: true},
		{Title: "FULL AT", Right: true},
		{Title: "LOAD", Right: true, Drop: 7},
		{Title: "LAG", Right: true},
		{Title: "VERDICT"},
		{Title: "WHY", Flex: true, Drop: 9},
	}}
	rank := func(v string) int { // what did not cause it is in order of use
		return slices.Index([]string{"cause", "candidate", "full-throughout"}, v)
	}
	var rows []report.Resource
	left := 0
	for _, res := range r.Resources {
		suspected := rank(res.Verdict) >= 0
		if !suspected && res.Verdict != "ruled-out" && res.Verdict != "headroom" {
			continue
		}
		if !suspected && res.Utilisation == nil && (res.SaturatedAtS == nil || res.Kind == "gauge") {
			left++ // a counter that did not move, a level without a limit
			continue
		}
		if !suspected && !tells(res) {
			left++
			continue
		}
		rows = append(rows, res)
	}
	order := func(r report.Resource) int {
		if i := rank(r.Verdict); i >= 0 {
			return i
		}
		return 3
	}
	used := func(r report.Resource) float64 {
		if r.Utilisation == nil {
			return -1
		}
		return *r.Utilisation
	}
	slices.SortStableFunc(rows, func(a, b report.Resource) int {
		return cmp.Or(cmp.Compare(order(a), order(b)), cmp.Compare(score(b), score(a)), cmp.Compare(used(b), used(a)),
			cmp.Compare(a.Label(), b.Label()))
	})
	// Of what has room, the fullest of its name on a host or in a process stands for
	// the others: connections to a hundred places are one line.
	seen := map[[3]string]bool{}
	rows = slices.DeleteFunc(rows, func(res report.Resource) bool {
		key := [3]string{res.Host, process(res.Process, res.PID), res.Name}
		again := seen[key] && res.Verdict == "headroom"
		seen[key] = true
		if again {
			left++
		}
		return again
	})
	if more := len(rows) - maxResources; more > 0 {
		left += more
		rows = rows[:maxResources]
	}
	if left > 0 {
		g.Note = fmt.Sprintf("%d more in the report, none likelier", left)
	}
	several := map[string]int{} // the instance is told where there are several
	for _, res := range rows {
		several[res.Host+"/"+res.Process+"/"+res.Name]++
	}
	for _, res := range rows {
		use := layout.None
		if res.Utilisation != nil {
			use = format.Percent(min(*res.Utilisation, 1)) // a queue may hold one beyond its limit
		}
		m := layout.Plain
		switch res.Verdict {
		case "cause":
			m = layout.Bad
		case "candidate", "full-throughout":
			m = layout.Unsure
		case "ruled-out", "headroom":
			m = layout.Faint
		}
		limit := layout.InUnit(res.Limit, res.Unit)
		if res.Unit == "share" {
			limit = layout.None
		}
		name := title(res)
		if res.Instance != "" && several[res.Host+"/"+res.Process+"/"+res.Name] > 1 {
			name += " " + res.Instance
		}
		if !wasFull(res) {
			res.SaturatedAtS, res.LoadRPS, res.LagS = nil, nil, nil
		}
		g.Rows = append(g.Rows, []layout.Cell{
			layout.Text(layout.Shorten(name, 32)), layout.Text(layout.Shorten(owner(res), 36)), layout.Text(layout.InUnit(res.Peak, res.Unit)), layout.Text(limit), layout.Text(use),
			layout.Text(fullAt(res)), layout.Text(load(r, res.LoadRPS, res.SaturatedAtS)), layout.Text(layout.Lag(res.LagS)),
			{Text: verdictWord(res), Mark: m},
			layout.Text(res.Reason),
		})
	}
	return g.Without("FULL AT", "LOAD", "LAG", "WHY")
}

// fullAt is when a resource was full; before the load began is "start".
func fullAt(r report.Resource) string {
	if r.SaturatedAtS != nil && *r.SaturatedAtS <= 0 {
		return "start"
	}
	return layout.Seconds(r.SaturatedAtS)
}

// wasFull reports whether a resource ran out, or looked like it to diagnosis: what
// only stopped growing far below its limit did not.
func wasFull(r report.Resource) bool {
	const near = 0.9
	suspected := r.Verdict == "cause" || r.Verdict == "candidate" || r.Verdict == "full-throughout"
	return r.SaturatedAtS != nil && (suspected || r.Utilisation == nil || *r.Utilisation >= near)
}

// verdictWord is the verdict of a resource in a table.
func verdictWord(r report.Resource) string {
	switch {
	case r.Verdict == "full-throughout" && r.Kind == "counter":
		return "from start" // it moves, and is full of nothing
	case r.Verdict == "full-throughout":
		return "always full"
	}
	return strings.ReplaceAll(r.Verdict, "-", " ")
}
