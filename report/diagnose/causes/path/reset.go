package path

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// pathReset: something on the path resets connections.
func pathReset() inquiry.Rule {
	return inquiry.Rule{
		Cause: "path-reset", Mechanism: report.MechanismPolicy, Leg: inquiry.Path, TurnsAway: true, Any: []evidence.Clue{evidence.SomeResets, evidence.SomeRefused},
		Told:   []evidence.Clue{evidence.PathRejected},
		Proof:  []evidence.Clue{evidence.PathRejected, evidence.SentNone, evidence.PathTTL},
		Unless: []evidence.Clue{evidence.ForgedPacket, evidence.BothEnds},
		Never:  []evidence.Clue{evidence.Answered, evidence.CertificateRefused, evidence.StreamResets},
		Weights: []inquiry.Weight{
			{Clue: evidence.PathRejected, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.HostRejected, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.AddressAway, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.AllFail, Yes: 2, No: 0},
			{Clue: evidence.Relayed, Yes: 1, No: 0},
			{Clue: evidence.AtOnce, Yes: -3, No: 0},
			{Clue: evidence.MostlyEOF, Yes: -4, No: 0},
			{Clue: evidence.ConstantShare, Yes: 3, No: -1.5},
			{Clue: evidence.SentNone, Yes: 4, No: -5},
			{Clue: evidence.PathTTL, Yes: 2.5, No: -4},
			{Clue: evidence.Loopback, Yes: -5, No: 0},
			{Clue: evidence.IdleGap, Yes: -5, No: 0},
			{Clue: evidence.ForgedPacket, Yes: -2, No: 0.3},
			{Clue: evidence.LivePacket, Yes: -3, No: 0},
			{Clue: evidence.BothEnds, Yes: -1.5, No: 0},
			{Clue: evidence.DiedWithFaults, Yes: -3, No: 0},
			{Clue: evidence.InBody, Yes: 0.3, No: 0},
			{Clue: evidence.ExcessFails, Yes: -1.5, No: 0},
			{Clue: evidence.SomeEOF, Yes: -1.5, No: 0.3},
			{Clue: evidence.SomeRefused, Yes: -1, No: 0},
			{Clue: evidence.SentLinger, Yes: -3, No: 0},
		},
		Instead: map[evidence.Clue][]evidence.Clue{evidence.Relayed: {evidence.LivePacket, evidence.PathTTL, evidence.AtOnce}},
		Tells:   map[inquiry.Experiment]inquiry.Outcome{inquiry.HalfConcurrency: inquiry.Stays, inquiry.HalfRate: inquiry.Stays, inquiry.TwoSources: inquiry.Stays},
		Says:    "something on the path resets connections",
		Advice: func(_ *inquiry.Investigation, _ *inquiry.Hypothesis) []string {
			return []string{"ask who runs the path: firewall or IPS rules, a load balancer; the addresses, ports and times are in the evidence", "repeat around the suspected device, as a second target, to prove it"}
		},
	}
}
