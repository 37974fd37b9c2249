package causes

import (
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// bandwidthSendTimeout: the link was full, and the server gave responses up half sent.
func bandwidthSendTimeout() inquiry.Rule {
	return inquiry.Rule{
		Cause: "bandwidth-send-timeout", Mechanism: report.MechanismExhausted, Counters: []string{probe.QdiscDrops}, Gauges: []string{probe.NetSent},
		Any: []evidence.Clue{evidence.InBody, evidence.SlowRequest}, Elsewhere: []evidence.Clue{evidence.SlowRequest, evidence.StillComing},
		ProvenBy: inquiry.RanOut,
		Proof:    []evidence.Clue{evidence.StillComing, evidence.SlowRequest, evidence.SlowBody},
		Weights: []inquiry.Weight{
			{Clue: evidence.Queued, Yes: 1, No: 0},
			{Clue: evidence.SlowRequest, Yes: 2.5, No: 0},
			{Clue: evidence.StillComing, Yes: 2.5, No: 0},
			{Clue: evidence.SlowBody, Yes: 1.5, No: -1.5},
			{Clue: evidence.InBody, Yes: 2, No: -3},
			{Clue: evidence.SentLinger, Yes: 1, No: 0},
			{Clue: evidence.RisesWithLoad, Yes: 1, No: -1},
			{Clue: evidence.LatencyFirst, Yes: 1, No: -1},
			{Clue: evidence.Retransmitted, Yes: 0.5, No: 0},
			{Clue: evidence.LostRetransmits, Yes: -2, No: 0.3},
		},
		Instead: map[evidence.Clue][]evidence.Clue{evidence.SlowRequest: {evidence.InBody}},
		Tells:   map[inquiry.Experiment]inquiry.Outcome{inquiry.Small: inquiry.Goes, inquiry.HalfRate: inquiry.Goes, inquiry.Large: inquiry.Stays},
		Says:    "the link was full and responses were given up half sent",
		Advice: func(_ *inquiry.Investigation, _ *inquiry.Hypothesis) []string {
			return []string{"widen the link or make responses smaller (compression, paging)", "raise the server's send timeout above the time that a response takes on a full link"}
		},
	}
}
