package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// ungracefulRestart: the process was restarted without letting its connections drain.
func ungracefulRestart() inquiry.Rule {
	return inquiry.Rule{
		Cause: "ungraceful-restart", Mechanism: report.MechanismDied, Any: []evidence.Clue{evidence.Died, evidence.WentAway, evidence.PodsUpdated},
		Proof:  []evidence.Clue{evidence.Terminated, evidence.DiedOnClock, evidence.LeftInOrder, evidence.PodsUpdated, evidence.InTurn},
		Told:   []evidence.Clue{evidence.StoreEmptied},
		Unless: []evidence.Clue{evidence.DiedOfItself, evidence.OutOfMemory, evidence.Killed, evidence.HungBefore, evidence.Retired},
		Weights: []inquiry.Weight{
			{Clue: evidence.AddressAway, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.Terminated, Yes: 2, No: 0},
			{Clue: evidence.InTurn, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.Killed, Yes: 0, No: 0},
			{Clue: evidence.PodsUpdated, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.PodsEvicted, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.GoneForGood, Yes: -2.5, No: 0},
			{Clue: evidence.LeftInOrder, Yes: 1, No: 0},
			{Clue: evidence.Died, Yes: 0, No: -4},
			{Clue: evidence.WentAway, Yes: 1.5, No: 0},
			{Clue: evidence.DiedWithFaults, Yes: 3.5, No: -3},
			{Clue: evidence.DiedOnClock, Yes: 3, No: -2.5},
			{Clue: evidence.StoreEmptied, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.DiedOfItself, Yes: inquiry.Opposite(inquiry.Strong), No: 0.3},
			{Clue: evidence.DiedAtLoad, Yes: -1.5, No: 0.5},
			{Clue: evidence.OutOfMemory, Yes: -5, No: 0.3},
			{Clue: evidence.HungBefore, Yes: -1.5, No: 0.3},
			{Clue: evidence.SentOnExit, Yes: 0.7, No: 0},
			{Clue: evidence.SentNoSocket, Yes: 0.5, No: 0},
			{Clue: evidence.WorkersDied, Yes: -4, No: 0.3},
			{Clue: evidence.Retired, Yes: -1.5, No: 0},
			{Clue: evidence.SomeRefused, Yes: 0.3, No: 0},
		},
		Instead: map[evidence.Clue][]evidence.Clue{evidence.StoreEmptied: {evidence.DiedWithFaults, evidence.DiedAtLoad, evidence.DiedOnClock}}, // its contents stay lost after it has come back
		Despite: map[evidence.Clue][]evidence.Clue{evidence.InTurn: {evidence.Killed, evidence.WorkersDied, evidence.DiedOnClock}},
		Says:    "the process was restarted without letting its connections drain",
		Advice: func(_ *inquiry.Investigation, _ *inquiry.Hypothesis) []string {
			return []string{"drain before exit: stop accepting, answer with Connection: close, wait for what is in flight, then end", "take the instance out of the load balancer before it is restarted"}
		},
	}
}
