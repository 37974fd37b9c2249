package page

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/format"
)

// data is what the page's scripts draw.
type data struct {
	At      []*float64 `json:"at"` // seconds: begin of each row
	Offered []*float64 `json:"offered"`
	Charts  []chart    `json:"charts"`
	Onsets  []band     `json:"onsets"`
	Stages  []stage    `json:"stages"`
	Marks   []mark     `json:"marks"`
	Groups  []group    `json:"groups"`
}

// chart is one of the small multiples.
type chart struct {
	Title string `json:"title"`
	// Kind is line, stack (values on top of each other) or heat (counts over time and
	// latency, with the lines above it).
	Kind  string   `json:"kind"`
	Unit  string   `json:"unit"` // "/s", "ms", "%"
	Lines []line   `json:"lines"`
	Heat  *heat    `json:"heat,omitempty"`
	Limit *float64 `json:"limit,omitempty"` // a line across the chart
	Cause bool     `json:"cause"`           // of what the diagnosis names
}

type line struct {
	Label  string     `json:"label"`
	Values []*float64 `json:"values"`
	Dashed bool       `json:"dashed"` // what lies on another line as long as all is well
	Bad    bool       `json:"bad"`
}

type heat struct {
	Every  float64    `json:"every"` // seconds
	Upper  []float64  `json:"upper"` // ms
	Counts [][]uint64 `json:"counts"`
}

// band is an onset or a crossing with its interval, in seconds and by load.
type band struct {
	Label    string   `json:"label"`
	At       float64  `json:"at"`
	Low      float64  `json:"low"`
	High     float64  `json:"high"`
	Load     *float64 `json:"load"`
	LoadLow  *float64 `json:"loadLow"`
	LoadHigh *float64 `json:"loadHigh"`
	Crossing bool     `json:"crossing"`
}

type stage struct {
	From  float64 `json:"from"`
	To    float64 `json:"to"`
	Label string  `json:"label"`
}

// group is a group of failures of one target.
type group struct {
	Target string `json:"target"`
	report.FailureGroup
}

// What a page shows at most.
const (
	maxTargets   = 6 // with charts of their own
	maxResources = 8
	// busyFrom is how much of a resource was used for it to be worth a chart, where
	// the diagnosis does not name it.
	busyFrom = 0.25
)

func dataOf(r *report.Report) data {
	w := r.Windows
	d := data{
		At: w.Columns["at_s"], Offered: w.Columns["offered_rps"],
		Charts: []chart{}, Onsets: []band{}, Stages: []stage{}, Marks: marksOf(r), Groups: []group{},
	}
	load := chart{Title: "Load: requests per second", Kind: "line", Unit: "/s"}
	for _, name := range []string{"offered_rps", "achieved_rps"} {
		if values := w.Columns[name]; values != nil {
			load.Lines = append(load.Lines, line{Label: strings.TrimSuffix(name, "_rps"), Values: values, Dashed: name == "achieved_rps"})
		}
	}
	d.add(load)
	var busy []report.Target
	for _, t := range r.Targets {
		for _, g := range t.FailureGroups {
			d.Groups = append(d.Groups, group{t.Name, g})
		}
		busy = append(busy, t)
	}
	slices.SortStableFunc(busy, func(a, b report.Target) int { return cmp.Compare(b.Failed, a.Failed) })
	for _, t := range busy[:min(maxTargets, len(busy))] {
		of := ""
		if len(r.Targets) > 1 {
			of = t.Name + ": "
		}
		d.add(faultChart(r, t, of))
		d.add(latencyChart(r, t, of))
		d.Onsets = append(d.Onsets, bandsOf(t, of)...)
	}
	for _, c := range resourceCharts(r) {
		d.add(c)
	}
	for _, s := range r.Profile.Stages {
		d.Stages = append(d.Stages, stage{s.StartS, s.EndS, stageLabel(s)})
	}
	return d
}

func (d *data) add(c chart) {
	if len(c.Lines) > 0 {
		d.Charts = append(d.Charts, c)
	}
}

func stageLabel(s report.Stage) string {
	from, to := format.Rate(math.Round(s.FromRPS)), format.Rate(math.Round(s.ToRPS))
	switch {
	case s.Kind == "max":
		return "as fast as it goes"
	case from == to:
		return s.Kind + " " + from
	}
	return s.Kind + " " + from + " to " + to
}

