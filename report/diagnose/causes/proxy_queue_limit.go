package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// proxyQueueLimit: requests waited in the proxy's queue for a place at the upstream until they timed out.
func proxyQueueLimit() inquiry.Rule {
	return inquiry.Rule{
		Cause: "proxy-queue-limit", Mechanism: report.MechanismExhausted, Leg: inquiry.Proxy, Any: []evidence.Clue{evidence.ShedStatus, evidence.GatewayTimeout, evidence.QueueTimeout, evidence.ProxyPooled, evidence.SaysQueue},
		Waits:  true,
		Proof:  []evidence.Clue{evidence.QueueTimeout, evidence.UpstreamIdle, evidence.ShedStatus, evidence.ProxyPooled, evidence.SaysQueue},
		Never:  []evidence.Clue{evidence.NothingWaited, evidence.StandsUnreached}, // the proxy waits for a connection to come up, and not for a place
		Unless: []evidence.Clue{evidence.PortsFull, evidence.GoneAway, evidence.StreamResets},
		Weights: []inquiry.Weight{
			{Clue: evidence.ProxyPooled, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.SaysQueue, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.WroteStatus, Yes: 0, No: inquiry.Opposite(inquiry.Proves)}, // a status that it passed on was not made by its queue
			{Clue: evidence.SaysAway, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.SaysFull, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.QueueTimeout, Yes: 2.5, No: -0.5},
			{Clue: evidence.LatencyFirst, Yes: 1, No: -0.5},
			{Clue: evidence.HeldOff, Yes: -4, No: 0},
			{Clue: evidence.PassedOn, Yes: -3, No: 2},
			{Clue: evidence.ShedStatus, Yes: 2, No: -1},
			{Clue: evidence.GatewayTimeout, Yes: -2, No: 0},
			{Clue: evidence.RisesWithLoad, Yes: 1, No: -2},
			{Clue: evidence.ExcessFails, Yes: 1, No: -1},
			{Clue: evidence.UpstreamIdle, Yes: 1.5, No: -2},
			{Clue: evidence.Died, Yes: -2, No: 0.3},
		},
		Tells: map[inquiry.Experiment]inquiry.Outcome{inquiry.HalfConcurrency: inquiry.Goes},
		Says:  "the proxy let requests wait for the upstream until they timed out",
		Advice: func(_ *inquiry.Investigation, _ *inquiry.Hypothesis) []string {
			return []string{"raise the proxy's limit of connections to the upstream, which had room, or its queue timeout"}
		},
	}
}
