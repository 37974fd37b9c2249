package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// requestTooLarge: requests above a size are refused.
func requestTooLarge() Rule {
	return Rule{
		Cause: "request-too-large", Mechanism: report.MechanismPolicy,
		Any:   []evidence.Clue{evidence.TooLarge, evidence.SaysBig, evidence.BigRequests},
		Must:  []evidence.Clue{evidence.Unbroken, evidence.Answered},
		Proof: []evidence.Clue{evidence.TooLarge, evidence.SaysBig, evidence.BigRequests},
		Told:  []evidence.Clue{evidence.SaysBig},
		Weights: []weight{
			{evidence.TooLarge, Proves, Opposite(weak)},
			{evidence.SaysBig, Proves, 0},
			{evidence.BigRequests, Strong, Opposite(weak)},
			{evidence.BadGateway, Opposite(Strong), 0},
			{evidence.RateStatus, Opposite(Proves), 0},
			{evidence.Unauthorized, Opposite(Proves), 0},
			{evidence.ConstantShare, weak, 0},
		},
		tells: map[Experiment]Outcome{Small: Goes, Large: Stays, HalfRate: Stays, HalfConcurrency: Stays},
		Says:  "requests above a size are turned away",
		advice: func(_ *Investigation, _ *Hypothesis) []string {
			return []string{
				"raise the limit on the size of requests where it is set (nginx: client_max_body_size, large_client_header_buffers), or send smaller ones",
			}
		},
	}
}
