package render

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/render/layout"
)

func targetsGrid(r *report.Report) layout.Grid {
	g := layout.Grid{Name: "targets"}
	type source struct {
		name   string
		totals report.Totals
		lat    report.Latency
	}
	var rows []source
	for _, t := range r.Targets {
		rows = append(rows, source{t.Name, t.Totals, t.LatencyMS})
	}
	if len(rows) > 1 {
		rows = append(rows, source{"all", r.Totals, report.Latency{}})
	}
	g.Columns = []layout.Column{
		{Title: "TARGET", Squeeze: 8},
		{Title: "REQUESTS", Right: true},
		{Title: "FAILED", Right: true},
		{Title: "%", Right: true},
		{Title: "RESET", Right: true},
	}
	shown := shownFaults(r)
	for _, f := range shown {
		drop := 2 // a column of zeros; the table of phases has the others too
		if sum(r.Totals.Faults[f]) > 0 {
			drop = 1
		}
		g.Columns = append(g.Columns, layout.Column{Title: strings.ToUpper(f), Right: true, Drop: drop})
	}
	retried := r.Totals.Attempts > r.Totals.Requests
	if retried {
		g.Columns = append(g.Columns, layout.Column{Title: "ATTEMPTS", Right: true, Drop: 3})
	}
	if r.Totals.Unsent > 0 {
		g.Columns = append(g.Columns, layout.Column{Title: "UNSENT", Right: true})
	}
	if r.Totals.LocalFaults > 0 {
		g.Columns = append(g.Columns, layout.Column{Title: "LOCAL", Right: true})
	}
	g.Columns = append(g.Columns, layout.Column{Title: "P50", Right: true, Drop: 4}, layout.Column{Title: "P99", Right: true},
		layout.Column{Title: "MAX", Right: true, Drop: 5}, layout.Column{Title: "SENT/S", Right: true, Drop: 6})
	for _, s := range rows {
		share := layout.None
		if s.totals.Requests > 0 {
			share = layout.Percent(float64(s.totals.Failed) / float64(s.totals.Requests))
		}
		m := layout.Plain
		if s.totals.Failed > 0 {
			m = layout.Bad
		}
		row := []layout.Cell{
			layout.Text(layout.Shorten(s.name, layout.MaxName)), layout.Text(report.FormatCount(s.totals.Requests)),
			{Text: report.FormatCount(s.totals.Failed), Mark: m},
			{Text: share, Mark: m},
			layout.Text(report.FormatCount(s.totals.WireResets)),
		}
		for _, f := range shown {
			row = append(row, layout.Text(report.FormatCount(sum(s.totals.Faults[f]))))
		}
		if retried {
			row = append(row, layout.Text(report.FormatCount(s.totals.Attempts)))
		}
		if r.Totals.Unsent > 0 {
			row = append(row, layout.Text(report.FormatCount(s.totals.Unsent)))
		}
		if r.Totals.LocalFaults > 0 {
			row = append(row, layout.Text(report.FormatCount(s.totals.LocalFaults)))
		}
		g.Rows = append(g.Rows, append(row, layout.Text(layout.Millis(s.lat.P50)), layout.Text(layout.Millis(s.lat.P99)), layout.Text(layout.Millis(s.lat.Max)),
			layout.Text(report.FormatNumber(layout.Whole(s.totals.AchievedRPSMax)))))
	}
	return g
}

// shownFaults are the faults with a column beside resets: the usual ones always,
// the others where they occurred.
func shownFaults(r *report.Report) []string {
	usual := usualFaults()
	var others []string
	for f := range r.Totals.Faults {
		if f != "reset" && f != "canceled" && !slices.Contains(usual, f) && !localFault(f) && sum(r.Totals.Faults[f]) > 0 {
			others = append(others, f)
		}
	}
	slices.Sort(others)
	return append(usual, others...)
}

func usualFaults() []string { return []string{"eof", "refused", "timeout"} }

func localFault(f string) bool {
	return f == "ports-exhausted" || f == "fds-exhausted" || f == "no-buffers"
}

func sum(counts map[string]uint64) uint64 {
	var n uint64
	for _, c := range counts {
		n += c
	}
	return n
}

func phases() []string {
	return []string{"dns", "dial", "tls", "write", "await", "body", "idle"}
}

