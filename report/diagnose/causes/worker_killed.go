package causes

import (
	"fmt"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// workerKilled: the process had stopped answering and was killed by its supervisor.
func workerKilled() Rule {
	return Rule{
		Cause: "worker-killed", Mechanism: report.MechanismDied, Any: []evidence.Clue{evidence.Died, evidence.HungBefore, evidence.ClosedLate, evidence.SaysKilled, evidence.ProbeKilled},
		Proof:  []evidence.Clue{evidence.HungBefore, evidence.ClosedLate, evidence.Killed, evidence.SaysKilled, evidence.ProbeKilled},
		Told:   []evidence.Clue{evidence.SaysKilled},
		Unless: []evidence.Clue{evidence.OutOfMemory, evidence.DiedOfItself},
		Weights: []weight{
			{evidence.AddressAway, Opposite(Proves), 0},
			{evidence.SaysKilled, Proves, 0},
			{evidence.ProbeKilled, Proves, 0},
			{evidence.LeftInOrder, -2, 0},
			{evidence.Killed, 1.5, -0.5},
			{evidence.ClosedLate, 2, 0},
			{evidence.DiedWithFaults, 3, -3},
			{evidence.HungBefore, 2.5, -1.5},
			{evidence.WorkersDied, 2, -0.3},
			{evidence.Retired, -1, 0},
			{evidence.DiedOfItself, -1, 0.5},
			{evidence.MostlyEOF, 1, 0},
			{evidence.DiedOnClock, -2.5, 0.3},
			{evidence.OutOfMemory, -5, 0.3},
			{evidence.SomeTimeouts, 0.3, 0},
			{evidence.ReusedOnly, -0.3, 0},
			{evidence.DiedAtLoad, 0.5, 0},
		},
		Says: "the process had stopped answering and was killed by its supervisor",
		advice: func(c *Investigation, h *Hypothesis) []string {
			name, _ := c.deadName(h)
			return []string{
				fmt.Sprintf("find what %s waits for before it is killed: a deadlock, a lock or pool that is too small, a slow dependency", name),
				"take a stack dump before the supervisor kills; do not only raise its timeout",
			}
		},
	}
}
