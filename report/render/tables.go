package render

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/rampload/rampload/report"
)

// maxName is how long a name may be in a table of 80 columns.
const maxName = 20

func targetsGrid(r *report.Report) grid {
	g := grid{name: "targets"}
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
	g.columns = []column{
		{title: "TARGET", squeeze: 8},
		{title: "REQUESTS", right: true},
		{title: "FAILED", right: true},
		{title: "%", right: true},
		{title: "RESET", right: true},
	}
	shown := shownFaults(r)
	for _, f := range shown {
		drop := 2 // a column of zeros; the table of phases has the others too
		if sum(r.Totals.Faults[f]) > 0 {
			drop = 1
		}
		g.columns = append(g.columns, column{title: strings.ToUpper(f), right: true, drop: drop})
	}
	retried := r.Totals.Attempts > r.Totals.Requests
	if retried {
		g.columns = append(g.columns, column{title: "ATTEMPTS", right: true, drop: 3})
	}
	if r.Totals.Unsent > 0 {
		g.columns = append(g.columns, column{title: "UNSENT", right: true})
	}
	if r.Totals.LocalFaults > 0 {
		g.columns = append(g.columns, column{title: "LOCAL", right: true})
	}
	g.columns = append(g.columns, column{title: "P50", right: true, drop: 4}, column{title: "P99", right: true},
		column{title: "MAX", right: true, drop: 5}, column{title: "SENT/S", right: true, drop: 6})
	for _, s := range rows {
		share := none
		if s.totals.Requests > 0 {
			share = percent(float64(s.totals.Failed) / float64(s.totals.Requests))
		}
		m := plain
		if s.totals.Failed > 0 {
			m = bad
		}
		row := []cell{
			text(shorten(s.name, maxName)), text(report.FormatCount(s.totals.Requests)),
			{report.FormatCount(s.totals.Failed), m},
			{share, m},
			text(report.FormatCount(s.totals.WireResets)),
		}
		for _, f := range shown {
			row = append(row, text(report.FormatCount(sum(s.totals.Faults[f]))))
		}
		if retried {
			row = append(row, text(report.FormatCount(s.totals.Attempts)))
		}
		if r.Totals.Unsent > 0 {
			row = append(row, text(report.FormatCount(s.totals.Unsent)))
		}
		if r.Totals.LocalFaults > 0 {
			row = append(row, text(report.FormatCount(s.totals.LocalFaults)))
		}
		g.rows = append(g.rows, append(row, text(millis(s.lat.P50)), text(millis(s.lat.P99)), text(millis(s.lat.Max)),
			text(report.FormatNumber(whole(s.totals.AchievedRPSMax)))))
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
func faultsGrid(r *report.Report) grid {
	g := grid{name: "faults by phase", columns: []column{{title: "FAULT", squeeze: 15}}}
	several := len(r.Targets) > 1
	if several {
		g.columns = append(g.columns, column{title: "TARGET", squeeze: 8})
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
		g.columns = append(g.columns, column{title: strings.ToUpper(p), right: true})
	}
	g.columns = append(g.columns, column{title: "ALL", right: true})
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
			row := []cell{text(name)}
			if several {
				row = append(row, text(shorten(t.Name, maxName)))
			}
			for _, p := range shown {
				row = append(row, text(report.FormatCount(t.Faults[f][p])))
			}
			g.rows = append(g.rows, append(row, text(report.FormatCount(sum(t.Faults[f])))))
		}
	}
	g.note = faultsNote(r.Totals)
	return g
}

// detailsGrid is what protocols said of the faults: a certificate's error, a TLS
// alert, an HTTP/2 code.
func detailsGrid(r *report.Report) grid {
	g := grid{name: "details", columns: []column{{title: "FAULT", squeeze: 15}}}
	several := len(r.Targets) > 1
	if several {
		g.columns = append(g.columns, column{title: "TARGET", squeeze: 8})
	}
	g.columns = append(g.columns, column{title: "DETAIL"}, column{title: "ATTEMPTS", right: true})
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
				g.note = fmt.Sprintf("and %d more", len(entries)-i)
				break
			}
			row := []cell{text(e.fault)}
			if several {
				row = append(row, text(shorten(t.Name, maxName)))
			}
			g.rows = append(g.rows, append(row, text(e.detail), text(report.FormatCount(e.n))))
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
func addressesGrid(r *report.Report) grid {
	g := grid{name: "addresses", columns: []column{
		{title: "ADDRESS", squeeze: 21},
		{title: "TARGET", drop: 1},
		{title: "ATTEMPTS", right: true},
		{title: "FAILED", right: true},
		{title: "%", right: true},
		{title: "RESET", right: true},
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
			if len(g.rows) == maxRows {
				left++
				continue
			}
			share := none
			if a.Attempts > 0 {
				share = percent(float64(a.Failed) / float64(a.Attempts))
			}
			g.rows = append(g.rows, []cell{
				text(a.Address), text(shorten(t.Name, maxName)), text(report.FormatCount(a.Attempts)),
				text(report.FormatCount(a.Failed)), text(share), text(report.FormatCount(a.WireResets)),
			})
		}
	}
	if left > 0 {
		g.note = fmt.Sprintf("%d more addresses in the report", left)
	}
	return g
}

