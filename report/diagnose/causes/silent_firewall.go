package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// silentFirewall: a packet filter drops packets without an answer. Only the filter's
// own kernel can tell that from a network that loses them.
func silentFirewall() Rule {
	return Rule{
		Cause: "silent-firewall", Mechanism: report.MechanismPolicy, Leg: Path, Any: []evidence.Clue{evidence.FilterDropped}, Must: []evidence.Clue{evidence.SomeTimeouts},
		Proof: []evidence.Clue{evidence.FilterDropped},
		// What exceeds a number or a rate, has rested or is not known is dropped for that.
		Unless: []evidence.Clue{evidence.ExcessFails, evidence.ConnectionsCapped, evidence.IdleGap, evidence.ConntrackInvalid, evidence.TrackingDropped},
		Never:  []evidence.Clue{evidence.Answered, evidence.CertificateRefused},
		Weights: []weight{
			{evidence.StandsBetween, weak, 0},
			{evidence.StandsUnreached, weak, 0},
			{evidence.FilterDropped, Proves, Opposite(Proves)},
			{evidence.OnlyTimeouts, weak, Opposite(weak)},
			{evidence.ExcessFails, Opposite(Proves), weak},
			{evidence.ConnectionsCapped, Opposite(Strong), 0},
			{evidence.IdleGap, Opposite(Proves), 0},
			{evidence.ConntrackInvalid, Opposite(Strong), 0},
			{evidence.QueueDropped, Opposite(Strong), 0},
		},
		Says: "a packet filter drops packets without an answer",
		advice: func(_ *Investigation, _ *Hypothesis) []string {
			return []string{
				"look at the rules of the table that the evidence names (nft list ruleset, iptables -S): one with drop matches this traffic",
				"let filters reject instead of drop inside your own network: clients then know at once",
			}
		},
	}
}
