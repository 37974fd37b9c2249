package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// markedDown: a proxy considers the servers behind it down, and does not ask them any more.
func markedDown() inquiry.Rule {
	r := outOfUse("marked-down")
	r.Leg = inquiry.Proxy
	r.Never = append(r.Never, evidence.OwnError) // a proxy without a server to ask answers 502, 503 or 504
	r.Says = "it has marked what stands behind it as down and answers for it, though that lives and takes connections: it does not try"
	r.Advice = func(c *inquiry.Investigation, h *inquiry.Hypothesis) []string {
		return []string{
			"look at what makes it mark " + nextPlace(c, h) + " as down, and for how long (haproxy: check, fall, rise; nginx: max_fails, fail_timeout; Apache: retry, failonstatus; Envoy: outlier_detection)",
			"let health checks have a way of their own, that does not wait behind requests, and a timeout above the time of answers at the highest load",
		}
	}
	return r
}

// circuitOpen: the circuit breaker of a service is open: it does not ask another service for a while.
func circuitOpen() inquiry.Rule {
	r := outOfUse("circuit-open")
	// A breaker opens because of errors behind it. It does not explain connections that the service closes.
	r.Never = append(r.Never, evidence.InnerMatch)
	r.Weights = append(r.Weights, inquiry.Weight{Clue: evidence.NoTrouble, Yes: inquiry.Opposite(inquiry.Strong), No: 0})
	r.Says = "it has stopped asking what stands behind it for a while, and answers with errors itself: a circuit breaker"
	r.Advice = func(c *inquiry.Investigation, h *inquiry.Hypothesis) []string {
		return []string{
			"look at when its circuit breaker opens and for how long, and whether " + nextPlace(c, h) + " was well again long before",
			"let a breaker try single requests again soon (half open), and count failures as a share of many",
		}
	}
	return r
}

// outOfUse is what both have in common: requests fail at a hop that did not ask the next one,
// though that lives.
func outOfUse(cause string) inquiry.Rule {
	return inquiry.Rule{
		Cause: cause, Mechanism: report.MechanismPolicy,
		Any:   []evidence.Clue{evidence.OutOfUse},
		Proof: []evidence.Clue{evidence.TroubleBefore},
		Told:  []evidence.Clue{evidence.TroubleBefore},
		// The next hop fails when it is asked: then it is the cause, and not being asked is the consequence.
		Unless: []evidence.Clue{evidence.TroubleLasts, evidence.PortsFull, evidence.DescriptorsFull},
		Never:  []evidence.Clue{evidence.TriedInVain, evidence.RateStatus, evidence.Unauthorized, evidence.TooLarge, evidence.RetryAsked},
		Weights: []inquiry.Weight{
			{Clue: evidence.OutOfUse, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.TroubleBefore, Yes: inquiry.Strong, No: inquiry.Opposite(inquiry.Weak)},
			{Clue: evidence.TroubleLasts, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.MarkedDown, Yes: inquiry.Weak, No: 0},
			{Clue: evidence.DeniesItself, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.GoneForGood, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
		},
	}
}

// nextPlace names the hop behind that of a hypothesis.
func nextPlace(c *inquiry.Investigation, h *inquiry.Hypothesis) string {
	if i := h.Hop.Index + 1; i < len(c.Hops) && c.Hops[i].Station != nil {
		return c.Hops[i].Place()
	}
	return "what stands behind it"
}