// faultsGrid is fault by phase, of each target.
func faultsGrid(r *report.Report) layout.Grid {
	g := layout.Grid{Name: "faults by phase", Columns: []layout.Column{{Title: "FAULT", Squeeze: 15}}}
	several := len(r.Targets) > 1
	if several {
		g.Columns = append(g.Columns, layout.Column{Title: "TARGET", Squeeze: 8})
	}
	var shown []string
	for _, p := range phases() {
		for _, byPhase := range r.Totals.Faults {
			if byPhase[p] > 0 {
				shown = append(shown, p)
				break
			}
		}
	}
	for _, p := range shown {
		g.Columns = append(g.Columns, layout.Column{Title: strings.ToUpper(p), Right: true})
	}
	g.Columns = append(g.Columns, layout.Column{Title: "ALL", Right: true})
	for _, t := range r.Targets {
		faults := make([]string, 0, len(t.Faults))
		for f := range t.Faults {
			if sum(t.Faults[f]) > 0 {
				faults = append(faults, f)
			}
		}
		slices.SortFunc(faults, func(a, b string) int {
			return cmp.Or(cmp.Compare(sum(t.Faults[b]), sum(t.Faults[a])), cmp.Compare(a, b))
		})
		for _, f := range faults {
			name := f
			if localFault(f) {
				name += " (this machine)"
			}
			row := []layout.Cell{layout.Text(name)}
			if several {
				row = append(row, layout.Text(layout.Shorten(t.Name, layout.MaxName)))
			}
			for _, p := range shown {
				row = append(row, layout.Text(report.FormatCount(t.Faults[f][p])))
			}
			g.Rows = append(g.Rows, append(row, layout.Text(report.FormatCount(sum(t.Faults[f])))))
		}
	}
	g.Note = faultsNote(r.Totals)
	return g
}

// detailsGrid is what protocols said of the faults: a certificate's error, a TLS
// alert, an HTTP/2 code.
func detailsGrid(r *report.Report) layout.Grid {
	g := layout.Grid{Name: "details", Columns: []layout.Column{{Title: "FAULT", Squeeze: 15}}}
	several := len(r.Targets) > 1
	if several {
		g.Columns = append(g.Columns, layout.Column{Title: "TARGET", Squeeze: 8})
	}
	g.Columns = append(g.Columns, layout.Column{Title: "DETAIL"}, layout.Column{Title: "ATTEMPTS", Right: true})
	for _, t := range r.Targets {
		type entry struct {
			fault, detail string
			n             uint64
		}
		var entries []entry
		for fault, details := range t.Details {
			for detail, n := range details {
				entries = append(entries, entry{fault, detail, n})
			}
		}
		slices.SortFunc(entries, func(a, b entry) int {
			return cmp.Or(cmp.Compare(b.n, a.n), cmp.Compare(a.fault, b.fault), cmp.Compare(a.detail, b.detail))
		})
		for i, e := range entries {
			if i == maxRows {
				g.Note = fmt.Sprintf("and %d more", len(entries)-i)
				break
			}
			row := []layout.Cell{layout.Text(e.fault)}
			if several {
				row = append(row, layout.Text(layout.Shorten(t.Name, layout.MaxName)))
			}
			g.Rows = append(g.Rows, append(row, layout.Text(e.detail), layout.Text(report.FormatCount(e.n))))
		}
	}
	return g
}

// faultsNote says why the faults do not add up to the resets: some connections ended
// in another way first.
func faultsNote(t report.Totals) string {
	var notes []string
	if named := sum(t.Faults["reset"]); t.WireResets > named {
		notes = append(notes, fmt.Sprintf("%s of %s resets came to connections whose request had failed otherwise (a FIN, then the RST)",
			report.FormatCount(t.WireResets-named), report.FormatCount(t.WireResets)))
	}
	if sum(t.Faults["canceled"]) > 0 {
		notes = append(notes, "canceled: in flight when the load was ended")
	}
	return strings.Join(notes, "; ")
}

// maxRows bounds tables that grow with the system under test.
const maxRows = 8

// addressesGrid compares the addresses of targets that have several, where any
// failed: one bad instance behind a name shows here.
func addressesGrid(r *report.Report) layout.Grid {
	g := layout.Grid{Name: "addresses", Columns: []layout.Column{
		{Title: "ADDRESS", Squeeze: 21},
		{Title: "TARGET", Drop: 1},
		{Title: "ATTEMPTS", Right: true},
		{Title: "FAILED", Right: true},
		{Title: "%", Right: true},
		{Title: "RESET", Right: true},
	}}
	left := 0
	for _, t := range r.Targets {
		if len(t.ByAddress) < 2 || t.Failed == 0 && t.WireResets == 0 {
			continue
		}
		byFailed := slices.Clone(t.ByAddress)
		slices.SortStableFunc(byFailed, func(a, b report.Address) int {
			return cmp.Or(cmp.Compare(b.Failed+b.WireResets, a.Failed+a.WireResets), cmp.Compare(b.Attempts, a.Attempts))
		})
		for _, a := range byFailed {
			if len(g.Rows) == maxRows {
				left++
				continue
			}
			share := layout.None
			if a.Attempts > 0 {
				share = layout.Percent(float64(a.Failed) / float64(a.Attempts))
			}
			g.Rows = append(g.Rows, []layout.Cell{
				layout.Text(a.Address), layout.Text(layout.Shorten(t.Name, layout.MaxName)), layout.Text(report.FormatCount(a.Attempts)),
				layout.Text(report.FormatCount(a.Failed)), layout.Text(share), layout.Text(report.FormatCount(a.WireResets)),
			})
		}
	}
	if left > 0 {
		g.Note = fmt.Sprintf("%d more addresses in the report", left)
	}
	return g
}

