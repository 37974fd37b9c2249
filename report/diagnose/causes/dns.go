package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// dns: the name of the target could not be looked up.
func dns() rule {
	return rule{
		cause: "dns", mechanism: report.MechanismDNS, leg: path,
		any:   []evidence.Clue{evidence.NameUnknown, evidence.SaysUnknownName},
		proof: []evidence.Clue{evidence.NameUnknown, evidence.SaysUnknownName},
		told:  []evidence.Clue{evidence.SaysUnknownName},
		weights: []weight{
			{evidence.NameUnknown, proves, opposite(proves)},
			{evidence.SaysUnknownName, proves, 0},
		},
		despite: map[evidence.Clue][]evidence.Clue{evidence.SaysUnknownName: {evidence.NameUnknown}},
		says:    "the name could not be looked up",
		advice: func(_ *Investigation, h *hypothesis) []string {
			where := "this machine"
			if h.hop.Index > 0 && h.host != "" {
				where = h.host
			}
			return []string{
				"ask the resolver of " + where + " for the name, and look for its limit of queries",
				"look the name up less often: keep connections open, cache answers",
			}
		},
	}
}
