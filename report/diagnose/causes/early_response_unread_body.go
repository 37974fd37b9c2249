package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// earlyResponseUnreadBody: the server answered before it had read the request's body, and closed.
func earlyResponseUnreadBody() inquiry.Rule {
	return inquiry.Rule{
		Cause: "early-response-unread-body", Mechanism: report.MechanismBug, Any: []evidence.Clue{evidence.UnreadThroughout, evidence.InWrite, evidence.EarlyStatus},
		Proof: []evidence.Clue{evidence.UnreadThroughout, evidence.InWrite, evidence.EarlyStatus},
		Never: []evidence.Clue{evidence.Unbroken},
		// A service that answers early lets nobody wait.
		Unless: []evidence.Clue{evidence.GatewayTimeout, evidence.WaitedInVain},
		Weights: []inquiry.Weight{
			{Clue: evidence.BigRequests, Yes: inquiry.Strong, No: 0},
			{Clue: evidence.UnreadThroughout, Yes: inquiry.Strong, No: 0},
			{Clue: evidence.InWrite, Yes: 2.5, No: -1.5},
			{Clue: evidence.EarlyStatus, Yes: 3, No: -2},
			{Clue: evidence.SentUnread, Yes: 1.5, No: -2},
			{Clue: evidence.ConstantShare, Yes: 1, No: -0.5},
			{Clue: evidence.SentNone, Yes: -4, No: 0},
			{Clue: evidence.IdleGap, Yes: -3, No: 0},
			{Clue: evidence.DescriptorsFull, Yes: -2, No: 0},
			{Clue: evidence.DiedWithFaults, Yes: -3, No: 0},
			{Clue: evidence.ReusedOnly, Yes: -0.5, No: 0},
			{Clue: evidence.LatencyFirst, Yes: -1, No: 0},
		},
		Instead: map[evidence.Clue][]evidence.Clue{evidence.UnreadThroughout: {evidence.EarlyStatus, evidence.InWrite}},
		Tells:   map[inquiry.Experiment]inquiry.Outcome{inquiry.Small: inquiry.Goes, inquiry.Large: inquiry.Stays, inquiry.HalfRate: inquiry.Stays, inquiry.HalfConcurrency: inquiry.Stays},
		Says:    "the server answered before it had read the request's body, and closed",
		Advice: func(_ *inquiry.Investigation, _ *inquiry.Hypothesis) []string {
			return []string{"read or drain the request's body before closing (nginx: lingering_close), or answer Expect: 100-continue before the body is sent", "check the limit on body size (client_max_body_size) against what callers send"}
		},
	}
}
