package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// serviceDown: nothing listens where the target should be.
func serviceDown() rule {
	return rule{
		cause: "service-down", ends: true, mechanism: report.MechanismDied,
		any:    []evidence.Clue{evidence.RefusedAll, evidence.SaysAway, evidence.SaysStarting},
		must:   []evidence.Clue{evidence.RefusedAll, evidence.NeverTaken},
		proof:  []evidence.Clue{evidence.NeverTaken, evidence.SaysAway, evidence.SaysStarting},
		told:   []evidence.Clue{evidence.SaysAway, evidence.SaysStarting},
		unless: []evidence.Clue{evidence.Died, evidence.DescriptorsFull, evidence.Overflowed},
		weights: []weight{
			{evidence.SaysAway, proves, 0},
			{evidence.SaysStarting, proves, 0},
			{evidence.RefusedAll, proves, opposite(proves)},
			{evidence.NeverTaken, strong, opposite(strong)},
			{evidence.Died, opposite(weak), 0},
			{evidence.RisesWithLoad, opposite(strong), 0},
		},
		// Told by those before it, it may be away for a while, or one of several.
		instead: map[evidence.Clue][]evidence.Clue{
			evidence.SaysAway:     {evidence.RefusedAll, evidence.NeverTaken, evidence.RisesWithLoad},
			evidence.SaysStarting: {evidence.RefusedAll, evidence.NeverTaken, evidence.RisesWithLoad},
		},
		tells: map[Experiment]Outcome{HalfRate: Stays, HalfConcurrency: Stays},
		says:  "nothing listens on its port",
		advice: func(_ *Investigation, _ *hypothesis) []string {
			return []string{
				"start the service, or correct the address and port of the target",
			}
		},
	}
}
