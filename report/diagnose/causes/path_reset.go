package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// pathReset: something on the path resets connections.
func pathReset() Rule {
	return Rule{
		Cause: "path-reset", Mechanism: report.MechanismPolicy, Leg: Path, TurnsAway: true, Any: []evidence.Clue{evidence.SomeResets, evidence.SomeRefused},
		Told:   []evidence.Clue{evidence.PathRejected},
		Proof:  []evidence.Clue{evidence.PathRejected, evidence.SentNone, evidence.PathTTL},
		Unless: []evidence.Clue{evidence.ForgedPacket, evidence.BothEnds},
		Never:  []evidence.Clue{evidence.Answered, evidence.CertificateRefused, evidence.StreamResets},
		Weights: []weight{
			{evidence.PathRejected, Proves, 0},
			{evidence.HostRejected, Opposite(Proves), 0},
			{evidence.AddressAway, Opposite(Proves), 0},
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
		Instead: map[evidence.Clue][]evidence.Clue{evidence.Relayed: {evidence.LivePacket, evidence.PathTTL, evidence.AtOnce}},
		tells:   map[Experiment]Outcome{HalfConcurrency: Stays, HalfRate: Stays, TwoSources: Stays},
		Says:    "something on the path resets connections",
		advice: func(_ *Investigation, _ *Hypothesis) []string {
			return []string{"ask who runs the path: firewall or IPS rules, a load balancer; the addresses, ports and times are in the evidence", "repeat around the suspected device, as a second target, to prove it"}
		},
	}
}
