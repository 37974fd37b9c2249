package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// earlyResponseUnreadBody: the server answered before it had read the request's body, and closed.
func earlyResponseUnreadBody() Rule {
	return Rule{
		Cause: "early-response-unread-body", Mechanism: report.MechanismBug, Any: []evidence.Clue{evidence.UnreadThroughout, evidence.InWrite, evidence.EarlyStatus},
		Proof: []evidence.Clue{evidence.UnreadThroughout, evidence.InWrite, evidence.EarlyStatus},
		Never: []evidence.Clue{evidence.Unbroken},
		Weights: []weight{
			{evidence.BigRequests, Strong, 0},
			{evidence.UnreadThroughout, Strong, 0},
			{evidence.InWrite, 2.5, -1.5},
			{evidence.EarlyStatus, 3, -2},
			{evidence.SentUnread, 1.5, -2},
			{evidence.ConstantShare, 1, -0.5},
			{evidence.SentNone, -4, 0},
			{evidence.IdleGap, -3, 0},
			{evidence.DescriptorsFull, -2, 0},
			{evidence.DiedWithFaults, -3, 0},
			{evidence.ReusedOnly, -0.5, 0},
			{evidence.LatencyFirst, -1, 0},
		},
		Instead: map[evidence.Clue][]evidence.Clue{evidence.UnreadThroughout: {evidence.EarlyStatus, evidence.InWrite}},
		tells:   map[Experiment]Outcome{Small: Goes, Large: Stays, HalfRate: Stays, HalfConcurrency: Stays},
		Says:    "the server answered before it had read the request's body, and closed",
		advice: func(_ *Investigation, _ *Hypothesis) []string {
			return []string{"read or drain the request's body before closing (nginx: lingering_close), or answer Expect: 100-continue before the body is sent", "check the limit on body size (client_max_body_size) against what callers send"}
		},
	}
}
