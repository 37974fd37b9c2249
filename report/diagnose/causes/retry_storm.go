package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// retryStorm: those who try again keep the service down.
func retryStorm() inquiry.Rule {
	return inquiry.Rule{
		Cause: "retry-storm", Mechanism: report.MechanismSlow,
		Any:   []evidence.Clue{evidence.OutlastsLoad},
		Must:  []evidence.Clue{evidence.OutlastsLoad, evidence.RetriesAdd},
		Proof: []evidence.Clue{evidence.RetriesAdd},
		Weights: []inquiry.Weight{
			{Clue: evidence.RetriesAdd, Yes: inquiry.Strong, No: inquiry.Opposite(inquiry.Strong)},
			{Clue: evidence.OutlastsLoad, Yes: inquiry.Strong, No: inquiry.Opposite(inquiry.Strong)},
			{Clue: evidence.Died, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.WaitedInVain, Yes: inquiry.Weak, No: 0},
		},
		Tells: map[inquiry.Experiment]inquiry.Outcome{inquiry.NoRetries: inquiry.Goes, inquiry.HalfRate: inquiry.Goes},
		Says:  "those who try again keep it down: it goes on failing far below the load at which it began",
		Advice: func(_ *inquiry.Investigation, _ *inquiry.Hypothesis) []string {
			return []string{
				"limit retries to a share of requests (a budget), with backoff and jitter; shed early what nobody waits for any more",
			}
		},
	}
}
