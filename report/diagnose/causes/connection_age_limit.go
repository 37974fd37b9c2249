package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// connectionAgeLimit: connections are closed at a fixed age, even with a request in flight.
func connectionAgeLimit() inquiry.Rule {
	return inquiry.Rule{
		Cause: "connection-age-limit", Mechanism: report.MechanismPolicy, Anywhere: true,
		Any:    []evidence.Clue{evidence.SteadyAge},
		Proof:  []evidence.Clue{evidence.SteadyAge},
		Unless: []evidence.Clue{evidence.DiedWithFaults, evidence.AtOnce},
		Weights: []inquiry.Weight{
			{Clue: evidence.SteadyAge, Yes: inquiry.Proves, No: inquiry.Opposite(inquiry.Proves)},
			{Clue: evidence.ConstantShare, Yes: inquiry.Weak, No: 0},
			{Clue: evidence.IdleGap, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.DiedWithFaults, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
		},
		Tells: map[inquiry.Experiment]inquiry.Outcome{inquiry.Fresh: inquiry.Goes},
		Says:  "connections are ended at a fixed age, also under requests",
		Advice: func(_ *inquiry.Investigation, _ *inquiry.Hypothesis) []string {
			return []string{"let whoever ends them announce it first (Connection: close, GOAWAY) and wait for what is in flight; let clients renew connections before that age"}
		},
	}
}
