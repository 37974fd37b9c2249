package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// slowDependency: what a service asks answers late, and nothing that was seen there says
// why.
func slowDependency() rule {
	return rule{
		cause: "slow-dependency", mechanism: report.MechanismSlow, behind: true, waits: true,
		any:    []evidence.Clue{evidence.LateOut, evidence.StandsUnwatched, evidence.StandsInside, evidence.StandsStuck},
		proof:  []evidence.Clue{evidence.LateOut, evidence.StandsUnwatched, evidence.AskedByService}, // of an application, look inside
		told:   []evidence.Clue{evidence.LateOut, evidence.StandsUnwatched},
		unless: []evidence.Clue{evidence.SaysLocked, evidence.StandsStuck},
		weights: []weight{
			{evidence.LateOut, proves, 0},
			{evidence.EndedBeside, opposite(proves), 0},
			{evidence.StandsUnwatched, proves, 0},
			{evidence.StandsInside, proves, 0},
			{evidence.StandsStuck, strong, 0},
			{evidence.SaysLocked, opposite(strong), 0},
			{evidence.Died, opposite(strong), 0},
		},
		says: "it answers late, and those before it wait for that",
		advice: func(_ *Investigation, h *hypothesis) []string {
			where := "it"
			if h.hop.Station != nil {
				where = h.hop.Station.Text()
			}
			return []string{
				"look into " + where + ": its own log of slow requests, what it asks in turn, locks; watch its host as well (hosts:) where nobody does",
				"give calls to it a deadline below your callers', and a bound on how many wait for it at once",
			}
		},
	}
}
