package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// slowDependency: what a service asks answers late, and nothing that was seen there says
// why.
func slowDependency() Rule {
	return Rule{
		Cause: "slow-dependency", Mechanism: report.MechanismSlow, Behind: true, Waits: true,
		Any:    []evidence.Clue{evidence.LateOut, evidence.StandsUnwatched, evidence.StandsInside, evidence.StandsStuck},
		Proof:  []evidence.Clue{evidence.LateOut, evidence.StandsUnwatched, evidence.AskedByService}, // of an application, look inside
		Told:   []evidence.Clue{evidence.LateOut, evidence.StandsUnwatched},
		Unless: []evidence.Clue{evidence.SaysLocked, evidence.StandsStuck},
		Weights: []weight{
			{evidence.LateOut, Proves, 0},
			{evidence.EndedBeside, Opposite(Proves), 0},
			{evidence.StandsUnwatched, Proves, 0},
			{evidence.StandsInside, Proves, 0},
			{evidence.StandsStuck, Strong, 0},
			{evidence.SaysLocked, Opposite(Strong), 0},
			{evidence.Died, Opposite(Strong), 0},
		},
		Says: "it answers late, and those before it wait for that",
		advice: func(_ *Investigation, h *Hypothesis) []string {
			where := "it"
			if h.Hop.Station != nil {
				where = h.Hop.Station.Text()
			}
			return []string{
				"look into " + where + ": its own log of slow requests, what it asks in turn, locks; watch its host as well (hosts:) where nobody does",
				"give calls to it a deadline below your callers', and a bound on how many wait for it at once",
			}
		},
	}
}
