package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// processorStolen: the hypervisor gave the processor to others.
func processorStolen() Rule {
	return Rule{
		Cause: "processor-stolen", Mechanism: report.MechanismExhausted,
		Any:    []evidence.Clue{evidence.Stolen},
		Proof:  []evidence.Clue{evidence.Stolen},
		Unless: []evidence.Clue{evidence.SynsLost, evidence.AtOnce, evidence.DialTimeouts, evidence.DiedWithFaults, evidence.Retransmitted, evidence.SomeResets},
		Weights: []weight{
			{evidence.Stolen, Proves, Opposite(Proves)},
			{evidence.LatencyFirst, weak, 0},
			{evidence.Starved, weak, 0},
		},
		Says: "the hypervisor took the processor away",
		advice: func(_ *Investigation, _ *Hypothesis) []string {
			return []string{
				"look for a noisy neighbour or a used-up CPU credit of the machine; move it, or pay for fixed performance",
			}
		},
	}
}
