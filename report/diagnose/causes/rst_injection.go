package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// rstInjection: resets are forged on the path and sent to both ends.
func rstInjection() Rule {
	return Rule{
		Cause: "rst-injection", Mechanism: report.MechanismPolicy, Leg: Path, Any: []evidence.Clue{evidence.BothEnds, evidence.ForgedPacket}, Must: []evidence.Clue{evidence.SomeResets},
		Proof: []evidence.Clue{evidence.ForgedPacket, evidence.BothEnds},
		Never: []evidence.Clue{evidence.Answered, evidence.CertificateRefused},
		Weights: []weight{
			{evidence.BothEnds, 2.5, -1.5}, {evidence.ForgedPacket, 3.5, -2}, {evidence.SentNone, 2, -4}, {evidence.Loopback, -3, 0}, {evidence.LivePacket, -2, 0}, {evidence.ConstantShare, 0.5, 0},
		},
		Says: "resets are forged on the path and sent to both ends",
		advice: func(_ *Investigation, _ *Hypothesis) []string {
			return []string{"ask who runs the path: firewall or IPS rules, a load balancer; the addresses, ports and times are in the evidence", "repeat around the suspected device, as a second target, to prove it"}
		},
	}
}
