package render

import (
	"fmt"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/format"
	"github.com/rampload/rampload/report/judge"
	"github.com/rampload/rampload/report/render/layout"
)

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
				before = format.Percent(float64(o.Before) / float64(o.BeforeOf))
			}
			after := layout.None
			if o.RateAfter != nil {
				after = format.Percent(*o.RateAfter)
			}
			row := []layout.Cell{
				layout.Text(layout.Shorten(t.Name, layout.MaxName)), layout.Text(o.Fault),
				{Text: load(r, o.LoadRPS, o.AtS), Mark: layout.Bad},
				layout.Text(loadInterval(r, o.LoadLowRPS, o.LoadHighRPS, o.AtS)),
				layout.Text(layout.Seconds(o.AtS)), layout.Text(before), layout.Text(after), layout.Text(o.Note),
			}
			if o.ConstantRPS != nil && o.LowS != nil && o.HighS != nil {
				row[2].Text = "with time"
				row[3].Text = fmt.Sprintf("%s-%s s", format.Fine(*o.LowS), format.Fine(*o.HighS))
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
				layout.Text(layout.Shorten(t.Name, layout.MaxName)), layout.Text("passes " + format.Percent(c.Share)),
				{Text: load(r, c.LoadRPS, c.AtS), Mark: layout.Bad},
				layout.Text(loadInterval(r, c.LoadLowRPS, c.LoadHighRPS, c.AtS)),
				layout.Text(layout.Seconds(c.AtS)), layout.Text(layout.None), layout.Text(layout.None), layout.Text(""),
			}
			if *c.LoadLowRPS == *c.LoadHighRPS { // at a constant load
				row[2].Text = "with time"
				row[3].Text = fmt.Sprintf("%s-%s s", format.Fine(*c.LowS), format.Fine(*c.HighS))
			}
			g.Rows = append(g.Rows, row)
		}
		if !seen && t.Requests > 0 {
			bound := format.Bound(judge.ShareAtMost(t.Failed, t.Requests))
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
