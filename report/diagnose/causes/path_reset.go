package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// pathReset: something on the path resets connections.
func pathReset() rule {
	return rule{
		cause: "path-reset", mechanism: report.MechanismPolicy, leg: path, turnsAway: true, any: []evidence.Clue{evidence.SomeResets, evidence.SomeRefused},
		told:   []evidence.Clue{evidence.PathRejected},
		proof:  []evidence.Clue{evidence.PathRejected, evidence.SentNone, evidence.PathTTL},
		unless: []evidence.Clue{evidence.ForgedPacket, evidence.BothEnds},
		never:  []evidence.Clue{evidence.Answered, evidence.CertificateRefused, evidence.StreamResets},
		weights: []weight{
			{evidence.PathRejected, proves, 0},
			{evidence.HostRejected, opposite(proves), 0},
			{evidence.AddressAway, opposite(proves), 0},
			{evidence.AllFail, 2, 0},
			{evidence.Relayed, 1, 0},
			{evidence.AtOnce, -3, 0},
			{evidence.MostlyEOF, -4, 0},
			{evidence.ConstantShare, 3, -1.5},
			{evidence.SentNone, 4, -5},
			{evidence.PathTTL, 2.5, -4},
			{evidence.Loopback, -5, 0},
			{evidence.IdleGap, -5, 0},
			{evidence.ForgedPacket, -2, 0.3},
			{evidence.LivePacket, -3, 0},
			{evidence.BothEnds, -1.5, 0},
			{evidence.DiedWithFaults, -3, 0},
			{evidence.InBody, 0.3, 0},
			{evidence.ExcessFails, -1.5, 0},
			{evidence.SomeEOF, -1.5, 0.3},
			{evidence.SomeRefused, -1, 0},
			{evidence.SentLinger, -3, 0},
		},
		instead: map[evidence.Clue][]evidence.Clue{evidence.Relayed: {evidence.LivePacket, evidence.PathTTL, evidence.AtOnce}},
		tells:   map[Experiment]Outcome{HalfConcurrency: Stays, HalfRate: Stays, TwoSources: Stays},
		says:    "something on the path resets connections",
		advice: func(_ *Investigation, _ *hypothesis) []string {
			return []string{"ask who runs the path: firewall or IPS rules, a load balancer; the addresses, ports and times are in the evidence", "repeat around the suspected device, as a second target, to prove it"}
		},
	}
}
