package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// ungracefulRestart: the process was restarted without letting its connections drain.
func ungracefulRestart() Rule {
	return Rule{
		Cause: "ungraceful-restart", Mechanism: report.MechanismDied, Any: []evidence.Clue{evidence.Died, evidence.WentAway, evidence.PodsUpdated},
		Proof:  []evidence.Clue{evidence.Terminated, evidence.DiedOnClock, evidence.LeftInOrder, evidence.PodsUpdated},
		Unless: []evidence.Clue{evidence.DiedOfItself, evidence.OutOfMemory, evidence.Killed, evidence.HungBefore, evidence.Retired},
		Weights: []weight{
			{evidence.AddressAway, Opposite(Proves), 0},
			{evidence.Terminated, 2, 0},
			{evidence.PodsUpdated, Proves, 0},
			{evidence.PodsEvicted, Opposite(Strong), 0},
			{evidence.GoneForGood, -2.5, 0},
			{evidence.LeftInOrder, 1, 0},
			{evidence.Died, 0, -4},
			{evidence.WentAway, 1.5, 0},
			{evidence.DiedWithFaults, 3.5, -3},
			{evidence.DiedOnClock, 3, -2.5},
			{evidence.DiedOfItself, Opposite(Strong), 0.3},
			{evidence.DiedAtLoad, -1.5, 0.5},
			{evidence.OutOfMemory, -5, 0.3},
			{evidence.HungBefore, -1.5, 0.3},
			{evidence.SentOnExit, 0.7, 0},
			{evidence.SentNoSocket, 0.5, 0},
			{evidence.WorkersDied, -4, 0.3},
			{evidence.Retired, -1.5, 0},
			{evidence.SomeRefused, 0.3, 0},
		},
		Says: "the process was restarted without letting its connections drain",
		advice: func(_ *Investigation, _ *Hypothesis) []string {
			return []string{"drain before exit: stop accepting, answer with Connection: close, wait for what is in flight, then end", "take the instance out of the load balancer before it is restarted"}
		},
	}
}
