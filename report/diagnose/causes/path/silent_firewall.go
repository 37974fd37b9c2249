package path

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// silentFirewall: a packet filter drops packets without an answer. Only the kernel that filters can
// tell that from a network that loses them.
func silentFirewall() inquiry.Rule {
	return inquiry.Rule{
		Cause: "silent-firewall", Mechanism: report.MechanismPolicy, Leg: inquiry.Path, Any: []evidence.Clue{evidence.FilterDropped, evidence.FilterBeside}, Must: []evidence.Clue{evidence.SomeTimeouts},
		Anyway: []evidence.Clue{evidence.FilterBeside}, // a dependency is cut off, and its callers still answer, without it
		Proof:  []evidence.Clue{evidence.FilterDropped},
		// Packets may also be dropped because they exceed a number or a rate, or because the connection was
		// idle or is unknown. A filter that passes a packet the second time shuts nobody out.
		Unless: []evidence.Clue{evidence.DroppedInPart, evidence.ExcessFails, evidence.ConnectionsCapped, evidence.IdleGap, evidence.RestedLost, evidence.ConntrackInvalid, evidence.TrackingDropped},
		Never:  []evidence.Clue{evidence.CertificateRefused},
		Weights: []inquiry.Weight{
			{Clue: evidence.FilterBeside, Yes: inquiry.Strong, No: 0},
			{Clue: evidence.Answered, Yes: 2 * inquiry.Opposite(inquiry.Proves), No: 0}, // a connection that is answered was not shut out
			{Clue: evidence.DroppedInPart, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.StandsBetween, Yes: inquiry.Weak, No: 0},
			{Clue: evidence.StandsUnreached, Yes: inquiry.Weak, No: 0},
			{Clue: evidence.SaysUnreached, Yes: inquiry.Weak, No: 0},
			{Clue: evidence.InsertFailed, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.FilterDropped, Yes: inquiry.Proves, No: inquiry.Opposite(inquiry.Proves)},
			{Clue: evidence.OnlyTimeouts, Yes: inquiry.Weak, No: inquiry.Opposite(inquiry.Weak)},
			{Clue: evidence.ExcessFails, Yes: inquiry.Opposite(inquiry.Proves), No: inquiry.Weak},
			{Clue: evidence.ConnectionsCapped, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.IdleGap, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.RestedLost, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.ConntrackInvalid, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.QueueDropped, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
		},
		Despite: map[evidence.Clue][]evidence.Clue{evidence.FilterBeside: {evidence.Answered, evidence.OnlyTimeouts, evidence.FilterDropped}},
		Says:    "a packet filter drops packets without an answer",
		Advice: func(_ *inquiry.Investigation, _ *inquiry.Hypothesis) []string {
			return []string{
				"look at the rules of the table that the evidence names (nft list ruleset, iptables -S): one with drop matches this traffic",
				"let filters reject instead of drop inside your own network: clients then know at once",
			}
		},
	}
}
