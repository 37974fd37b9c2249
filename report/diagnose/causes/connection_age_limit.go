package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// connectionAgeLimit: connections are ended at an age, also under requests.
func connectionAgeLimit() Rule {
	return Rule{
		Cause: "connection-age-limit", Mechanism: report.MechanismPolicy, Anywhere: true,
		Any:    []evidence.Clue{evidence.SteadyAge},
		Proof:  []evidence.Clue{evidence.SteadyAge},
		Unless: []evidence.Clue{evidence.DiedWithFaults, evidence.AtOnce},
		Weights: []weight{
			{evidence.SteadyAge, Proves, Opposite(Proves)},
			{evidence.ConstantShare, weak, 0},
			{evidence.IdleGap, Opposite(Strong), 0},
			{evidence.DiedWithFaults, Opposite(Strong), 0},
		},
		tells: map[Experiment]Outcome{Fresh: Goes},
		Says:  "connections are ended at a fixed age, also under requests",
		advice: func(_ *Investigation, _ *Hypothesis) []string {
			return []string{
				"let whoever ends them announce it first (Connection: close, GOAWAY) and wait for what is in flight; let clients renew connections before that age",
			}
		},
	}
}
