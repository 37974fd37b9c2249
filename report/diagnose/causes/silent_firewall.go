package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// silentFirewall: a packet filter drops packets without an answer. Only the filter's
// own kernel can tell that from a network that loses them.
func silentFirewall() rule {
	return rule{
		cause: "silent-firewall", mechanism: report.MechanismPolicy, leg: path, any: []evidence.Clue{evidence.FilterDropped}, must: []evidence.Clue{evidence.SomeTimeouts},
		proof: []evidence.Clue{evidence.FilterDropped},
		// What exceeds a number or a rate, has rested or is not known is dropped for that.
		unless: []evidence.Clue{evidence.ExcessFails, evidence.ConnectionsCapped, evidence.IdleGap, evidence.ConntrackInvalid, evidence.TrackingDropped},
		never:  []evidence.Clue{evidence.Answered, evidence.CertificateRefused},
		weights: []weight{
			{evidence.StandsBetween, weak, 0},
			{evidence.StandsUnreached, weak, 0},
			{evidence.FilterDropped, proves, opposite(proves)},
			{evidence.OnlyTimeouts, weak, opposite(weak)},
			{evidence.ExcessFails, opposite(proves), weak},
			{evidence.ConnectionsCapped, opposite(strong), 0},
			{evidence.IdleGap, opposite(proves), 0},
			{evidence.ConntrackInvalid, opposite(strong), 0},
			{evidence.QueueDropped, opposite(strong), 0},
		},
		says: "a packet filter drops packets without an answer",
		advice: func(_ *Investigation, _ *hypothesis) []string {
			return []string{
				"look at the rules of the table that the evidence names (nft list ruleset, iptables -S): one with drop matches this traffic",
				"let filters reject instead of drop inside your own network: clients then know at once",
			}
		},
	}
}
