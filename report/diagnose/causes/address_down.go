package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// addressDown: one of several addresses takes no connection.
func addressDown() inquiry.Rule {
	return inquiry.Rule{
		Cause: "address-down", Ends: true, Mechanism: report.MechanismDied,
		Any:   []evidence.Clue{evidence.AddressAway},
		Proof: []evidence.Clue{evidence.AddressAway},
		Weights: []inquiry.Weight{
			{Clue: evidence.AddressAway, Yes: inquiry.Proves, No: inquiry.Opposite(inquiry.Proves)},
			{Clue: evidence.NeverTaken, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
		},
		Tells: map[inquiry.Experiment]inquiry.Outcome{inquiry.OneAddress: inquiry.Stays, inquiry.OtherAddresses: inquiry.Goes},
		Says:  "one of its addresses took no connection, the others did",
		Advice: func(_ *inquiry.Investigation, _ *inquiry.Hypothesis) []string {
			return []string{
				"take the address out of DNS or of the balancer until its instance is back, or start the instance",
				"let clients try the next address when one refuses",
			}
		},
	}
}
