package render

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"github.com/rampload/rampload/report"
)

// answersGrid is what failed requests were answered: the same words once, with how
// often they were read.
func answersGrid(r *report.Report) grid {
	g := grid{name: "answers", columns: []column{{title: "STATUS"}}}
	several := len(r.Targets) > 1
	if several {
		g.columns = append(g.columns, column{title: "TARGET", squeeze: 8})
	}
	g.columns = append(g.columns, column{title: "READ", right: true}, column{title: "BY", squeeze: 12, drop: 1}, column{title: "SAYS", flex: true})
	left := 0
	for _, t := range r.Targets {
		for i, a := range t.Answers {
			if i >= maxRows {
				left++
				continue
			}
			row := []cell{text(strconv.Itoa(int(a.Status)))}
			if several {
				row = append(row, text(shorten(t.Name, maxName)))
			}
			by := a.By
			if by == "" {
				by = none
			}
			g.rows = append(g.rows, append(row, text(fmt.Sprintf("%s of %s", report.FormatCount(a.Times), report.FormatCount(a.Of))), text(by), text(answerSays(a))))
		}
	}
	if left > 0 {
		g.note = fmt.Sprintf("and %d more in the report", left)
	}
	return g
}

// answerSays puts what an answer says into one line.
func answerSays(a report.Answer) string {
	s := a.Says
	if a.Fault != "status" && a.DeclaredBytes != nil && a.ReceivedBytes != nil {
		s = fmt.Sprintf("%s of the %s bytes that it announced", report.FormatCount(uint64(*a.ReceivedBytes)), report.FormatCount(uint64(*a.DeclaredBytes)))
	}
	if s == "" {
		s = none
	}
	if a.RetryAfterS != nil {
		s += fmt.Sprintf(" (retry after %s s)", report.FormatNumber(*a.RetryAfterS))
	}
	return s
}

// requestsGrid compares the requests of targets that have several, where any failed.
func requestsGrid(r *report.Report) grid {
	g := grid{name: "requests", columns: []column{
		{title: "REQUEST", squeeze: 20},
		{title: "TARGET", drop: 1},
		{title: "ATTEMPTS", right: true},
		{title: "FAILED", right: true},
		{title: "%", right: true},
		{title: "SENT", right: true, drop: 3},
		{title: "RECEIVED", right: true, drop: 2},
	}}
	left := 0
	for _, t := range r.Targets {
		if len(t.ByRequest) < 2 || t.Failed == 0 {
			continue
		}
		rows := slices.DeleteFunc(slices.Clone(t.ByRequest), func(q report.Request) bool { return q.Attempts == 0 })
		share := func(q report.Request) float64 { return float64(q.Failed) / float64(max(q.Attempts, 1)) }
		slices.SortStableFunc(rows, func(a, b report.Request) int {
			return cmp.Or(cmp.Compare(share(b), share(a)), cmp.Compare(b.Attempts, a.Attempts))
		})
		for _, q := range rows {
			if len(g.rows) == maxRows {
				left++
				continue
			}
			m := plain
			if q.Failed > 0 {
				m = bad
			}
			g.rows = append(g.rows, []cell{
				text(q.Name), text(shorten(t.Name, maxName)), text(report.FormatCount(q.Attempts)),
				{report.FormatCount(q.Failed), m},
				{percent(share(q)), m},
				text(sizeOf(q.SentBytes)), text(sizeOf(q.ReceivedBytes)),
			})
		}
	}
	if left > 0 {
		g.note = fmt.Sprintf("%d more requests in the report", left)
	}
	return g
}

// sizeOf writes a mean number of bytes.
func sizeOf(bytes *float64) string {
	if bytes == nil {
		return none
	}
	return report.FormatCount(uint64(*bytes+0.5)) + " B"
}
