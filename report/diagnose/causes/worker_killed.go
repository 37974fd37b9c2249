package causes

import (
	"fmt"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// workerKilled: the process had stopped answering and was killed by its supervisor.
func workerKilled() inquiry.Rule {
	return inquiry.Rule{
		Cause: "worker-killed", Mechanism: report.MechanismDied, Any: []evidence.Clue{evidence.Died, evidence.HungBefore, evidence.ClosedLate, evidence.SaysKilled, evidence.ProbeKilled},
		Proof:  []evidence.Clue{evidence.HungBefore, evidence.ClosedLate, evidence.Killed, evidence.SaysKilled, evidence.ProbeKilled},
		Told:   []evidence.Clue{evidence.SaysKilled},
		Unless: []evidence.Clue{evidence.OutOfMemory, evidence.DiedOfItself, evidence.GoneForGood}, // a supervisor that kills a worker starts a new one
		Weights: []inquiry.Weight{
			{Clue: evidence.LastWords, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.AddressAway, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.GoneForGood, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.SaysKilled, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.ProbeKilled, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.LeftInOrder, Yes: -2, No: 0},
			{Clue: evidence.Killed, Yes: 1.5, No: -0.5},
			{Clue: evidence.ClosedLate, Yes: 2, No: 0},
			{Clue: evidence.DiedWithFaults, Yes: 3, No: -3},
			{Clue: evidence.HungBefore, Yes: 2.5, No: -1.5},
			{Clue: evidence.WorkersDied, Yes: 2, No: -0.3},
			{Clue: evidence.Retired, Yes: -1, No: 0},
			{Clue: evidence.DiedOfItself, Yes: -1, No: 0.5},
			{Clue: evidence.MostlyEOF, Yes: 1, No: 0},
			{Clue: evidence.DiedOnClock, Yes: -2.5, No: 0.3},
			{Clue: evidence.OutOfMemory, Yes: -5, No: 0.3},
			{Clue: evidence.SomeTimeouts, Yes: 0.3, No: 0},
			{Clue: evidence.ReusedOnly, Yes: -0.3, No: 0},
			{Clue: evidence.DiedAtLoad, Yes: 0.5, No: 0},
		},
		Says: "the process had stopped answering and was killed by its supervisor",
		Advice: func(c *inquiry.Investigation, h *inquiry.Hypothesis) []string {
			name, _ := c.DeadName(h)
			return []string{
				fmt.Sprintf("find what %s waits for before it is killed: a deadlock, a lock or pool that is too small, a slow dependency", name),
				"take a stack dump before the supervisor kills; do not only raise its timeout",
			}
		},
	}
}
