package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// timeoutTooShort: a proxy gives up what the service behind it answers a while later, at any
// load: the one's patience does not fit the other's work.
func timeoutTooShort() Rule {
	return Rule{
		Cause: "timeout-too-short", Leg: Proxy, Mechanism: report.MechanismPolicy,
		Any:    []evidence.Clue{evidence.AnswersLate},
		Proof:  []evidence.Clue{evidence.AnswersLate},
		Told:   []evidence.Clue{evidence.AnswersLate},
		Unless: []evidence.Clue{evidence.RisesWithLoad, evidence.LatencyFirst, evidence.Died},
		Weights: []weight{
			{evidence.AnswersLate, 2 * Proves, 0}, // each request that failed was answered, after it had been given up
			{evidence.RisesWithLoad, Opposite(2 * Proves), 0},
			{evidence.LatencyFirst, Opposite(Strong), 0},
		},
		tells: map[Experiment]Outcome{HalfRate: Stays, HalfConcurrency: Stays},
		Says:  "it gives up requests that the next hop goes on to answer",
		advice: func(c *Investigation, h *Hypothesis) []string {
			return []string{
				"give it more patience than " + c.nextPlace(h) + " needs for these requests (proxy_read_timeout, timeout server), or make them quicker",
				"beware: what it gave up was done all the same, so whoever tries again does it twice",
			}
		},
	}
}
