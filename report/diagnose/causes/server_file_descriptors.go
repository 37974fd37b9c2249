package causes

import (
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// serverFileDescriptors: the process had no file descriptor left.
func serverFileDescriptors() Rule {
	return Rule{
		Cause: "server-file-descriptors", Mechanism: report.MechanismExhausted, Gauges: []string{probe.OpenFiles, probe.FileTable},
		ProvenBy: RanOut,
		Proof:    []evidence.Clue{evidence.Reserved, evidence.SaysFiles},
		Told:     []evidence.Clue{evidence.SaysFiles},
		Unless:   []evidence.Clue{evidence.Vanished, evidence.PathTTL, evidence.SentNone},
		Weights: []weight{
			{evidence.SaysFiles, Proves, 0},
			{evidence.Vanished, -2, 0},
			{evidence.Reserved, 3.5, 0},
			{evidence.Crowded, 0.6, -0.5},
			{evidence.LatencyFirst, -1, 0.2},
			{evidence.Unserved, 0.3, -0.7},
			{evidence.SomeResets, 0.5, 0},
			{evidence.SomeEOF, 0.5, 0},
			{evidence.SomeTimeouts, 0.3, 0},
			{evidence.RisesWithLoad, 1, -2},
			{evidence.ExcessFails, 0.7, 0},
			{evidence.OnlyTimeouts, 0.5, 0},
			{evidence.CloseWaitRises, 0.5, 0},
			{evidence.SentNone, -4, 0.5},
			{evidence.IdleGap, -2, 0},
			{evidence.DiedWithFaults, -3, 0.5},
			{evidence.InTLS, -0.5, 0},
			{evidence.AtOnce, -1.5, 0},
			{evidence.SentUnread, 0.5, 0},
			{evidence.StreamResets, -1, 0},
			{evidence.PathTTL, -3, 0.3},
			{evidence.OutOfMemory, -2, 0},
		},
		tells: map[Experiment]Outcome{HalfConcurrency: Goes, HalfRate: Stays},
		Says:  "the process had no file descriptor left",
		advice: func(c *Investigation, h *Hypothesis) []string {
			return c.FileAdvice(h)
		},
	}
}
