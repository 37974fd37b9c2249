package causes

import (
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// bandwidthSendTimeout: the link was full and responses were given up half sent.
func bandwidthSendTimeout() Rule {
	return Rule{
		Cause: "bandwidth-send-timeout", Mechanism: report.MechanismExhausted, Counters: []string{probe.QdiscDrops}, Gauges: []string{probe.NetSent},
		Any: []evidence.Clue{evidence.InBody, evidence.SlowRequest}, Elsewhere: []evidence.Clue{evidence.SlowRequest, evidence.StillComing},
		ProvenBy: RanOut,
		Proof:    []evidence.Clue{evidence.StillComing, evidence.SlowRequest, evidence.SlowBody},
		Weights: []weight{
			{evidence.Queued, 1, 0},
			{evidence.SlowRequest, 2.5, 0},
			{evidence.StillComing, 2.5, 0},
			{evidence.SlowBody, 1.5, -1.5},
			{evidence.InBody, 2, -3},
			{evidence.SentLinger, 1, 0},
			{evidence.RisesWithLoad, 1, -1},
			{evidence.LatencyFirst, 1, -1},
			{evidence.Retransmitted, 0.5, 0},
			{evidence.LostRetransmits, -2, 0.3},
		},
		Instead: map[evidence.Clue][]evidence.Clue{evidence.SlowRequest: {evidence.InBody}},
		tells:   map[Experiment]Outcome{Small: Goes, HalfRate: Goes, Large: Stays},
		Says:    "the link was full and responses were given up half sent",
		advice: func(_ *Investigation, _ *Hypothesis) []string {
			return []string{"widen the link or make responses smaller (compression, paging)", "raise the server's send timeout above the time that a response takes on a full link"}
		},
	}
}
