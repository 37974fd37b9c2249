package causes

import (
	"fmt"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// processCrash: the process ended.
func processCrash() Rule {
	return Rule{
		Cause: "process-crash", Mechanism: report.MechanismDied, Any: []evidence.Clue{evidence.Died, evidence.WentAway, evidence.SaysCrashed},
		Proof:  []evidence.Clue{evidence.DiedOfItself, evidence.GoneForGood, evidence.SaysCrashed},
		Told:   []evidence.Clue{evidence.SaysCrashed},
		Unless: []evidence.Clue{evidence.OutOfMemory, evidence.HungBefore, evidence.Retired},
		Weights: []weight{
			{evidence.AddressAway, Opposite(Proves), 0},
			{evidence.Terminated, -2.5, 0},
			{evidence.ProbeKilled, Opposite(Strong), 0},
			{evidence.PodsUpdated, Opposite(Strong), 0},
			{evidence.PodsEvicted, Opposite(Strong), 0},
			{evidence.GoneForGood, 0.7, 0},
			{evidence.LeftInOrder, -3, 0.3},
			{evidence.Died, 0, -4},
			{evidence.ClosedLate, -2, 0},
			{evidence.WentAway, 1.5, 0},
			{evidence.DiedWithFaults, 3.5, -3},
			{evidence.DiedAtLoad, 1.5, -1},
			{evidence.Killed, -1, 0},
			{evidence.SaysCrashed, Strong, 0},
			{evidence.DiedOfItself, Strong, -0.3},
			{evidence.DiedOnClock, -3, 0.7},
			{evidence.OutOfMemory, -5, 0.3},
			{evidence.HungBefore, -2, 0.7},
			{evidence.SomeRefused, 0.7, 0},
			{evidence.SentNoSocket, 1, 0},
			{evidence.SentOnExit, 0.7, 0},
			{evidence.WorkersDied, -3, 0.3},
			{evidence.Retired, -1, 0},
			{evidence.SentNone, -1, 0},
			{evidence.RisesWithLoad, 0.5, 0},
		},
		tells: map[Experiment]Outcome{TwoSources: Stays, Fresh: Stays},
		// A process that fails on a request of some kind fails as often as that comes.
		Instead: map[evidence.Clue][]evidence.Clue{evidence.DiedOfItself: {evidence.DiedOnClock, evidence.DiedAtLoad}},
		Says:    "the process ended",
		advice: func(c *Investigation, h *Hypothesis) []string {
			name, at := c.deadName(h)
			look := fmt.Sprintf("read the log and core dump of %s at %s", name, at)
			if h.Hop.Index < len(c.Facts) && c.Facts[h.Hop.Index][evidence.Killed].Is == evidence.Yes {
				look = fmt.Sprintf("find out who sent SIGKILL to %s at %s: a supervisor, an operator, a limit of its container", name, at)
			}
			ways := []string{look, "bound what the service takes on at once below the load at which it ends"}
			if grew := c.grewUntilDeath(h); grew != "" {
				ways = append([]string{grew}, ways...)
			}
			return ways
		},
	}
}
