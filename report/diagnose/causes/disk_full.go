package causes

import (
	"fmt"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// diskFull: a file system that the process writes to was full.
func diskFull() Rule {
	return Rule{
		Cause: "disk-full", Mechanism: report.MechanismExhausted, Gauges: []string{probe.FileSystem, probe.FileSystemInodes},
		ProvenBy: RanOut, Proof: []evidence.Clue{evidence.SaysDisk}, Told: []evidence.Clue{evidence.SaysDisk},
		Weights: []weight{
			{evidence.SaysDisk, Proves, 0},
			{evidence.PathTTL, Opposite(Strong), 0},
			{evidence.IdleGap, Opposite(Strong), 0},
			{evidence.AtOnce, 0, weak},
		},
		Says: "a file system that it writes to was full",
		advice: func(_ *Investigation, h *Hypothesis) []string {
			where := "the file system"
			if h.Lead != nil {
				where = h.Lead.Metric.Instance
			}
			return []string{
				fmt.Sprintf("make room on %s, and look for what grows there (du -x %s): logs, uploads, temporary files, write-ahead logs", where, where),
				"a quota or rotation for what grows, and an alert before it is full",
			}
		},
	}
}
