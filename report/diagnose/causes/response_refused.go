package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// responseRefused: a proxy does not accept the response of the server behind it.
func responseRefused() inquiry.Rule {
	return inquiry.Rule{
		Cause: "response-refused", Mechanism: report.MechanismPolicy, Leg: inquiry.Proxy,
		Any:    []evidence.Clue{evidence.RefusesAnswer, evidence.SaysBadAnswer},
		Proof:  []evidence.Clue{evidence.RefusesAnswer, evidence.SaysBadAnswer},
		Told:   []evidence.Clue{evidence.RefusesAnswer, evidence.SaysBadAnswer},
		Unless: []evidence.Clue{evidence.TurnedAway},
		Weights: []inquiry.Weight{
			{Clue: evidence.RefusesAnswer, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.SaysBadAnswer, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.Died, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
		},
		Says: "it did not take what it was answered, and ended the connection itself",
		Advice: func(c *inquiry.Investigation, h *inquiry.Hypothesis) []string {
			return []string{
				"read the error log of the proxy for what it did not accept in the answers of " + nextPlace(c, h) + ": a header beyond its buffer (nginx: proxy_buffer_size), a malformed or too long response, a certificate",
				"compare an answer to a request that fails with one that is served, asked of " + nextPlace(c, h) + " directly",
			}
		},
	}
}
