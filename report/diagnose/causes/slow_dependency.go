package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// slowDependency: a dependency answers late, and nothing that was seen there says why.
func slowDependency() inquiry.Rule {
	return inquiry.Rule{
		Cause: "slow-dependency", Mechanism: report.MechanismSlow, Behind: true, Waits: true,
		Any:   []evidence.Clue{evidence.LateOut, evidence.StandsUnwatched, evidence.StandsInside, evidence.StandsStuck, evidence.SaysLate, evidence.SaysSlow},
		Proof: []evidence.Clue{evidence.LateOut, evidence.StandsUnwatched, evidence.AskedByService, evidence.SaysLate}, // Proof needs one of these: an application that is late may wait for something else
		Told:  []evidence.Clue{evidence.LateOut, evidence.StandsUnwatched, evidence.SaysLate},
		// A service is not late with requests that did not reach it, or not completely. Sessions that
		// say they wait for locks are a cause of their own.
		Never:  []evidence.Clue{evidence.StandsDelayed, evidence.StandsUnreached, evidence.StandsNewOnly, evidence.Unanswered, evidence.CallersSend, evidence.SaysLocked},
		Unless: []evidence.Clue{evidence.StandsStuck},
		Weights: []inquiry.Weight{
			{Clue: evidence.LateOut, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.SaysLate, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.SaysSlow, Yes: inquiry.Strong, No: 0},
			{Clue: evidence.EndedBeside, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.StandsUnwatched, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.StandsInside, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.StandsStuck, Yes: inquiry.Strong, No: 0},
			{Clue: evidence.SaysUnreached, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.Died, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.RetransBegan, Yes: inquiry.Opposite(inquiry.Strong), No: 0}, // its answers are lost on the way, and sent again
		},
		Instead: map[evidence.Clue][]evidence.Clue{evidence.StandsInside: {evidence.SaysSlow}, evidence.StandsStuck: {evidence.SaysSlow}, evidence.StandsUnwatched: {evidence.SaysSlow}},
		Says:    "it answers late, and those before it wait for that",
		Advice: func(_ *inquiry.Investigation, h *inquiry.Hypothesis) []string {
			where := "it"
			if h.Hop.Station != nil {
				where = h.Hop.Station.Text()
			}
			return []string{
				"look into " + where + ": its own log of slow requests, what it asks in turn, locks; watch its host as well (hosts:) where nobody does",
				"give calls to it a deadline below your callers', and a bound on how many wait for it at once",
			}
		},
	}
}
