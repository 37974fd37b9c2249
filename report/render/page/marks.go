package page

import (
	"cmp"
	"slices"

	"github.com/rampload/rampload/report"
)

// mark is what happened alike within a short time, for the charts and the list below
// them.
type mark struct {
	From  float64 `json:"from"` // seconds
	To    float64 `json:"to"`
	Kind  string  `json:"kind"`
	Who   string  `json:"who"`  // host and process
	What  string  `json:"what"` // reason
	Count uint64  `json:"count"`
	Bad   bool    `json:"bad"` // an end or a kill, which explains much

	Events []report.Event `json:"-"`
}

// A page shows at most maxMarks marks; of each at most maxMarkEvents events.
const (
	maxMarks      = 60
	maxMarkEvents = 12
)

// marksOf joins events that are alike and less than a fiftieth of the run apart.
func marksOf(r *report.Report) []mark {
	near := max(1, r.Ended.Sub(r.Started).Seconds()/50)
	type key struct{ kind, who, what string }
	open := map[key]int{}
	out := []mark{}
	events := slices.Clone(r.Events)
	slices.SortStableFunc(events, func(a, b report.Event) int { return cmp.Compare(a.AtS, b.AtS) })
	for _, e := range events {
		if e.Kind == "rst-packet" || e.Kind == "retransmit" { // told by what sent and took them
			continue
		}
		what := e.Reason
		if what == "" {
			what = e.Text
		}
		k := key{e.Kind, report.Resource{Host: e.Host, Process: e.Process, PID: e.PID}.Owner(), what}
		i, ok := open[k]
		if !ok || e.AtS-out[i].To > near {
			i = len(out)
			open[k] = i
			out = append(out, mark{From: e.AtS, Kind: e.Kind, Who: k.who, What: k.what, Bad: e.Kind == "oom-kill" || e.Kind == "process-exit"})
		}
		out[i].To = e.AtS
		out[i].Count += max(1, e.Count)
		if len(out[i].Events) < maxMarkEvents {
			out[i].Events = append(out[i].Events, e)
		}
	}
	if len(out) > maxMarks { // the rare ones tell most
		rare := map[string]int{}
		for _, m := range out {
			rare[m.Kind]++
		}
		slices.SortStableFunc(out, func(a, b mark) int { return cmp.Compare(rare[a.Kind], rare[b.Kind]) })
		out = out[:maxMarks]
		slices.SortStableFunc(out, func(a, b mark) int { return cmp.Compare(a.From, b.From) })
	}
	return out
}
