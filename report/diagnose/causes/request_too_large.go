package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// requestTooLarge: requests above a size are refused.
func requestTooLarge() rule {
	return rule{
		cause: "request-too-large", mechanism: report.MechanismPolicy,
		any:   []evidence.Clue{evidence.TooLarge, evidence.SaysBig, evidence.BigRequests},
		must:  []evidence.Clue{evidence.Unbroken, evidence.Answered},
		proof: []evidence.Clue{evidence.TooLarge, evidence.SaysBig, evidence.BigRequests},
		told:  []evidence.Clue{evidence.SaysBig},
		weights: []weight{
			{evidence.TooLarge, proves, opposite(weak)},
			{evidence.SaysBig, proves, 0},
			{evidence.BigRequests, strong, opposite(weak)},
			{evidence.BadGateway, opposite(strong), 0},
			{evidence.RateStatus, opposite(proves), 0},
			{evidence.Unauthorized, opposite(proves), 0},
			{evidence.ConstantShare, weak, 0},
		},
		tells: map[Experiment]Outcome{Small: Goes, Large: Stays, HalfRate: Stays, HalfConcurrency: Stays},
		says:  "requests above a size are turned away",
		advice: func(_ *Investigation, _ *hypothesis) []string {
			return []string{
				"raise the limit on the size of requests where it is set (nginx: client_max_body_size, large_client_header_buffers), or send smaller ones",
			}
		},
	}
}
