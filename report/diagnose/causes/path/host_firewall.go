package path

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// hostFirewall: a packet filter on the serving host itself resets connections.
func hostFirewall() inquiry.Rule {
	return inquiry.Rule{
		Cause: "host-firewall", Mechanism: report.MechanismPolicy, Leg: inquiry.Path, Any: []evidence.Clue{evidence.SentNone, evidence.HostRejected},
		Told:  []evidence.Clue{evidence.HostRejected},
		Proof: []evidence.Clue{evidence.SameTTL, evidence.HostRejected},
		Never: []evidence.Clue{evidence.Answered, evidence.CertificateRefused},
		Weights: []inquiry.Weight{
			{Clue: evidence.HostRejected, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.PathRejected, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.AddressAway, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.SentNone, Yes: 4, No: -5},
			{Clue: evidence.Relayed, Yes: -3, No: 0},
			{Clue: evidence.PathTTL, Yes: -4, No: 2.5},
			{Clue: evidence.ConstantShare, Yes: 2, No: 0},
			{Clue: evidence.RisesWithLoad, Yes: 1.5, No: 0},
			{Clue: evidence.ForgedPacket, Yes: -2, No: 0.3},
			{Clue: evidence.LivePacket, Yes: -4, No: 0.3},
			{Clue: evidence.Loopback, Yes: 1.5, No: 0},
			{Clue: evidence.BothEnds, Yes: -1.5, No: 0},
			{Clue: evidence.IdleGap, Yes: -1, No: 0},
		},
		Tells: map[inquiry.Experiment]inquiry.Outcome{inquiry.HalfConcurrency: inquiry.Stays},
		Says:  "a packet filter on the serving host itself resets connections",
		Advice: func(_ *inquiry.Investigation, _ *inquiry.Hypothesis) []string {
			return []string{"look at the packet filter of the serving host (nft list ruleset, iptables -S): a rule with reject and tcp reset matches"}
		},
	}
}
