package causes

import (
	"fmt"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// diskFull: a file system that the process writes to was full.
func diskFull() inquiry.Rule {
	return inquiry.Rule{
		Cause: "disk-full", Mechanism: report.MechanismExhausted, Gauges: []string{probe.FileSystem, probe.FileSystemInodes},
		ProvenBy: inquiry.RanOut, Proof: []evidence.Clue{evidence.SaysDisk}, Told: []evidence.Clue{evidence.SaysDisk},
		Weights: []inquiry.Weight{
			{Clue: evidence.SaysDisk, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.OwnError, Yes: inquiry.Weak, No: 0}, // it failed, and does not say why
			{Clue: evidence.PathTTL, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.IdleGap, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.AtOnce, Yes: 0, No: inquiry.Weak},
		},
		Says: "a file system that it writes to was full",
		Advice: func(_ *inquiry.Investigation, h *inquiry.Hypothesis) []string {
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
