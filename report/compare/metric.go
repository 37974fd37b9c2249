// Package compare tells whether two releases differ in a metric, from its values in runs of
// each. The replicate is the run, never the window.
package compare

import (
	"fmt"

	"github.com/rampload/rampload/report/format"
)

// Outcomes of one compared metric.
const (
	Regression           = "regression"            // proven over runs
	Improvement          = "improvement"           // proven over runs
	Equivalent           = "equivalent"            // the 90 % interval is within ±3 %
	Inconclusive         = "inconclusive"          // more runs are needed
	IndicativeRegression = "indicative regression" // too few runs to prove it
	IndicativeChange     = "indicative improvement"
	NoDifference         = "no difference seen" // too few runs to prove that either
	NotComparable        = "not comparable"     // a side has no value
)

// Metric is one metric over all runs of both sides. Shift is relative
// to Old where Relative is set, else in the metric's unit.
type Metric struct {
	Target       string   `json:"target,omitempty"`
	Metric       string   `json:"metric"` // onset load, goodput, p99, reset share, failed share, headroom NAME
	Unit         string   `json:"unit"`   // rps, ms, ratio
	Primary      bool     `json:"primary"`
	HigherBetter bool     `json:"higher_better"`
	Relative     bool     `json:"relative"`
	Old          *float64 `json:"old"` // median over runs
	New          *float64 `json:"new"`
	OldRuns      int      `json:"old_runs"` // runs with a value
	NewRuns      int      `json:"new_runs"`
	OldAtLeast   bool     `json:"old_at_least"` // no onset was reached: the value is a lower bound
	NewAtLeast   bool     `json:"new_at_least"`
	Shift        *float64 `json:"shift"`
	ShiftLow     *float64 `json:"shift_low"` // 95 % interval; null with too few runs
	ShiftHigh    *float64 `json:"shift_high"`
	P            *float64 `json:"p"` // adjusted: Holm over primary metrics, Benjamini-Hochberg over the others
	Outcome      string   `json:"outcome"`
	NeedRuns     int      `json:"need_runs,omitempty"` // inconclusive: about as many of each release would decide
	Power        *Power   `json:"power,omitempty"`     // of primary metrics with values on both sides
	Note         string   `json:"note,omitempty"`
}

// Power is what so many runs could show of a metric.
type Power struct {
	Shift  float64 `json:"shift"`  // relative to Old: a change for the worse
	Share  float64 `json:"share"`  // of comparisons like this one that would show it
	Spread float64 `json:"spread"` // standard deviation between runs of one release, relative to Old
	// Assumed is set where too few runs show the spread: it is what rampload takes runs
	// to differ by.
	Assumed  bool `json:"assumed,omitempty"`
	Runs     int  `json:"runs"`      // of each release that the share is of
	NeedRuns int  `json:"need_runs"` // of each release prove the shift in 80 % of comparisons; 0: more than 100
}

// String says it in a sentence.
func (p Power) String() string {
	a := "runs of each release find"
	if p.Runs == 1 {
		a = "run of each release finds"
	}
	sign := ""
	if p.Shift > 0 {
		sign = "+"
	}
	s := fmt.Sprintf("%d %s %s%s in %.0f%% of cases", p.Runs, a, sign, format.Percent(p.Shift), 100*p.Share)
	switch {
	case p.NeedRuns == 0:
		s += "; more than 100 would be needed to find it in 80%"
	case p.NeedRuns > p.Runs:
		s += fmt.Sprintf("; %d would in 80%%", p.NeedRuns)
	}
	of := "runs differ by "
	if p.Assumed {
		of = "runs are taken to differ by "
	}
	return s + " (" + of + format.Percent(p.Spread) + ")"
}

// MinRuns is how many runs a side needs for a proof: with five on each, three
// metrics can pass Holm's correction at 5 % (the smallest p-value of the
// Mann-Whitney test is 2/252).
const MinRuns = 5

// Observation is the value of a metric in one run.
type Observation struct {
	Value     float64
	AtLeast   bool    // censored: an onset above the load that was sent
	Low, High float64 // interval within the run; NaN without
}

// Measured is a metric in all runs, before it is judged.
type Measured struct {
	Metric
	Before  []Observation // by run of the old release
	After   []Observation // and of the new
	History []Observation // older runs
}

// Material is the smallest relative shift that matters, and so is this many
// percentage points of a headroom.
const Material = 0.03
