package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// diskSaturated: threads wait for a disk that is busy.
func diskSaturated() inquiry.Rule {
	return inquiry.Rule{
		Cause: "disk-saturated", Mechanism: report.MechanismExhausted,
		Waits: true,
		Any:   []evidence.Clue{evidence.OnDisk, evidence.StandsOnDisk},
		Proof: []evidence.Clue{evidence.OnDisk, evidence.StandsOnDisk},
		Weights: []inquiry.Weight{
			{Clue: evidence.StandsOnDisk, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.OnDisk, Yes: inquiry.Proves, No: inquiry.Opposite(inquiry.Proves)},
			{Clue: evidence.LatencyFirst, Yes: inquiry.Weak, No: inquiry.Opposite(inquiry.Weak)},
			{Clue: evidence.ProcessorBusy, Yes: inquiry.Opposite(inquiry.Weak), No: 0},
			{Clue: evidence.DiedWithFaults, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
		},
		Instead: map[evidence.Clue][]evidence.Clue{evidence.StandsOnDisk: {evidence.OnDisk, evidence.LatencyFirst}},
		Says:    "tasks waited for disks",
		Advice: func(_ *inquiry.Investigation, _ *inquiry.Hypothesis) []string {
			return []string{"look for what writes and syncs (logs, checkpoints, swap), and at the limits of the volume (IOPS, throughput)"}
		},
	}
}
