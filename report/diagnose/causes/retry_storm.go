package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// retryStorm: those who try again keep the service down.
func retryStorm() Rule {
	return Rule{
		Cause: "retry-storm", Mechanism: report.MechanismSlow,
		Any:   []evidence.Clue{evidence.OutlastsLoad},
		Must:  []evidence.Clue{evidence.OutlastsLoad, evidence.RetriesAdd},
		Proof: []evidence.Clue{evidence.RetriesAdd},
		Weights: []weight{
			{evidence.RetriesAdd, Strong, Opposite(Strong)},
			{evidence.OutlastsLoad, Strong, Opposite(Strong)},
			{evidence.Died, Opposite(Strong), 0},
			{evidence.WaitedInVain, weak, 0},
		},
		tells: map[Experiment]Outcome{NoRetries: Goes, HalfRate: Goes},
		Says:  "those who try again keep it down: it goes on failing far below the load at which it began",
		advice: func(_ *Investigation, _ *Hypothesis) []string {
			return []string{
				"limit retries to a share of requests (a budget), with backoff and jitter; shed early what nobody waits for any more",
			}
		},
	}
}
