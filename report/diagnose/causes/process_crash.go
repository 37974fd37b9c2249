package causes

import (
	"fmt"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// processCrash: the process ended.
func processCrash() inquiry.Rule {
	return inquiry.Rule{
		Cause: "process-crash", Mechanism: report.MechanismDied, Any: []evidence.Clue{evidence.Died, evidence.WentAway, evidence.SaysCrashed},
		Proof:  []evidence.Clue{evidence.DiedOfItself, evidence.GoneForGood, evidence.SaysCrashed, evidence.StoreGone},
		Told:   []evidence.Clue{evidence.SaysCrashed, evidence.StoreEmptied, evidence.StoreGone},
		Unless: []evidence.Clue{evidence.OutOfMemory, evidence.HungBefore, evidence.Retired, evidence.LastWords, evidence.Ended},
		Weights: []inquiry.Weight{
			{Clue: evidence.AddressAway, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.Terminated, Yes: -2.5, No: 0},
			{Clue: evidence.ProbeKilled, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.PodsUpdated, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.PodsEvicted, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.GoneForGood, Yes: inquiry.Strong, No: 0},
			{Clue: evidence.LeftInOrder, Yes: -3, No: 0.3},
			{Clue: evidence.Died, Yes: 0, No: -4},
			{Clue: evidence.ClosedLate, Yes: -2, No: 0},
			{Clue: evidence.WentAway, Yes: 1.5, No: 0},
			{Clue: evidence.DiedWithFaults, Yes: 3.5, No: -3},
			{Clue: evidence.DiedAtLoad, Yes: 1.5, No: -1},
			{Clue: evidence.Killed, Yes: -1, No: 0},
			{Clue: evidence.SaysCrashed, Yes: inquiry.Strong, No: 0},
			{Clue: evidence.DiedOfItself, Yes: inquiry.Strong, No: -0.3},
			{Clue: evidence.StoreEmptied, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.StoreGone, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.DiedOnClock, Yes: -3, No: 0.7},
			{Clue: evidence.OutOfMemory, Yes: -5, No: 0.3},
			{Clue: evidence.HungBefore, Yes: -2, No: 0.7},
			{Clue: evidence.SomeRefused, Yes: 0.7, No: 0},
			{Clue: evidence.SentNoSocket, Yes: 1, No: 0},
			{Clue: evidence.LastWords, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.NobodyListens, Yes: inquiry.Weak, No: 0},
			{Clue: evidence.SentOnExit, Yes: 0.7, No: 0},
			{Clue: evidence.WorkersDied, Yes: -3, No: 0.3},
			{Clue: evidence.Retired, Yes: -1, No: 0},
			{Clue: evidence.SentNone, Yes: -1, No: 0},
			{Clue: evidence.RisesWithLoad, Yes: 0.5, No: 0},
		},
		Tells: map[inquiry.Experiment]inquiry.Outcome{inquiry.TwoSources: inquiry.Stays, inquiry.Fresh: inquiry.Stays},
		// A process that crashes on one kind of request crashes as often as that request comes.
		Instead: map[evidence.Clue][]evidence.Clue{
			evidence.DiedOfItself: {evidence.DiedOnClock, evidence.DiedAtLoad},
			evidence.StoreGone:    {evidence.DiedWithFaults, evidence.DiedAtLoad, evidence.DiedOnClock, evidence.LeftInOrder},
			evidence.StoreEmptied: {evidence.DiedWithFaults, evidence.DiedAtLoad, evidence.DiedOnClock}, // its contents stay lost after it has come back
		},
		Says: "the process ended",
		Advice: func(c *inquiry.Investigation, h *inquiry.Hypothesis) []string {
			name, at := c.DeadName(h)
			look := fmt.Sprintf("read the log and core dump of %s at %s", name, at)
			if h.Hop.Index < len(c.Facts) && c.Facts[h.Hop.Index][evidence.Killed].Is == evidence.Yes {
				look = fmt.Sprintf("find out who sent SIGKILL to %s at %s: a supervisor, an operator, a limit of its container", name, at)
			}
			ways := []string{look, "bound what the service takes on at once below the load at which it ends"}
			if grew := c.GrewUntilDeath(h); grew != "" {
				ways = append([]string{grew}, ways...)
			}
			return ways
		},
	}
}
