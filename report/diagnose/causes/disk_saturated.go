package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// diskSaturated: tasks wait for disks.
func diskSaturated() rule {
	return rule{
		cause: "disk-saturated", mechanism: report.MechanismExhausted,
		waits: true,
		any:   []evidence.Clue{evidence.OnDisk, evidence.StandsOnDisk},
		proof: []evidence.Clue{evidence.OnDisk, evidence.StandsOnDisk},
		weights: []weight{
			{evidence.StandsOnDisk, proves, 0},
			{evidence.OnDisk, proves, opposite(proves)},
			{evidence.LatencyFirst, weak, opposite(weak)},
			{evidence.ProcessorBusy, opposite(weak), 0},
			{evidence.DiedWithFaults, opposite(strong), 0},
		},
		instead: map[evidence.Clue][]evidence.Clue{evidence.StandsOnDisk: {evidence.OnDisk, evidence.LatencyFirst}},
		says:    "tasks waited for disks",
		advice: func(_ *Investigation, _ *hypothesis) []string {
			return []string{
				"look for what writes and syncs (logs, checkpoints, swap), and at the limits of the volume (IOPS, throughput)",
			}
		},
	}
}
