package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// serviceDown: nothing listens where the target should be.
func serviceDown() Rule {
	return Rule{
		Cause: "service-down", Ends: true, Mechanism: report.MechanismDied,
		Any:    []evidence.Clue{evidence.RefusedAll, evidence.SaysAway, evidence.SaysStarting},
		Must:   []evidence.Clue{evidence.RefusedAll, evidence.NeverTaken},
		Proof:  []evidence.Clue{evidence.NeverTaken, evidence.SaysAway, evidence.SaysStarting},
		Told:   []evidence.Clue{evidence.SaysAway, evidence.SaysStarting},
		Unless: []evidence.Clue{evidence.Died, evidence.DescriptorsFull, evidence.Overflowed},
		Weights: []weight{
			{evidence.SaysAway, Proves, 0},
			{evidence.SaysStarting, Proves, 0},
			{evidence.RefusedAll, Proves, Opposite(Proves)},
			{evidence.NeverTaken, Strong, Opposite(Strong)},
			{evidence.Died, Opposite(weak), 0},
			{evidence.RisesWithLoad, Opposite(Strong), 0},
		},
		// Told by those before it, it may be away for a while, or one of several.
		Instead: map[evidence.Clue][]evidence.Clue{
			evidence.SaysAway:     {evidence.RefusedAll, evidence.NeverTaken, evidence.RisesWithLoad},
			evidence.SaysStarting: {evidence.RefusedAll, evidence.NeverTaken, evidence.RisesWithLoad},
		},
		tells: map[Experiment]Outcome{HalfRate: Stays, HalfConcurrency: Stays},
		Says:  "nothing listens on its port",
		advice: func(_ *Investigation, _ *Hypothesis) []string {
			return []string{
				"start the service, or correct the address and port of the target",
			}
		},
	}
}
