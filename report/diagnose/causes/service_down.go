package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// serviceDown: nothing listens where the target should be.
func serviceDown() inquiry.Rule {
	return inquiry.Rule{
		Cause: "service-down", Ends: true, Mechanism: report.MechanismDied,
		Any:    []evidence.Clue{evidence.RefusedAll, evidence.SaysAway, evidence.SaysStarting, evidence.NobodyListens, evidence.Ended},
		Anyway: []evidence.Clue{evidence.Ended},
		Must:   []evidence.Clue{evidence.RefusedAll, evidence.NeverTaken},
		Proof:  []evidence.Clue{evidence.NeverTaken, evidence.SaysAway, evidence.SaysStarting, evidence.NobodyListens, evidence.Ended},
		Told:   []evidence.Clue{evidence.SaysAway, evidence.SaysStarting, evidence.NobodyListens, evidence.Ended},
		Unless: []evidence.Clue{evidence.DiedOfItself, evidence.DescriptorsFull, evidence.Overflowed},
		Weights: []inquiry.Weight{
			{Clue: evidence.SaysAway, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.SaysStarting, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.LastWords, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.NobodyListens, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.Ended, Yes: 2 * inquiry.Proves, No: 0},
			{Clue: evidence.NamesAway, Yes: inquiry.Opposite(2 * inquiry.Proves), No: 0},   // it is missed for its names
			{Clue: evidence.PodsUpdated, Yes: inquiry.Opposite(2 * inquiry.Proves), No: 0}, // others take its place
			{Clue: evidence.PodsEvicted, Yes: inquiry.Opposite(2 * inquiry.Proves), No: 0},
			{Clue: evidence.RefusedAll, Yes: inquiry.Proves, No: inquiry.Opposite(inquiry.Proves)},
			{Clue: evidence.NeverTaken, Yes: inquiry.Strong, No: inquiry.Opposite(inquiry.Strong)},
			{Clue: evidence.Died, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.RisesWithLoad, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
		},
		// Where only the callers say so, the service may be away for a while, or be one of several.
		Instead: map[evidence.Clue][]evidence.Clue{
			evidence.SaysAway:      {evidence.RefusedAll, evidence.NeverTaken, evidence.RisesWithLoad},
			evidence.NobodyListens: {evidence.RefusedAll, evidence.NeverTaken, evidence.RisesWithLoad},
			evidence.Ended:         {evidence.Died, evidence.RefusedAll, evidence.NeverTaken, evidence.RisesWithLoad},
			evidence.SaysStarting:  {evidence.RefusedAll, evidence.NeverTaken, evidence.RisesWithLoad},
		},
		Tells: map[inquiry.Experiment]inquiry.Outcome{inquiry.HalfRate: inquiry.Stays, inquiry.HalfConcurrency: inquiry.Stays},
		Says:  "nothing listens on its port",
		Advice: func(_ *inquiry.Investigation, _ *inquiry.Hypothesis) []string {
			return []string{"start the service, or correct the address and port of the target"}
		},
	}
}
