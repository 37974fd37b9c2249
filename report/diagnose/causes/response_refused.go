package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// responseRefused: a proxy does not take what it is answered.
func responseRefused() rule {
	return rule{
		cause: "response-refused", mechanism: report.MechanismPolicy, leg: proxy,
		any:    []evidence.Clue{evidence.RefusesAnswer},
		proof:  []evidence.Clue{evidence.RefusesAnswer},
		told:   []evidence.Clue{evidence.RefusesAnswer},
		unless: []evidence.Clue{evidence.TurnedAway},
		weights: []weight{
			{evidence.RefusesAnswer, proves, 0},
			{evidence.Died, opposite(strong), 0},
		},
		says: "it did not take what it was answered, and ended the connection itself",
		advice: func(c *Investigation, h *hypothesis) []string {
			return []string{
				"read the error log of the proxy for what it did not accept in the answers of " + c.nextPlace(h) + ": a header beyond its buffer (nginx: proxy_buffer_size), a malformed or too long response, a certificate",
				"compare an answer to a request that fails with one that is served, asked of " + c.nextPlace(h) + " directly",
			}
		},
	}
}
