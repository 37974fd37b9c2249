package causes

import (
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// conntrackTable: the connection table was full.
func conntrackTable() Rule {
	return Rule{
		Cause: "conntrack-table", Mechanism: report.MechanismExhausted, Leg: Path, Gauges: []string{probe.Conntrack}, Counters: []string{probe.ConntrackDrop, probe.ConntrackInsertFail},
		ProvenBy: RanOut, Proof: []evidence.Clue{evidence.TrackingDropped, evidence.SaysTracking}, Told: []evidence.Clue{evidence.TrackingDropped, evidence.SaysTracking}, Elsewhere: []evidence.Clue{evidence.TrackingDropped},
		Never: []evidence.Clue{evidence.Answered, evidence.CertificateRefused},
		Weights: []weight{
			{evidence.TrackingDropped, Proves, 0},
			{evidence.SaysTracking, Proves, 0},
			{evidence.FilterDropped, Opposite(Strong), 0},
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
		Says:  "the connection table was full",
		advice: func(c *Investigation, h *Hypothesis) []string {
			return c.ConntrackAdvice(h)
		},
	}
}
