package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// processPaused: the whole process stood still again and again.
func processPaused() Rule {
	return Rule{
		Cause: "process-paused", Mechanism: report.MechanismSlow,
		Waits: true,
		Any:   []evidence.Clue{evidence.Paused, evidence.StandsStopped},
		Proof: []evidence.Clue{evidence.Paused, evidence.StandsStopped},
		Weights: []weight{
			{evidence.StandsStopped, Proves, 0},
			{evidence.AcceptedLate, weak, 0},
			{evidence.ReadLate, weak, 0},
			{evidence.Paused, Strong, Opposite(Strong)},
			{evidence.Died, Opposite(Strong), 0},
			{evidence.Blackout, weak, 0},
			{evidence.Starved, Opposite(weak), 0},
			{evidence.Retransmitted, Opposite(Strong), 0},
			{evidence.OnlyTimeouts, weak, 0},
		},
		Instead: map[evidence.Clue][]evidence.Clue{evidence.StandsStopped: {evidence.Paused, evidence.Starved, evidence.Retransmitted, evidence.Died}},
		Says:    "the whole process stood still",
		advice: func(_ *Investigation, _ *Hypothesis) []string {
			return []string{
				"look for what stops all of it: garbage collection, a blocked event loop, a frozen container, a snapshot; its log or a profile at those times tells",
			}
		},
	}
}
