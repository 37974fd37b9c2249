package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// shortResponse: a response announces more than it brings.
func shortResponse() Rule {
	return Rule{
		Cause: "short-response", Mechanism: report.MechanismBug,
		Any:    []evidence.Clue{evidence.ShortBody, evidence.SaysShort},
		Must:   []evidence.Clue{evidence.InBody},
		Anyway: []evidence.Clue{evidence.SaysShort},
		Proof:  []evidence.Clue{evidence.ShortBody, evidence.SaysShort},
		Told:   []evidence.Clue{evidence.SaysShort},
		Never:  []evidence.Clue{evidence.GapUnfilled, evidence.RefusedAll},
		Weights: []weight{
			{evidence.ShortBody, Proves, Opposite(Proves)},
			{evidence.SaysShort, Proves, 0},
			{evidence.InBody, weak, 0},
			{evidence.Retransmitted, Opposite(Strong), 0},
			{evidence.StillComing, Opposite(Strong), 0},
			{evidence.DiedWithFaults, Opposite(Strong), 0},
		},
		tells: map[Experiment]Outcome{HalfRate: Stays, HalfConcurrency: Stays},
		Says:  "responses announce a length that they never bring",
		advice: func(_ *Investigation, _ *Hypothesis) []string {
			return []string{
				"compare the length that the service announces (Content-Length) with what it writes: a length of the text before it was encoded or compressed, a file that was cut meanwhile, a filter that changes the body",
			}
		},
	}
}
