package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// retryStorm: retries keep the service overloaded.
func retryStorm() inquiry.Rule {
	return inquiry.Rule{
		Cause: "retry-storm", Mechanism: report.MechanismSlow,
		Any:    []evidence.Clue{evidence.OutlastsLoad, evidence.Multiplied},
		Must:   []evidence.Clue{evidence.OutlastsLoad, evidence.RetriesAdd},
		Proof:  []evidence.Clue{evidence.RetriesAdd, evidence.Multiplied},
		Told:   []evidence.Clue{evidence.Multiplied},
		Anyway: []evidence.Clue{evidence.Multiplied},
		Weights: []inquiry.Weight{
			{Clue: evidence.Multiplied, Yes: 2 * inquiry.Proves, No: 0},                         // whatever ran out, ran out because of the retries
			{Clue: evidence.AskedMore, Yes: inquiry.Weak, No: inquiry.Opposite(inquiry.Proves)}, // No: there are no retries
			{Clue: evidence.RetriesAdd, Yes: inquiry.Strong, No: inquiry.Opposite(inquiry.Strong)},
			{Clue: evidence.OutlastsLoad, Yes: inquiry.Strong, No: inquiry.Opposite(inquiry.Strong)},
			{Clue: evidence.Died, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.WaitedInVain, Yes: inquiry.Weak, No: 0},
		},
		Instead: map[evidence.Clue][]evidence.Clue{evidence.Multiplied: {evidence.RetriesAdd, evidence.OutlastsLoad}},
		Tells:   map[inquiry.Experiment]inquiry.Outcome{inquiry.NoRetries: inquiry.Goes, inquiry.HalfRate: inquiry.Goes},
		Says:    "those who try again keep it down: it is asked several times for each request, and works on what nobody waits for any more",
		Advice: func(_ *inquiry.Investigation, _ *inquiry.Hypothesis) []string {
			return []string{"limit retries to a share of requests (a budget), with backoff and jitter; shed early what nobody waits for any more"}
		},
	}
}
