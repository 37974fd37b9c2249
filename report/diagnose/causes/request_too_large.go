package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// requestTooLarge: requests above a size are refused.
func requestTooLarge() inquiry.Rule {
	return inquiry.Rule{
		Cause: "request-too-large", Mechanism: report.MechanismPolicy,
		Any:   []evidence.Clue{evidence.TooLarge, evidence.SaysBig, evidence.BigRequests},
		Must:  []evidence.Clue{evidence.Unbroken, evidence.Answered},
		Proof: []evidence.Clue{evidence.TooLarge, evidence.SaysBig, evidence.BigRequests},
		Told:  []evidence.Clue{evidence.SaysBig},
		// A service that answers 500 failed and did not refuse. Requests that write are larger than
		// those that read, so that where writing fails, the failures part by size as well.
		Unless:  []evidence.Clue{evidence.OwnError},
		Despite: map[evidence.Clue][]evidence.Clue{evidence.TooLarge: {evidence.OwnError}, evidence.SaysBig: {evidence.OwnError}},
		Weights: []inquiry.Weight{
			{Clue: evidence.TooLarge, Yes: inquiry.Proves, No: inquiry.Opposite(inquiry.Weak)},
			{Clue: evidence.SaysBig, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.BigRequests, Yes: inquiry.Strong, No: inquiry.Opposite(inquiry.Weak)},
			{Clue: evidence.OwnError, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.BadGateway, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.RateStatus, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.Unauthorized, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.ConstantShare, Yes: inquiry.Weak, No: 0},
		},
		Tells: map[inquiry.Experiment]inquiry.Outcome{inquiry.Small: inquiry.Goes, inquiry.Large: inquiry.Stays, inquiry.HalfRate: inquiry.Stays, inquiry.HalfConcurrency: inquiry.Stays},
		Says:  "requests above a size are turned away",
		Advice: func(_ *inquiry.Investigation, _ *inquiry.Hypothesis) []string {
			return []string{"raise the limit on the size of requests where it is set (nginx: client_max_body_size, large_client_header_buffers), or send smaller ones"}
		},
	}
}
