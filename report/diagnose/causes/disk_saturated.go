package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// diskSaturated: tasks wait for disks.
func diskSaturated() Rule {
	return Rule{
		Cause: "disk-saturated", Mechanism: report.MechanismExhausted,
		Waits: true,
		Any:   []evidence.Clue{evidence.OnDisk, evidence.StandsOnDisk},
		Proof: []evidence.Clue{evidence.OnDisk, evidence.StandsOnDisk},
		Weights: []weight{
			{evidence.StandsOnDisk, Proves, 0},
			{evidence.OnDisk, Proves, Opposite(Proves)},
			{evidence.LatencyFirst, weak, Opposite(weak)},
			{evidence.ProcessorBusy, Opposite(weak), 0},
			{evidence.DiedWithFaults, Opposite(Strong), 0},
		},
		Instead: map[evidence.Clue][]evidence.Clue{evidence.StandsOnDisk: {evidence.OnDisk, evidence.LatencyFirst}},
		Says:    "tasks waited for disks",
		advice: func(_ *Investigation, _ *Hypothesis) []string {
			return []string{
				"look for what writes and syncs (logs, checkpoints, swap), and at the limits of the volume (IOPS, throughput)",
			}
		},
	}
}
