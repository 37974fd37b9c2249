package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// workerRecycling: workers were replaced by new ones while they had connections open.
func workerRecycling() inquiry.Rule {
	return inquiry.Rule{
		Cause: "worker-recycling", Mechanism: report.MechanismDied, Any: []evidence.Clue{evidence.WorkersDied, evidence.Retired}, Must: []evidence.Clue{evidence.WorkersDied},
		Proof: []evidence.Clue{evidence.Retired},
		Weights: []inquiry.Weight{
			{Clue: evidence.LeftInOrder, Yes: 1, No: -0.5},
			{Clue: evidence.Killed, Yes: -3, No: 0},
			{Clue: evidence.DiedWithFaults, Yes: 2.5, No: -3},
			{Clue: evidence.WorkersDied, Yes: 1.5, No: -4},
			{Clue: evidence.Retired, Yes: 2, No: -1},
			{Clue: evidence.ReusedOnly, Yes: 1.5, No: -1.5},
			{Clue: evidence.SentUnread, Yes: 1, No: 0},
			{Clue: evidence.MostlyEOF, Yes: -0.5, No: 0},
			{Clue: evidence.HungBefore, Yes: -2.5, No: 0.5},
			{Clue: evidence.SomeRefused, Yes: -1.5, No: 0.3},
			{Clue: evidence.OutOfMemory, Yes: -5, No: 0},
			{Clue: evidence.RisesWithLoad, Yes: -0.5, No: 0.5},
		},
		Tells: map[inquiry.Experiment]inquiry.Outcome{inquiry.HalfRate: inquiry.Stays},
		Says:  "workers were replaced by fresh ones while connections were open",
		Advice: func(_ *inquiry.Investigation, _ *inquiry.Hypothesis) []string {
			return []string{"let workers finish their connections before they are replaced (graceful timeout), or raise the number of requests per worker and add jitter"}
		},
	}
}