func onsetsGrid(r *report.Report) layout.Grid {
	g := layout.Grid{Name: "onset", Columns: []layout.Column{
		{Title: "TARGET", Squeeze: 8},
		{Title: "FAULT"},
		{Title: "ONSET", Right: true},
		{Title: "95% INTERVAL", Right: true},
		{Title: "AT", Right: true},
		{Title: "BEFORE", Right: true, Drop: 1},
		{Title: "AFTER", Right: true},
		{Title: "NOTE", Flex: true, Drop: 2},
	}}
	for _, t := range r.Targets {
		seen := false
		for _, o := range t.Onsets {
			if o.Status == report.OnsetNone {
				continue
			}
			seen = true
			before := layout.None
			if o.BeforeOf > 0 {
				before = layout.Percent(float64(o.Before) / float64(o.BeforeOf))
			}
			after := layout.None
			if o.RateAfter != nil {
				after = layout.Percent(*o.RateAfter)
			}
			row := []layout.Cell{
				layout.Text(layout.Shorten(t.Name, layout.MaxName)), layout.Text(o.Fault),
				{Text: load(r, o.LoadRPS, o.AtS), Mark: layout.Bad},
				layout.Text(loadInterval(r, o.LoadLowRPS, o.LoadHighRPS, o.AtS)),
				layout.Text(layout.Seconds(o.AtS)), layout.Text(before), layout.Text(after), layout.Text(o.Note),
			}
			if o.ConstantRPS != nil && o.LowS != nil && o.HighS != nil {
				row[2].Text = "with time"
				row[3].Text = fmt.Sprintf("%s-%s s", report.FormatNumber(*o.LowS), report.FormatNumber(*o.HighS))
			}
			switch o.Status {
			case report.OnsetFromStart:
				row[2] = layout.Cell{Text: "from start", Mark: layout.Bad}
				row[5] = layout.Text(layout.None)
			case report.OnsetPassing:
				row[1].Text += " (passing)"
				row[2].Mark = layout.Unsure
			case report.OnsetPeriodic:
				row[1].Text += " (periodic)"
				row[2].Mark = layout.Unsure
			}
			g.Rows = append(g.Rows, row)
		}
		if c := t.Crossing; c != nil && c.AtS != nil && (seen || t.Failed > 0) {
			row := []layout.Cell{
				layout.Text(layout.Shorten(t.Name, layout.MaxName)), layout.Text("passes " + layout.Percent(c.Share)),
				{Text: load(r, c.LoadRPS, c.AtS), Mark: layout.Bad},
				layout.Text(loadInterval(r, c.LoadLowRPS, c.LoadHighRPS, c.AtS)),
				layout.Text(layout.Seconds(c.AtS)), layout.Text(layout.None), layout.Text(layout.None), layout.Text(""),
			}
			if *c.LoadLowRPS == *c.LoadHighRPS { // at a constant load
				row[2].Text = "with time"
				row[3].Text = fmt.Sprintf("%s-%s s", report.FormatNumber(*c.LowS), report.FormatNumber(*c.HighS))
			}
			g.Rows = append(g.Rows, row)
		}
		if !seen && t.Requests > 0 {
			bound := report.FormatBound(report.ShareAtMost(t.Failed, t.Requests))
			g.Rows = append(g.Rows, []layout.Cell{
				layout.Text(layout.Shorten(t.Name, layout.MaxName)), layout.Text("any"),
				{Text: "none", Mark: layout.Good},
				layout.Text(layout.None), layout.Text(layout.None),
				layout.Text("≤" + bound), layout.Text(layout.None), layout.Text(""),
			})
		}
	}
	return g.Without("NOTE", "AFTER", "AT", "95% INTERVAL")
}

// maxResources bounds the saturation table; everything stands in the report.
const maxResources = 12

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
			use = layout.Percent(min(*res.Utilisation, 1)) // a queue may hold one beyond its limit
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

func gatesGrid(r *report.Report) layout.Grid {
	g := layout.Grid{Name: "gates", Columns: []layout.Column{{Title: "RESULT"}, {Title: "GATE", Squeeze: 36, Wraps: true}, {Title: "VALUE", Right: true}, {Title: "WHY", Flex: true}}}
	for _, gate := range r.Gates {
		result := layout.Cell{Text: "UNDECIDED", Mark: layout.Unsure}
		switch gate.Result {
		case report.GatePassed:
			result = layout.Cell{Text: "PASS", Mark: layout.Good}
		case report.GateFailed:
			result = layout.Cell{Text: "FAIL", Mark: layout.Bad}
		}
		g.Rows = append(g.Rows, []layout.Cell{result, layout.Text(gate.Expr), layout.Text(gateValue(gate)), layout.Text(gate.Reason)})
	}
	return g
}

// gateValue prints the value of a gate in its unit.
func gateValue(g report.GateResult) string {
	if g.Value == nil {
		return layout.None
	}
	switch g.Unit {
	case "ratio":
		return report.FormatPercent(*g.Value, 3)
	case "rps":
		return layout.Rate(g.Value)
	case "seconds":
		ms := *g.Value * 1e3
		return layout.Millis(&ms)
	}
	return report.FormatNumber(*g.Value)
}
