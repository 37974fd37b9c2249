package causes

import (
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// synBacklog: the queue of half-open connections was full.
func synBacklog() inquiry.Rule {
	return inquiry.Rule{
		Cause: "syn-backlog", Mechanism: report.MechanismExhausted, Rare: 1, Gauges: []string{probe.SynQueue}, Counters: []string{probe.ReqQueueFullDrop},
		ProvenBy: inquiry.RanOut,
		Never:    []evidence.Clue{evidence.RefusedAll},
		Weights: []inquiry.Weight{
			{Clue: evidence.SaysBacklog, Yes: inquiry.Weak, No: 0},
			{Clue: evidence.Unserved, Yes: -1, No: 0.5},
			{Clue: evidence.Blackout, Yes: -1.5, No: 0},
			{Clue: evidence.ConstantShare, Yes: -2, No: 0},
			{Clue: evidence.LatencyFirst, Yes: -0.5, No: 0},
			{Clue: evidence.InDial, Yes: 1.5, No: -3},
			{Clue: evidence.Overflowed, Yes: -2, No: 0.5},
			{Clue: evidence.SomeTimeouts, Yes: 1, No: -1},
			{Clue: evidence.DescriptorsFull, Yes: -2, No: 0},
			{Clue: evidence.SomeResets, Yes: -2, No: 0},
		},
		Tells: map[inquiry.Experiment]inquiry.Outcome{inquiry.Kept: inquiry.Goes, inquiry.Fresh: inquiry.Stays, inquiry.Small: inquiry.Stays},
		Says:  "the queue of half-open connections was full",
		Advice: func(c *inquiry.Investigation, h *inquiry.Hypothesis) []string {
			return []string{
				c.LimitSeen(h, "raise net.ipv4.tcp_max_syn_backlog and the listen backlog"),
				"leave net.ipv4.tcp_syncookies at 1: then a full queue turns nobody away",
			}
		},
	}
}
