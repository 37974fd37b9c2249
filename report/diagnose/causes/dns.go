package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// dns: the name of the target could not be looked up.
func dns() rule {
	return rule{
		cause: "dns", mechanism: report.MechanismDNS, leg: path,
		any:   []evidence.Clue{evidence.NameUnknown},
		proof: []evidence.Clue{evidence.NameUnknown},
		weights: []weight{
			{evidence.NameUnknown, proves, opposite(proves)},
		},
		says: "the name could not be looked up",
		advice: func(_ *Investigation, _ *hypothesis) []string {
			return []string{
				"ask the resolver of this machine for the name, and look for its limit of queries",
				"look the name up less often: keep connections open, cache answers",
			}
		},
	}
}
