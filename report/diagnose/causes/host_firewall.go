package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// hostFirewall: a packet filter on the serving host itself resets connections.
func hostFirewall() rule {
	return rule{
		cause: "host-firewall", mechanism: report.MechanismPolicy, leg: path, any: []evidence.Clue{evidence.SentNone, evidence.HostRejected},
		told:  []evidence.Clue{evidence.HostRejected},
		proof: []evidence.Clue{evidence.SameTTL, evidence.HostRejected},
		never: []evidence.Clue{evidence.Answered, evidence.CertificateRefused},
		weights: []weight{
			{evidence.HostRejected, proves, 0},
			{evidence.PathRejected, opposite(proves), 0},
			{evidence.AddressAway, opposite(proves), 0},
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
		says:  "a packet filter on the serving host itself resets connections",
		advice: func(_ *Investigation, _ *hypothesis) []string {
			return []string{"look at the packet filter of the serving host (nft list ruleset, iptables -S): a rule with reject and tcp reset matches"}
		},
	}
}