func onsetsGrid(r *report.Report) grid {
	g := grid{name: "onset", columns: []column{
		{title: "TARGET", squeeze: 8},
		{title: "FAULT"},
		{title: "ONSET", right: true},
		{title: "95% INTERVAL", right: true},
		{title: "AT", right: true},
		{title: "BEFORE", right: true, drop: 1},
		{title: "AFTER", right: true},
		{title: "NOTE", flex: true, drop: 2},
	}}
	for _, t := range r.Targets {
		seen := false
		for _, o := range t.Onsets {
			if o.Status == report.OnsetNone {
				continue
			}
			seen = true
			before := none
			if o.BeforeOf > 0 {
				before = percent(float64(o.Before) / float64(o.BeforeOf))
			}
			after := none
			if o.RateAfter != nil {
				after = percent(*o.RateAfter)
			}
			row := []cell{
				text(shorten(t.Name, maxName)), text(o.Fault),
				{load(r, o.LoadRPS, o.AtS), bad},
				text(loadInterval(r, o.LoadLowRPS, o.LoadHighRPS, o.AtS)),
				text(seconds(o.AtS)), text(before), text(after), text(o.Note),
			}
			if o.ConstantRPS != nil && o.LowS != nil && o.HighS != nil {
				row[2].text = "with time"
				row[3].text = fmt.Sprintf("%s-%s s", report.FormatNumber(*o.LowS), report.FormatNumber(*o.HighS))
			}
			switch o.Status {
			case report.OnsetFromStart:
				row[2] = cell{"from start", bad}
				row[5] = text(none)
			case report.OnsetPassing:
				row[1].text += " (passing)"
				row[2].mark = unsure
			case report.OnsetPeriodic:
				row[1].text += " (periodic)"
				row[2].mark = unsure
			}
			g.rows = append(g.rows, row)
		}
		if c := t.Crossing; c != nil && c.AtS != nil && (seen || t.Failed > 0) {
			row := []cell{
				text(shorten(t.Name, maxName)), text("passes " + percent(c.Share)),
				{load(r, c.LoadRPS, c.AtS), bad},
				text(loadInterval(r, c.LoadLowRPS, c.LoadHighRPS, c.AtS)),
				text(seconds(c.AtS)), text(none), text(none), text(""),
			}
			if *c.LoadLowRPS == *c.LoadHighRPS { // at a constant load
				row[2].text = "with time"
				row[3].text = fmt.Sprintf("%s-%s s", report.FormatNumber(*c.LowS), report.FormatNumber(*c.HighS))
			}
			g.rows = append(g.rows, row)
		}
		if !seen && t.Requests > 0 {
			bound := report.FormatBound(report.ShareAtMost(t.Failed, t.Requests))
			g.rows = append(g.rows, []cell{
				text(shorten(t.Name, maxName)), text("any"),
				{"none", good},
				text(none), text(none),
				text("≤" + bound), text(none), text(""),
			})
		}
	}
	return g.without("NOTE", "AFTER", "AT", "95% INTERVAL")
}

// maxResources bounds the saturation table; everything stands in the report.
const maxResources = 12

func resourcesGrid(r *report.Report) grid {
	g := grid{name: "saturation", columns: []column{
		{title: "RESOURCE", squeeze: 12},
		{title: "ON", squeeze: 16},
		{title: "PEAK", right: true, drop: 5},
		{title: "LIMIT", right: true, drop: 6},
		{title: "USED", right: true},
		{title: "FULL AT", right: true},
		{title: "LOAD", right: true, drop: 7},
		{title: "LAG", right: true},
		{title: "VERDICT"},
		{title: "WHY", flex: true, drop: 9},
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
		g.note = fmt.Sprintf("%d more in the report, none likelier", left)
	}
	several := map[string]int{} // the instance is told where there are several
	for _, res := range rows {
		several[res.Host+"/"+res.Process+"/"+res.Name]++
	}
	for _, res := range rows {
		use := none
		if res.Utilisation != nil {
			use = percent(min(*res.Utilisation, 1)) // a queue may hold one beyond its limit
		}
		m := plain
		switch res.Verdict {
		case "cause":
			m = bad
		case "candidate", "full-throughout":
			m = unsure
		case "ruled-out", "headroom":
			m = faint
		}
		limit := quantity(res.Limit, res.Unit)
		if res.Unit == "share" {
			limit = none
		}
		name := title(res)
		if res.Instance != "" && several[res.Host+"/"+res.Process+"/"+res.Name] > 1 {
			name += " " + res.Instance
		}
		if !wasFull(res) {
			res.SaturatedAtS, res.LoadRPS, res.LagS = nil, nil, nil
		}
		g.rows = append(g.rows, []cell{
			text(shorten(name, 32)), text(shorten(owner(res), 36)), text(quantity(res.Peak, res.Unit)), text(limit), text(use),
			text(fullAt(res)), text(load(r, res.LoadRPS, res.SaturatedAtS)), text(lag(res.LagS)),
			{verdictWord(res), m},
			text(res.Reason),
		})
	}
	return g.without("FULL AT", "LOAD", "LAG", "WHY")
}

// fullAt is when a resource was full; before the load began is "start".
func fullAt(r report.Resource) string {
	if r.SaturatedAtS != nil && *r.SaturatedAtS <= 0 {
		return "start"
	}
	return seconds(r.SaturatedAtS)
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

func gatesGrid(r *report.Report) grid {
	g := grid{name: "gates", columns: []column{{title: "RESULT"}, {title: "GATE", squeeze: 36, wraps: true}, {title: "VALUE", right: true}, {title: "WHY", flex: true}}}
	for _, gate := range r.Gates {
		result := cell{"UNDECIDED", unsure}
		switch gate.Result {
		case report.GatePassed:
			result = cell{"PASS", good}
		case report.GateFailed:
			result = cell{"FAIL", bad}
		}
		g.rows = append(g.rows, []cell{result, text(gate.Expr), text(gateValue(gate)), text(gate.Reason)})
	}
	return g
}
