package render

import (
	"testing"
	"time"

	"github.com/rampload/rampload/report"
)

// Failures that began seconds before the load ended are no onset: it is said what would tell.
func TestLateFailuresSayWhatWouldTell(t *testing.T) {
	began := time.Date(2026, 5, 4, 9, 30, 0, 0, time.UTC)
	r := &report.Report{Started: began, Ended: began.Add(12 * time.Second), Profile: report.Profile{DurationS: 12}}
	for _, tt := range []struct {
		crossed *float64
		want    string
	}{
		{nil, ""}, // not proven
		{new(1.5), ""},
		{new(9.0), "none proven: failures came in the last 3 s of the load only, as a spell may; let it go on for 7 s more from there"},
		{new(0.0), ""},
	} {
		target := report.Target{Onset: report.Onset{Status: report.OnsetNone}, Crossing: &report.Crossing{AtS: tt.crossed}}
		if got := onsetLine(r, target); got != tt.want {
			t.Errorf("crossed at %v: %q, want %q", tt.crossed, got, tt.want)
		}
	}
}

// In a load that was shorter than that, failures from its start on are no onset either.
func TestFailuresOfAShortLoad(t *testing.T) {
	began := time.Date(2026, 5, 4, 9, 30, 0, 0, time.UTC)
	r := &report.Report{Started: began, Ended: began.Add(8 * time.Second), Profile: report.Profile{DurationS: 8}}
	target := report.Target{Onset: report.Onset{Status: report.OnsetNone}, Crossing: &report.Crossing{AtS: new(0.0)}}
	const want = "none proven: failures came all along, but for 8 s only, as a spell may; let the load last 2 s more"
	if got := onsetLine(r, target); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
