package path

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// dns: the name of the target could not be looked up.
func dns() inquiry.Rule {
	return inquiry.Rule{
		Cause: "dns", Mechanism: report.MechanismDNS, Leg: inquiry.Path,
		Any:   []evidence.Clue{evidence.NameUnknown, evidence.SaysUnknownName, evidence.NamesAway},
		Proof: []evidence.Clue{evidence.NameUnknown, evidence.SaysUnknownName, evidence.NamesAway},
		Told:  []evidence.Clue{evidence.SaysUnknownName, evidence.NamesAway},
		Weights: []inquiry.Weight{
			{Clue: evidence.NameUnknown, Yes: inquiry.Proves, No: inquiry.Opposite(inquiry.Proves)},
			{Clue: evidence.SaysUnknownName, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.NamesAway, Yes: inquiry.Proves, No: 0},
		},
		Despite: map[evidence.Clue][]evidence.Clue{evidence.SaysUnknownName: {evidence.NameUnknown}},
		Says:    "the name could not be looked up",
		Advice: func(_ *inquiry.Investigation, h *inquiry.Hypothesis) []string {
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
