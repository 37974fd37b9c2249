package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// processPaused: all threads of the process stood still, once or repeatedly.
func processPaused() inquiry.Rule {
	return inquiry.Rule{
		Cause: "process-paused", Mechanism: report.MechanismSlow,
		Waits: true,
		Any:   []evidence.Clue{evidence.Paused, evidence.StandsStopped},
		Proof: []evidence.Clue{evidence.Paused, evidence.StandsStopped},
		Never: []evidence.Clue{evidence.CallersSend}, // its threads wait for the rest of requests, which callers have not sent
		// A process that was killed for memory does not stand still: it is gone, and its successor starts.
		Unless: []evidence.Clue{evidence.OutOfMemory},
		Weights: []inquiry.Weight{
			{Clue: evidence.StandsStopped, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.SaysMemory, Yes: inquiry.Opposite(inquiry.Proves), No: 0}, // it lacks something, and says what
			{Clue: evidence.SaysFiles, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.SaysDisk, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.SaysWorkers, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.AcceptedLate, Yes: inquiry.Weak, No: 0},
			{Clue: evidence.ReadLate, Yes: inquiry.Weak, No: 0},
			{Clue: evidence.Paused, Yes: inquiry.Strong, No: inquiry.Opposite(inquiry.Strong)},
			{Clue: evidence.Died, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.Blackout, Yes: inquiry.Weak, No: 0},
			{Clue: evidence.Starved, Yes: inquiry.Opposite(inquiry.Weak), No: 0},
			{Clue: evidence.Retransmitted, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.OnlyTimeouts, Yes: inquiry.Weak, No: 0},
		},
		Instead: map[evidence.Clue][]evidence.Clue{evidence.StandsStopped: {evidence.Paused, evidence.Starved, evidence.Retransmitted, evidence.Died}},
		Says:    "the whole process stood still",
		Advice: func(_ *inquiry.Investigation, _ *inquiry.Hypothesis) []string {
			return []string{"look for what stops all of it: garbage collection, a blocked event loop, a frozen container, a snapshot; its log or a profile at those times tells"}
		},
	}
}
