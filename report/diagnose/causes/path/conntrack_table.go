package path

import (
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// conntrackTable: the connection tracking table was full.
func conntrackTable() inquiry.Rule {
	return inquiry.Rule{
		Cause: "conntrack-table", Mechanism: report.MechanismExhausted, Leg: inquiry.Path, Gauges: []string{probe.Conntrack}, Counters: []string{probe.ConntrackDrop, probe.ConntrackInsertFail},
		ProvenBy: inquiry.RanOut, Proof: []evidence.Clue{evidence.TrackingDropped, evidence.SaysTracking}, Told: []evidence.Clue{evidence.TrackingDropped, evidence.SaysTracking}, Elsewhere: []evidence.Clue{evidence.TrackingDropped},
		Never: []evidence.Clue{evidence.Answered, evidence.CertificateRefused},
		Weights: []inquiry.Weight{
			{Clue: evidence.TrackingDropped, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.StandsNewOnly, Yes: inquiry.Strong, No: 0},
			{Clue: evidence.SaysTracking, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.InsertFailed, Yes: inquiry.Opposite(inquiry.Proves), No: 0}, // the table had room, but no free tuple: see nat-ports
			{Clue: evidence.FilterDropped, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.Vanished, Yes: 1, No: -2},
			{Clue: evidence.Unserved, Yes: -1, No: 0.7},
			{Clue: evidence.ConstantShare, Yes: -2, No: 0},
			{Clue: evidence.ConntrackFull, Yes: 1, No: -5},
			{Clue: evidence.InDial, Yes: 1.5, No: -1.5},
			{Clue: evidence.SynsLost, Yes: 1.5, No: -1},
			{Clue: evidence.SomeTimeouts, Yes: 1, No: -2},
			{Clue: evidence.Overflowed, Yes: -2, No: 0},
			{Clue: evidence.DescriptorsFull, Yes: -2, No: 0},
			{Clue: evidence.SentUnread, Yes: -3, No: 0},
			{Clue: evidence.DiedWithFaults, Yes: -3, No: 0},
		},
		Tells: map[inquiry.Experiment]inquiry.Outcome{inquiry.Kept: inquiry.Goes, inquiry.Fresh: inquiry.Stays, inquiry.TwoSources: inquiry.Stays},
		Says:  "the connection table was full",
		Advice: func(c *inquiry.Investigation, h *inquiry.Hypothesis) []string {
			return c.ConntrackAdvice(h)
		},
	}
}
