package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// processorStolen: the hypervisor gave the processor to other machines.
func processorStolen() inquiry.Rule {
	return inquiry.Rule{
		Cause: "processor-stolen", Mechanism: report.MechanismExhausted,
		Any:    []evidence.Clue{evidence.Stolen},
		Proof:  []evidence.Clue{evidence.Stolen},
		Unless: []evidence.Clue{evidence.SynsLost, evidence.AtOnce, evidence.DialTimeouts, evidence.DiedWithFaults, evidence.Retransmitted, evidence.SomeResets},
		Weights: []inquiry.Weight{
			{Clue: evidence.Stolen, Yes: inquiry.Proves, No: inquiry.Opposite(inquiry.Proves)},
			{Clue: evidence.LatencyFirst, Yes: inquiry.Weak, No: 0},
			{Clue: evidence.Starved, Yes: inquiry.Weak, No: 0},
		},
		Says: "the hypervisor took the processor away",
		Advice: func(_ *inquiry.Investigation, _ *inquiry.Hypothesis) []string {
			return []string{"look for a noisy neighbour or a used-up CPU credit of the machine; move it, or pay for fixed performance"}
		},
	}
}
