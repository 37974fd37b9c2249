package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// retryStorm: those who try again keep the service down.
func retryStorm() rule {
	return rule{
		cause: "retry-storm", mechanism: report.MechanismSlow,
		any:   []evidence.Clue{evidence.OutlastsLoad},
		must:  []evidence.Clue{evidence.OutlastsLoad, evidence.RetriesAdd},
		proof: []evidence.Clue{evidence.RetriesAdd},
		weights: []weight{
			{evidence.RetriesAdd, strong, opposite(strong)},
			{evidence.OutlastsLoad, strong, opposite(strong)},
			{evidence.Died, opposite(strong), 0},
			{evidence.WaitedInVain, weak, 0},
		},
		tells: map[Experiment]Outcome{NoRetries: Goes, HalfRate: Goes},
		says:  "those who try again keep it down: it goes on failing far below the load at which it began",
		advice: func(_ *Investigation, _ *hypothesis) []string {
			return []string{
				"limit retries to a share of requests (a budget), with backoff and jitter; shed early what nobody waits for any more",
			}
		},
	}
}
