package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// processPaused: the whole process stood still again and again.
func processPaused() rule {
	return rule{
		cause: "process-paused", mechanism: report.MechanismSlow,
		waits: true,
		any:   []evidence.Clue{evidence.Paused, evidence.StandsStopped},
		proof: []evidence.Clue{evidence.Paused, evidence.StandsStopped},
		weights: []weight{
			{evidence.StandsStopped, proves, 0},
			{evidence.AcceptedLate, weak, 0},
			{evidence.ReadLate, weak, 0},
			{evidence.Paused, strong, opposite(strong)},
			{evidence.Died, opposite(strong), 0},
			{evidence.Blackout, weak, 0},
			{evidence.Starved, opposite(weak), 0},
			{evidence.Retransmitted, opposite(strong), 0},
			{evidence.OnlyTimeouts, weak, 0},
		},
		instead: map[evidence.Clue][]evidence.Clue{evidence.StandsStopped: {evidence.Paused, evidence.Starved, evidence.Retransmitted, evidence.Died}},
		says:    "the whole process stood still",
		advice: func(_ *Investigation, _ *hypothesis) []string {
			return []string{
				"look for what stops all of it: garbage collection, a blocked event loop, a frozen container, a snapshot; its log or a profile at those times tells",
			}
		},
	}
}
