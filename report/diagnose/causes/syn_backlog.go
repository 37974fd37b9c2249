package causes

import (
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// synBacklog: the queue of half-open connections was full.
func synBacklog() Rule {
	return Rule{
		Cause: "syn-backlog", Mechanism: report.MechanismExhausted, Rare: 1, Gauges: []string{probe.SynQueue}, Counters: []string{probe.ReqQueueFullDrop},
		ProvenBy: RanOut,
		Never:    []evidence.Clue{evidence.RefusedAll},
		Weights: []weight{
			{evidence.SaysBacklog, weak, 0},
			{evidence.Unserved, -1, 0.5},
			{evidence.Blackout, -1.5, 0},
			{evidence.ConstantShare, -2, 0},
			{evidence.LatencyFirst, -0.5, 0},
			{evidence.InDial, 1.5, -3},
			{evidence.Overflowed, -2, 0.5},
			{evidence.SomeTimeouts, 1, -1},
			{evidence.DescriptorsFull, -2, 0},
			{evidence.SomeResets, -2, 0},
		},
		tells: map[Experiment]Outcome{Kept: Goes, Fresh: Stays, Small: Stays},
		Says:  "the queue of half-open connections was full",
		advice: func(c *Investigation, h *Hypothesis) []string {
			return []string{
				c.limitSeen(h, "raise net.ipv4.tcp_max_syn_backlog and the listen backlog"),
				"leave net.ipv4.tcp_syncookies at 1: then a full queue turns nobody away",
			}
		},
	}
}
