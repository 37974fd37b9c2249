package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// timeoutTooShort: a proxy's timeout is shorter than the time that the service behind it needs, at
// any load. The service answers after the proxy has given up.
func timeoutTooShort() inquiry.Rule {
	return inquiry.Rule{
		Cause: "timeout-too-short", Leg: inquiry.Proxy, Mechanism: report.MechanismPolicy,
		Any:    []evidence.Clue{evidence.AnswersLate},
		Proof:  []evidence.Clue{evidence.AnswersLate},
		Told:   []evidence.Clue{evidence.AnswersLate},
		Unless: []evidence.Clue{evidence.RisesWithLoad, evidence.LatencyFirst, evidence.Died},
		Weights: []inquiry.Weight{
			{Clue: evidence.AnswersLate, Yes: 2 * inquiry.Proves, No: 0}, // each request that failed was answered after the proxy had given it up
			{Clue: evidence.RisesWithLoad, Yes: inquiry.Opposite(2 * inquiry.Proves), No: 0},
			{Clue: evidence.LatencyFirst, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
		},
		Tells: map[inquiry.Experiment]inquiry.Outcome{inquiry.HalfRate: inquiry.Stays, inquiry.HalfConcurrency: inquiry.Stays},
		Says:  "it gives up requests that the next hop goes on to answer",
		Advice: func(c *inquiry.Investigation, h *inquiry.Hypothesis) []string {
			return []string{
				"give it more patience than " + nextPlace(c, h) + " needs for these requests (proxy_read_timeout, timeout server), or make them quicker",
				"beware: what it gave up was done all the same, so whoever tries again does it twice",
			}
		},
	}
}
