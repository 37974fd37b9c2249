package render

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/answers"
	"github.com/rampload/rampload/report/format"
	"github.com/rampload/rampload/report/render/layout"
)

// answersGrid is what failed requests were answered: the same words once, with how
// often they were read.
func answersGrid(r *report.Report) layout.Grid {
	g := layout.Grid{Name: "answers", Columns: []layout.Column{{Title: "STATUS"}}}
	several := len(r.Targets) > 1
	if several {
		g.Columns = append(g.Columns, layout.Column{Title: "TARGET", Squeeze: 8})
	}
	g.Columns = append(g.Columns, layout.Column{Title: "READ", Right: true}, layout.Column{Title: "BY", Squeeze: 12, Drop: 1}, layout.Column{Title: "SAYS", Flex: true})
	left := 0
	for _, t := range r.Targets {
		for i, a := range t.Answers {
			if i >= maxRows {
				left++
				continue
			}
			row := []layout.Cell{layout.Text(a.Label())}
			if several {
				row = append(row, layout.Text(layout.Shorten(t.Name, layout.MaxName)))
			}
			by := a.By
			if by == "" {
				by = layout.None
			}
			g.Rows = append(g.Rows, append(row, layout.Text(fmt.Sprintf("%s of %s", format.Count(a.Times), format.Count(a.Of))), layout.Text(by), layout.Text(answerSays(a))))
		}
	}
	if left > 0 {
		g.Note = fmt.Sprintf("and %d more in the report", left)
	}
	return g
}

// answerSays puts what an answer says into one line.
func answerSays(a answers.Answer) string {
	s := a.Says
	if a.Why != "" {
		s = strings.TrimLeft(strings.TrimPrefix(a.Why, a.Detail), ": ") + "; says: " + cmp.Or(s, layout.None)
	}
	if a.Fault != "status" && a.DeclaredBytes != nil && a.ReceivedBytes != nil {
		s = fmt.Sprintf("%s of the %s bytes that it announced", format.Count(uint64(*a.ReceivedBytes)), format.Count(uint64(*a.DeclaredBytes)))
	}
	if s == "" {
		s = layout.None
	}
	if a.RetryAfterS != nil {
		s += fmt.Sprintf(" (retry after %s s)", format.Number(*a.RetryAfterS))
	}
	return s
}

// requestsGrid compares the requests of targets that have several, where any failed.
func requestsGrid(r *report.Report) layout.Grid {
	g := layout.Grid{Name: "requests", Columns: []layout.Column{
		{Title: "REQUEST", Squeeze: 20},
		{Title: "TARGET", Drop: 1},
		{Title: "ATTEMPTS", Right: true},
		{Title: "FAILED", Right: true},
		{Title: "%", Right: true},
		{Title: "SENT", Right: true, Drop: 3},
		{Title: "RECEIVED", Right: true, Drop: 2},
	}}
	left := 0
	for _, t := range r.Targets {
		if len(t.ByRequest) < 2 || t.Failed == 0 {
			continue
		}
		rows := slices.DeleteFunc(slices.Clone(t.ByRequest), func(q answers.Request) bool { return q.Attempts == 0 })
		share := func(q answers.Request) float64 { return float64(q.Failed) / float64(max(q.Attempts, 1)) }
		slices.SortStableFunc(rows, func(a, b answers.Request) int {
			return cmp.Or(cmp.Compare(share(b), share(a)), cmp.Compare(b.Attempts, a.Attempts))
		})
		for _, q := range rows {
			if len(g.Rows) == maxRows {
				left++
				continue
			}
			m := layout.Plain
			if q.Failed > 0 {
				m = layout.Bad
			}
			g.Rows = append(g.Rows, []layout.Cell{
				layout.Text(q.Name), layout.Text(layout.Shorten(t.Name, layout.MaxName)), layout.Text(format.Count(q.Attempts)),
				{Text: format.Count(q.Failed), Mark: m},
				{Text: format.Percent(share(q)), Mark: m},
				layout.Text(sizeOf(q.SentBytes)), layout.Text(sizeOf(q.ReceivedBytes)),
			})
		}
	}
	if left > 0 {
		g.Note = fmt.Sprintf("%d more requests in the report", left)
	}
	return g
}

// sizeOf writes a mean number of bytes.
func sizeOf(bytes *float64) string {
	if bytes == nil {
		return layout.None
	}
	return format.Count(uint64(*bytes+0.5)) + " B"
}
