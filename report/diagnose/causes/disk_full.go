package causes

import (
	"fmt"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// diskFull: a file system that the process writes to was full.
func diskFull() rule {
	return rule{
		cause: "disk-full", mechanism: report.MechanismExhausted, gauges: []string{probe.FileSystem, probe.FileSystemInodes},
		provenBy: ranOut, proof: []evidence.Clue{evidence.SaysDisk}, told: []evidence.Clue{evidence.SaysDisk},
		weights: []weight{
			{evidence.SaysDisk, proves, 0},
			{evidence.PathTTL, opposite(strong), 0},
			{evidence.IdleGap, opposite(strong), 0},
			{evidence.AtOnce, 0, weak},
		},
		says: "a file system that it writes to was full",
		advice: func(_ *Investigation, h *hypothesis) []string {
			where := "the file system"
			if h.lead != nil {
				where = h.lead.Metric.Instance
			}
			return []string{
				fmt.Sprintf("make room on %s, and look for what grows there (du -x %s): logs, uploads, temporary files, write-ahead logs", where, where),
				"a quota or rotation for what grows, and an alert before it is full",
			}
		},
	}
}
