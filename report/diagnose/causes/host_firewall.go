package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// hostFirewall: a packet filter on the serving host itself resets connections.
func hostFirewall() Rule {
	return Rule{
		Cause: "host-firewall", Mechanism: report.MechanismPolicy, Leg: Path, Any: []evidence.Clue{evidence.SentNone, evidence.HostRejected},
		Told:  []evidence.Clue{evidence.HostRejected},
		Proof: []evidence.Clue{evidence.SameTTL, evidence.HostRejected},
		Never: []evidence.Clue{evidence.Answered, evidence.CertificateRefused},
		Weights: []weight{
			{evidence.HostRejected, Proves, 0},
			{evidence.PathRejected, Opposite(Proves), 0},
			{evidence.AddressAway, Opposite(Proves), 0},
			{evidence.SentNone, 4, -5},
			{evidence.Relayed, -3, 0},
			{evidence.PathTTL, -4, 2.5},
			{evidence.ConstantShare, 2, 0},
			{evidence.RisesWithLoad, 1.5, 0},
			{evidence.ForgedPacket, -2, 0.3},
			{evidence.LivePacket, -4, 0.3},
			{evidence.Loopback, 1.5, 0},
			{evidence.BothEnds, -1.5, 0},
			{evidence.IdleGap, -1, 0},
		},
		tells: map[Experiment]Outcome{HalfConcurrency: Stays},
		Says:  "a packet filter on the serving host itself resets connections",
		advice: func(_ *Investigation, _ *Hypothesis) []string {
			return []string{"look at the packet filter of the serving host (nft list ruleset, iptables -S): a rule with reject and tcp reset matches"}
		},
	}
}
