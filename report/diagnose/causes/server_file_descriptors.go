package causes

import (
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// serverFileDescriptors: the process had no file descriptor left.
func serverFileDescriptors() inquiry.Rule {
	return inquiry.Rule{
		Cause: "server-file-descriptors", Mechanism: report.MechanismExhausted, Gauges: []string{probe.OpenFiles, probe.FileTable},
		ProvenBy: inquiry.RanOut,
		Proof:    []evidence.Clue{evidence.Reserved, evidence.SaysFiles},
		Told:     []evidence.Clue{evidence.SaysFiles},
		Unless:   []evidence.Clue{evidence.Vanished, evidence.PathTTL, evidence.SentNone},
		Weights: []inquiry.Weight{
			{Clue: evidence.SaysFiles, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.Vanished, Yes: -2, No: 0},
			{Clue: evidence.Reserved, Yes: 3.5, No: 0},
			{Clue: evidence.Crowded, Yes: 0.6, No: -0.5},
			{Clue: evidence.LatencyFirst, Yes: -1, No: 0.2},
			{Clue: evidence.Unserved, Yes: 0.3, No: -0.7},
			{Clue: evidence.SomeResets, Yes: 0.5, No: 0},
			{Clue: evidence.SomeEOF, Yes: 0.5, No: 0},
			{Clue: evidence.SomeTimeouts, Yes: 0.3, No: 0},
			{Clue: evidence.RisesWithLoad, Yes: 1, No: -2},
			{Clue: evidence.ExcessFails, Yes: 0.7, No: 0},
			{Clue: evidence.OnlyTimeouts, Yes: 0.5, No: 0},
			{Clue: evidence.CloseWaitRises, Yes: 0.5, No: 0},
			{Clue: evidence.SentNone, Yes: -4, No: 0.5},
			{Clue: evidence.IdleGap, Yes: -2, No: 0},
			{Clue: evidence.DiedWithFaults, Yes: -3, No: 0.5},
			{Clue: evidence.InTLS, Yes: -0.5, No: 0},
			{Clue: evidence.AtOnce, Yes: -1.5, No: 0},
			{Clue: evidence.SentUnread, Yes: 0.5, No: 0},
			{Clue: evidence.StreamResets, Yes: -1, No: 0},
			{Clue: evidence.PathTTL, Yes: -3, No: 0.3},
			{Clue: evidence.OutOfMemory, Yes: -2, No: 0},
		},
		Tells: map[inquiry.Experiment]inquiry.Outcome{inquiry.HalfConcurrency: inquiry.Goes, inquiry.HalfRate: inquiry.Stays},
		Says:  "the process had no file descriptor left",
		Advice: func(c *inquiry.Investigation, h *inquiry.Hypothesis) []string {
			return c.FileAdvice(h)
		},
	}
}
