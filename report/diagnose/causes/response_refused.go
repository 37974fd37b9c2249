package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// responseRefused: a proxy does not take what it is answered.
func responseRefused() Rule {
	return Rule{
		Cause: "response-refused", Mechanism: report.MechanismPolicy, Leg: Proxy,
		Any:    []evidence.Clue{evidence.RefusesAnswer},
		Proof:  []evidence.Clue{evidence.RefusesAnswer},
		Told:   []evidence.Clue{evidence.RefusesAnswer},
		Unless: []evidence.Clue{evidence.TurnedAway},
		Weights: []weight{
			{evidence.RefusesAnswer, Proves, 0},
			{evidence.Died, Opposite(Strong), 0},
		},
		Says: "it did not take what it was answered, and ended the connection itself",
		advice: func(c *Investigation, h *Hypothesis) []string {
			return []string{
				"read the error log of the proxy for what it did not accept in the answers of " + c.nextPlace(h) + ": a header beyond its buffer (nginx: proxy_buffer_size), a malformed or too long response, a certificate",
				"compare an answer to a request that fails with one that is served, asked of " + c.nextPlace(h) + " directly",
			}
		},
	}
}
