// Package judge decides gates on counts: whether so many events of so many requests prove
// a limit, break it, or are too few to tell. Package report collects the counts, from a
// run, and judges what is no count: onsets, crossings, headrooms.
package judge

import "github.com/rampload/rampload/profiles"

// Result is one judged gate.
type Result struct {
	Expr  string   `json:"expr"`
	Value *float64 `json:"value"`
	// Low and High are the bounds of a percentile, each at 95 %: slow requests that come
	// together count as fewer ones.
	Low    *float64 `json:"low,omitempty"`
	High   *float64 `json:"high,omitempty"`
	Unit   string   `json:"unit"`   // count, ratio, rps, seconds
	Result string   `json:"result"` // passed, failed, undecided
	Reason string   `json:"reason"` // the numbers behind the result in one line
}

// The results of a gate.
const (
	Passed    = "passed"
	Failed    = "failed"
	Undecided = "undecided"
)

// UnitName is how a [Result] calls the unit of a gate.
func UnitName(u profiles.Unit) string {
	switch u {
	case profiles.UnitRatio:
		return "ratio"
	case profiles.UnitRate:
		return "rps"
	case profiles.UnitDuration:
		return "seconds"
	}
	return "count"
}
