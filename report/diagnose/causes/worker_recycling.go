package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// workerRecycling: workers were replaced by fresh ones while connections were open.
func workerRecycling() Rule {
	return Rule{
		Cause: "worker-recycling", Mechanism: report.MechanismDied, Any: []evidence.Clue{evidence.WorkersDied, evidence.Retired}, Must: []evidence.Clue{evidence.WorkersDied},
		Proof: []evidence.Clue{evidence.Retired},
		Weights: []weight{
			{evidence.LeftInOrder, 1, -0.5},
			{evidence.Killed, -3, 0},
			{evidence.DiedWithFaults, 2.5, -3},
			{evidence.WorkersDied, 1.5, -4},
			{evidence.Retired, 2, -1},
			{evidence.ReusedOnly, 1.5, -1.5},
			{evidence.SentUnread, 1, 0},
			{evidence.MostlyEOF, -0.5, 0},
			{evidence.HungBefore, -2.5, 0.5},
			{evidence.SomeRefused, -1.5, 0.3},
			{evidence.OutOfMemory, -5, 0},
			{evidence.RisesWithLoad, -0.5, 0.5},
		},
		tells: map[Experiment]Outcome{HalfRate: Stays},
		Says:  "workers were replaced by fresh ones while connections were open",
		advice: func(_ *Investigation, _ *Hypothesis) []string {
			return []string{"let workers finish their connections before they are replaced (graceful timeout), or raise the number of requests per worker and add jitter"}
		},
	}
}
