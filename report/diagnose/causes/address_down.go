package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// addressDown: one of several addresses takes no connection.
func addressDown() Rule {
	return Rule{
		Cause: "address-down", Ends: true, Mechanism: report.MechanismDied,
		Any:   []evidence.Clue{evidence.AddressAway},
		Proof: []evidence.Clue{evidence.AddressAway},
		Weights: []weight{
			{evidence.AddressAway, Proves, Opposite(Proves)},
			{evidence.NeverTaken, Opposite(Proves), 0},
		},
		tells: map[Experiment]Outcome{OneAddress: Stays, OtherAddresses: Goes},
		Says:  "one of its addresses took no connection, the others did",
		advice: func(_ *Investigation, _ *Hypothesis) []string {
			return []string{
				"take the address out of DNS or of the balancer until its instance is back, or start the instance",
				"let clients try the next address when one refuses",
			}
		},
	}
}