// faultChart stacks the failed attempts of a target by class.
func faultChart(r *report.Report, t report.Target, of string) chart {
	c := chart{Title: of + "failed attempts per second, by the time at which they were due", Kind: "stack", Unit: "/s"}
	perSecond := 1.0
	if r.Windows.IntervalMS > 0 {
		perSecond = 1000 / r.Windows.IntervalMS
	}
	type class struct {
		line
		sum float64
	}
	var classes []class
	for name, values := range r.Windows.Columns {
		fault, ok := strings.CutPrefix(name, t.Name+"/faults/")
		if !ok {
			continue
		}
		x := class{line: line{Label: fault, Values: scaled(values, perSecond), Bad: fault == "reset"}}
		for _, v := range values {
			if v != nil {
				x.sum += *v
			}
		}
		classes = append(classes, x)
	}
	slices.SortFunc(classes, func(a, b class) int {
		return cmp.Or(cmp.Compare(b.sum, a.sum), strings.Compare(a.Label, b.Label))
	})
	for _, x := range classes {
		c.Lines = append(c.Lines, x.line)
	}
	// Reports of earlier releases have the failures as one number.
	if values := r.Windows.Columns[t.Name+"/failures"]; values != nil && len(classes) == 0 {
		c.Lines = append(c.Lines, line{Label: "failures", Values: scaled(values, perSecond)})
	}
	return c
}

func latencyChart(r *report.Report, t report.Target, of string) chart {
	c := chart{Title: of + "latency of successes from due time, ms", Kind: "line", Unit: "ms"}
	if h := t.LatencyHeat; h != nil {
		c.Kind = "heat"
		c.Heat = &heat{Every: h.IntervalMS / 1000, Upper: h.UpperMS, Counts: h.Counts}
	}
	for _, q := range []string{"p50", "p99"} {
		if values := r.Windows.Columns[t.Name+"/"+q+"_ms"]; values != nil {
			c.Lines = append(c.Lines, line{Label: q, Values: values, Dashed: q == "p50"})
		}
	}
	return c
}

func bandsOf(t report.Target, of string) []band {
	var out []band
	if o := t.Onset; o.Status == report.OnsetFound && o.AtS != nil && o.LowS != nil && o.HighS != nil {
		out = append(out, band{
			Label: of + "onset of " + o.Fault, At: *o.AtS, Low: *o.LowS, High: *o.HighS,
			Load: o.LoadRPS, LoadLow: o.LoadLowRPS, LoadHigh: o.LoadHighRPS,
		})
	}
	if c := t.Crossing; c != nil && c.AtS != nil && c.LowS != nil && c.HighS != nil {
		out = append(out, band{
			Label: of + "failures pass " + format.Percent(c.Share), At: *c.AtS, Low: *c.LowS, High: *c.HighS,
			Load: c.LoadRPS, LoadLow: c.LoadLowRPS, LoadHigh: c.LoadHighRPS, Crossing: true,
		})
	}
	return out
}

// resourceCharts are a chart for each resource that matters: what the diagnosis names,
// and the fullest.
func resourceCharts(r *report.Report) []chart {
	type ranked struct {
		chart
		rank float64
	}
	var all []ranked
	for _, res := range r.Resources {
		values := r.Windows.Columns["utilisation:"+res.Label()]
		if values == nil {
			continue
		}
		c := chart{
			Title: res.Label() + atPeak(res), Kind: "line", Unit: "%", Limit: new(100.0),
			Lines: []line{{Label: "used", Values: scaled(values, 100)}},
		}
		rank := 0.0
		if res.Utilisation != nil {
			rank = min(1, *res.Utilisation)
		}
		switch res.Verdict {
		case "cause":
			rank += 3
			c.Cause = true
			c.Lines[0].Bad = true
		case "candidate":
			rank += 2
			c.Cause = true
		}
		if rank < busyFrom || !probe.Tells(res.Name, rank) {
			continue
		}
		all = append(all, ranked{c, rank})
	}
	slices.SortStableFunc(all, func(a, b ranked) int { return cmp.Compare(b.rank, a.rank) })
	var out []chart
	for _, x := range all[:min(maxResources, len(all))] {
		out = append(out, x.chart)
	}
	return out
}

// atPeak says how much of the limit was used: ", 1,024 of 1,024".
func atPeak(r report.Resource) string {
	if r.Peak == nil || r.Limit == nil || r.Unit == "share" || r.Unit == "bytes" {
		return ""
	}
	return fmt.Sprintf(", at most %s of %s", format.Number(math.Round(*r.Peak)), format.Number(math.Round(*r.Limit)))
}

func scaled(values []*float64, by float64) []*float64 {
	out := make([]*float64, len(values))
	for i, v := range values {
		if v != nil {
			x := math.Round(*v*by*1000) / 1000
			out[i] = &x
		}
	}
	return out
}
