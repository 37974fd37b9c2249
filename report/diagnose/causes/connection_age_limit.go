package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// connectionAgeLimit: connections are ended at an age, also under requests.
func connectionAgeLimit() rule {
	return rule{
		cause: "connection-age-limit", mechanism: report.MechanismPolicy, anywhere: true,
		any:    []evidence.Clue{evidence.SteadyAge},
		proof:  []evidence.Clue{evidence.SteadyAge},
		unless: []evidence.Clue{evidence.DiedWithFaults, evidence.AtOnce},
		weights: []weight{
			{evidence.SteadyAge, proves, opposite(proves)},
			{evidence.ConstantShare, weak, 0},
			{evidence.IdleGap, opposite(strong), 0},
			{evidence.DiedWithFaults, opposite(strong), 0},
		},
		tells: map[Experiment]Outcome{Fresh: Goes},
		says:  "connections are ended at a fixed age, also under requests",
		advice: func(_ *Investigation, _ *hypothesis) []string {
			return []string{
				"let whoever ends them announce it first (Connection: close, GOAWAY) and wait for what is in flight; let clients renew connections before that age",
			}
		},
	}
}
