package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// diskSaturated: tasks wait for disks.
func diskSaturated() rule {
	return rule{
		cause: "disk-saturated", mechanism: report.MechanismExhausted,
		any:   []evidence.Clue{evidence.OnDisk},
		proof: []evidence.Clue{evidence.OnDisk},
		weights: []weight{
			{evidence.OnDisk, proves, opposite(proves)},
			{evidence.LatencyFirst, weak, opposite(weak)},
			{evidence.ProcessorBusy, opposite(weak), 0},
			{evidence.DiedWithFaults, opposite(strong), 0},
		},
		says: "tasks waited for disks",
		advice: func(_ *Investigation, _ *hypothesis) []string {
			return []string{
				"look for what writes and syncs (logs, checkpoints, swap), and at the limits of the volume (IOPS, throughput)",
			}
		},
	}
}
