package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
	"github.com/rampload/rampload/report/diagnose/words"
)

// denyRule: a hop refuses requests by a rule of its own, while the hops behind it are well: a
// maintenance page, a blocked path, address or method, a route that leads nowhere.
func denyRule() inquiry.Rule {
	return inquiry.Rule{
		Cause: "deny-rule", Mechanism: report.MechanismPolicy,
		Any:   []evidence.Clue{evidence.DeniesItself, evidence.KeptAnswer},
		Proof: []evidence.Clue{evidence.DeniesItself, evidence.KeptAnswer},
		Told:  []evidence.Clue{evidence.DeniesItself, evidence.KeptAnswer},
		// Rules about a rate, a size or credentials are causes of their own, and a limit lets some
		// requests pass. A hop without a free port or descriptor cannot ask the next one.
		Unless: []evidence.Clue{evidence.RateStatus, evidence.Unauthorized, evidence.TooLarge, evidence.SteadyRate, evidence.ExcessFails, evidence.RetryAsked, evidence.TroubleBefore, evidence.Reloaded, evidence.AddressStale, evidence.PortsFull, evidence.DescriptorsFull, evidence.UnreadBehind},
		// A 500 is a failure of the hop, and no rule.
		Never: []evidence.Clue{evidence.OwnError, evidence.SomeResets, evidence.SomeEOF, evidence.SomeRefused, evidence.SomeTimeouts},
		Weights: []inquiry.Weight{
			{Clue: evidence.DeniesItself, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.KeptAnswer, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.NoTrouble, Yes: inquiry.Strong, No: 0},
			{Clue: evidence.TroubleBefore, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.Reloaded, Yes: inquiry.Opposite(inquiry.Strong), No: 0}, // its configuration or version was changed just then
			{Clue: evidence.PortsFull, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.DescriptorsFull, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.LatencyFirst, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
		},
		Tells: map[inquiry.Experiment]inquiry.Outcome{inquiry.HalfRate: inquiry.Stays, inquiry.HalfConcurrency: inquiry.Stays, inquiry.Fresh: inquiry.Stays, inquiry.AroundProxy: inquiry.Goes},
		Says:  "it answers by a rule of its own for those behind it, which are well: maintenance, a blocked path, a route that leads nowhere, an error that its cache keeps",
		Advice: func(c *inquiry.Investigation, h *inquiry.Hypothesis) []string {
			if h.Hop.Index < len(c.Facts) && c.Facts[h.Hop.Index][evidence.KeptAnswer].Is == evidence.Yes {
				return []string{
					"empty the cache of " + words.OrThe(h.Hop.Process()) + " on " + h.Hop.Host + ", or let what it keeps of errors expire",
					"keep errors for a moment at most (nginx: proxy_cache_valid for the statuses that are meant, Varnish: beresp.ttl of errors), and not as long as answers",
				}
			}
			return []string{
				"look at which rule of " + words.OrThe(h.Hop.Process()) + " on " + h.Hop.Host + " matches these requests: a maintenance switch, a location or route, a list of paths, addresses or methods",
				"if nobody meant it, take back what was changed there at that time",
			}
		},
	}
}
