package path

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// addressConflict: two machines have the same address, and packets for one reach the other, which
// does not know the connection. A single change of the link address may be a takeover instead.
func addressConflict() inquiry.Rule {
	return inquiry.Rule{
		Cause: "address-conflict", Mechanism: report.MechanismBug, Leg: inquiry.Path,
		Any:   []evidence.Clue{evidence.AddressContested, evidence.AddressMoved},
		Proof: []evidence.Clue{evidence.AddressContested},
		Told:  []evidence.Clue{evidence.AddressContested},
		Weights: []inquiry.Weight{
			{Clue: evidence.AddressContested, Yes: 2 * inquiry.Proves, No: 0},
			{Clue: evidence.AddressMoved, Yes: inquiry.Weak, No: 0},
			{Clue: evidence.Died, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.AtOnce, Yes: inquiry.Weak, No: 0},
			{Clue: evidence.RisesWithLoad, Yes: inquiry.Opposite(inquiry.Weak), No: 0},
		},
		Tells: map[inquiry.Experiment]inquiry.Outcome{inquiry.HalfRate: inquiry.Stays, inquiry.HalfConcurrency: inquiry.Stays},
		Says:  "two machines have one address: what is meant for the one reaches the other, which does not know it",
		Advice: func(_ *inquiry.Investigation, _ *inquiry.Hypothesis) []string {
			return []string{
				"find the machine with the hardware address that the evidence names (ip neigh, arping -D, the switch's table of ports) and take the address from it",
				"look for where the address was given twice: a fixed address within a DHCP range, a copied machine, a virtual address that its old holder kept after a failover",
			}
		},
	}
}
