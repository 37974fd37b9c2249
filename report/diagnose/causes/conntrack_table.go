package causes

import (
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// conntrackTable: the connection table was full.
func conntrackTable() rule {
	return rule{
		cause: "conntrack-table", mechanism: report.MechanismExhausted, leg: path, gauges: []string{probe.Conntrack}, counters: []string{probe.ConntrackDrop, probe.ConntrackInsertFail},
		provenBy: ranOut, proof: []evidence.Clue{evidence.TrackingDropped, evidence.SaysTracking}, told: []evidence.Clue{evidence.TrackingDropped, evidence.SaysTracking}, elsewhere: []evidence.Clue{evidence.TrackingDropped},
		never: []evidence.Clue{evidence.Answered, evidence.CertificateRefused},
		weights: []weight{
			{evidence.TrackingDropped, proves, 0},
			{evidence.SaysTracking, proves, 0},
			{evidence.FilterDropped, opposite(strong), 0},
			{evidence.Vanished, 1, -2},
			{evidence.Unserved, -1, 0.7},
			{evidence.ConstantShare, -2, 0},
			{evidence.ConntrackFull, 1, -5},
			{evidence.InDial, 1.5, -1.5},
			{evidence.SynsLost, 1.5, -1},
			{evidence.SomeTimeouts, 1, -2},
			{evidence.Overflowed, -2, 0},
			{evidence.DescriptorsFull, -2, 0},
			{evidence.SentUnread, -3, 0},
			{evidence.DiedWithFaults, -3, 0},
		},
		tells: map[Experiment]Outcome{Kept: Goes, Fresh: Stays, TwoSources: Stays},
		says:  "the connection table was full",
		advice: func(c *Investigation, h *hypothesis) []string {
			return c.conntrackAdvice(h)
		},
	}
}
