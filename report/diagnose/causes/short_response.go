package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// shortResponse: a response announces more than it brings.
func shortResponse() rule {
	return rule{
		cause: "short-response", mechanism: report.MechanismBug,
		any:    []evidence.Clue{evidence.ShortBody, evidence.SaysShort},
		must:   []evidence.Clue{evidence.InBody},
		anyway: []evidence.Clue{evidence.SaysShort},
		proof:  []evidence.Clue{evidence.ShortBody, evidence.SaysShort},
		told:   []evidence.Clue{evidence.SaysShort},
		never:  []evidence.Clue{evidence.GapUnfilled, evidence.RefusedAll},
		weights: []weight{
			{evidence.ShortBody, proves, opposite(proves)},
			{evidence.SaysShort, proves, 0},
			{evidence.InBody, weak, 0},
			{evidence.Retransmitted, opposite(strong), 0},
			{evidence.StillComing, opposite(strong), 0},
			{evidence.DiedWithFaults, opposite(strong), 0},
		},
		tells: map[Experiment]Outcome{HalfRate: Stays, HalfConcurrency: Stays},
		says:  "responses announce a length that they never bring",
		advice: func(_ *Investigation, _ *hypothesis) []string {
			return []string{
				"compare the length that the service announces (Content-Length) with what it writes: a length of the text before it was encoded or compressed, a file that was cut meanwhile, a filter that changes the body",
			}
		},
	}
}
