package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// processorStolen: the hypervisor gave the processor to others.
func processorStolen() rule {
	return rule{
		cause: "processor-stolen", mechanism: report.MechanismExhausted,
		any:    []evidence.Clue{evidence.Stolen},
		proof:  []evidence.Clue{evidence.Stolen},
		unless: []evidence.Clue{evidence.SynsLost, evidence.AtOnce, evidence.DialTimeouts, evidence.DiedWithFaults, evidence.Retransmitted, evidence.SomeResets},
		weights: []weight{
			{evidence.Stolen, proves, opposite(proves)},
			{evidence.LatencyFirst, weak, 0},
			{evidence.Starved, weak, 0},
		},
		says: "the hypervisor took the processor away",
		advice: func(_ *Investigation, _ *hypothesis) []string {
			return []string{
				"look for a noisy neighbour or a used-up CPU credit of the machine; move it, or pay for fixed performance",
			}
		},
	}
}
