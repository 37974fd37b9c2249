package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// addressDown: one of several addresses takes no connection.
func addressDown() rule {
	return rule{
		cause: "address-down", ends: true, mechanism: report.MechanismDied,
		any:   []evidence.Clue{evidence.AddressAway},
		proof: []evidence.Clue{evidence.AddressAway},
		weights: []weight{
			{evidence.AddressAway, proves, opposite(proves)},
			{evidence.NeverTaken, opposite(proves), 0},
		},
		tells: map[Experiment]Outcome{OneAddress: Stays, OtherAddresses: Goes},
		says:  "one of its addresses took no connection, the others did",
		advice: func(_ *Investigation, _ *hypothesis) []string {
			return []string{
				"take the address out of DNS or of the balancer until its instance is back, or start the instance",
				"let clients try the next address when one refuses",
			}
		},
	}
}
