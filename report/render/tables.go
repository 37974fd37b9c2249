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
			share = format.Percent(float64(s.totals.Failed) / float64(s.totals.Requests))
		}
		m := layout.Plain
		if s.totals.Failed > 0 {
			m = layout.Bad
		}
		row := []layout.Cell{
			layout.Text(layout.Shorten(s.name, layout.MaxName)), layout.Text(format.Count(s.totals.Requests)),
			{Text: format.Count(s.totals.Failed), Mark: m},
			{Text: share, Mark: m},
			layout.Text(format.Count(s.totals.WireResets)),
		}
		for _, f := range shown {
			row = append(row, layout.Text(format.Count(sum(s.totals.Faults[f]))))
		}
		if retried {
			row = append(row, layout.Text(format.Count(s.totals.Attempts)))
		}
		if r.Totals.Unsent > 0 {
			row = append(row, layout.Text(format.Count(s.totals.Unsent)))
		}
		if r.Totals.LocalFaults > 0 {
			row = append(row, layout.Text(format.Count(s.totals.LocalFaults)))
		}
		g.Rows = append(g.Rows, append(row, layout.Text(layout.Millis(s.lat.P50)), layout.Text(layout.Millis(s.lat.P99)), layout.Text(layout.Millis(s.lat.Max)),
			layout.Text(format.Number(s.totals.AchievedRPSMax))))
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
				row = append(row, layout.Text(format.Count(t.Faults[f][p])))
			}
			g.Rows = append(g.Rows, append(row, layout.Text(format.Count(sum(t.Faults[f])))))
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
			g.Rows = append(g.Rows, append(row, layout.Text(e.detail), layout.Text(format.Count(e.n))))
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
			format.Count(t.WireResets-named), format.Count(t.WireResets)))
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
				share = format.Percent(float64(a.Failed) / float64(a.Attempts))
			}
			g.Rows = append(g.Rows, []layout.Cell{
				layout.Text(a.Address), layout.Text(layout.Shorten(t.Name, layout.MaxName)), layout.Text(format.Count(a.Attempts)),
				layout.Text(format.Count(a.Failed)), layout.Text(share), layout.Text(format.Count(a.WireResets)),
			})
		}
	}
	if left > 0 {
		g.Note = fmt.Sprintf("%d more addresses in the report", left)
	}
	return g
}

// maxResources bounds the saturation table; everything stands in the report.
const maxResources = 12

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
		return format.FinePercent(*g.Value)
	case "rps":
		return layout.Rate(g.Value)
	case "seconds":
		ms := *g.Value * 1e3
		return layout.Millis(&ms)
	}
	return format.Number(*g.Value)
}
