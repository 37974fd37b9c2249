package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// dns: the name of the target could not be looked up.
func dns() Rule {
	return Rule{
		Cause: "dns", Mechanism: report.MechanismDNS, Leg: Path,
		Any:   []evidence.Clue{evidence.NameUnknown, evidence.SaysUnknownName},
		Proof: []evidence.Clue{evidence.NameUnknown, evidence.SaysUnknownName},
		Told:  []evidence.Clue{evidence.SaysUnknownName},
		Weights: []weight{
			{evidence.NameUnknown, Proves, Opposite(Proves)},
			{evidence.SaysUnknownName, Proves, 0},
		},
		Despite: map[evidence.Clue][]evidence.Clue{evidence.SaysUnknownName: {evidence.NameUnknown}},
		Says:    "the name could not be looked up",
		advice: func(_ *Investigation, h *Hypothesis) []string {
			where := "this machine"
			if h.Hop.Index > 0 && h.Host != "" {
				where = h.Host
			}
			return []string{
				"ask the resolver of " + where + " for the name, and look for its limit of queries",
				"look the name up less often: keep connections open, cache answers",
			}
		},
	}
}
