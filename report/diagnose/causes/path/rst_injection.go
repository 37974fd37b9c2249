package path

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// rstInjection: resets are forged on the path and sent to both ends.
func rstInjection() inquiry.Rule {
	return inquiry.Rule{
		Cause: "rst-injection", Mechanism: report.MechanismPolicy, Leg: inquiry.Path, Any: []evidence.Clue{evidence.BothEnds, evidence.ForgedPacket}, Must: []evidence.Clue{evidence.SomeResets},
		Proof: []evidence.Clue{evidence.ForgedPacket, evidence.BothEnds},
		Never: []evidence.Clue{evidence.Answered, evidence.CertificateRefused},
		Weights: []inquiry.Weight{
			{Clue: evidence.BothEnds, Yes: 2.5, No: -1.5}, {Clue: evidence.ForgedPacket, Yes: 3.5, No: -2}, {Clue: evidence.SentNone, Yes: 2, No: -4}, {Clue: evidence.Loopback, Yes: -3, No: 0}, {Clue: evidence.LivePacket, Yes: -2, No: 0}, {Clue: evidence.ConstantShare, Yes: 0.5, No: 0},
		},
		Says: "resets are forged on the path and sent to both ends",
		Advice: func(_ *inquiry.Investigation, _ *inquiry.Hypothesis) []string {
			return []string{"ask who runs the path: firewall or IPS rules, a load balancer; the addresses, ports and times are in the evidence", "repeat around the suspected device, as a second target, to prove it"}
		},
	}
}
