package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// shortResponse: a response has fewer bytes than its header announces.
func shortResponse() inquiry.Rule {
	return inquiry.Rule{
		Cause: "short-response", Mechanism: report.MechanismBug,
		Any:    []evidence.Clue{evidence.ShortBody, evidence.SaysShort},
		Must:   []evidence.Clue{evidence.InBody},
		Anyway: []evidence.Clue{evidence.SaysShort},
		Proof:  []evidence.Clue{evidence.ShortBody, evidence.SaysShort},
		Told:   []evidence.Clue{evidence.SaysShort},
		Never:  []evidence.Clue{evidence.GapUnfilled, evidence.RefusedAll, evidence.BodiesDelayed},
		Weights: []inquiry.Weight{
			{Clue: evidence.ShortBody, Yes: inquiry.Proves, No: inquiry.Opposite(inquiry.Proves)},
			{Clue: evidence.SaysShort, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.InBody, Yes: inquiry.Weak, No: 0},
			{Clue: evidence.Retransmitted, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.RetransBegan, Yes: inquiry.Opposite(inquiry.Strong), No: 0}, // the bytes were sent, and lost on the way
			{Clue: evidence.TooBigDropped, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.FilterDropped, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.StandsBetween, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.StillComing, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.DiedWithFaults, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
		},
		Tells: map[inquiry.Experiment]inquiry.Outcome{inquiry.HalfRate: inquiry.Stays, inquiry.HalfConcurrency: inquiry.Stays},
		Says:  "responses announce a length that they never bring",
		Advice: func(_ *inquiry.Investigation, _ *inquiry.Hypothesis) []string {
			return []string{
				"compare the length that the service announces (Content-Length) with what it writes: a length of the text before it was encoded or compressed, a file that was cut meanwhile, a filter that changes the body",
			}
		},
	}
}
