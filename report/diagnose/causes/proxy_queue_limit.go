package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// proxyQueueLimit: the proxy let requests wait for the upstream until they timed out.
func proxyQueueLimit() Rule {
	return Rule{
		Cause: "proxy-queue-limit", Mechanism: report.MechanismExhausted, Leg: Proxy, Any: []evidence.Clue{evidence.ShedStatus, evidence.GatewayTimeout, evidence.QueueTimeout, evidence.ProxyPooled, evidence.SaysQueue},
		Waits:  true,
		Proof:  []evidence.Clue{evidence.QueueTimeout, evidence.UpstreamIdle, evidence.ShedStatus, evidence.ProxyPooled, evidence.SaysQueue},
		Never:  []evidence.Clue{evidence.NothingWaited},
		Unless: []evidence.Clue{evidence.PortsFull, evidence.GoneAway, evidence.StreamResets},
		Weights: []weight{
			{evidence.ProxyPooled, Proves, 0},
			{evidence.SaysQueue, Proves, 0},
			{evidence.SaysAway, Opposite(Strong), 0},
			{evidence.SaysFull, Opposite(Strong), 0},
			{evidence.QueueTimeout, 2.5, -0.5},
			{evidence.LatencyFirst, 1, -0.5},
			{evidence.HeldOff, -4, 0},
			{evidence.PassedOn, -3, 2},
			{evidence.ShedStatus, 2, -1},
			{evidence.GatewayTimeout, -2, 0},
			{evidence.RisesWithLoad, 1, -2},
			{evidence.ExcessFails, 1, -1},
			{evidence.UpstreamIdle, 1.5, -2},
			{evidence.Died, -2, 0.3},
		},
		tells: map[Experiment]Outcome{HalfConcurrency: Goes},
		Says:  "the proxy let requests wait for the upstream until they timed out",
		advice: func(_ *Investigation, _ *Hypothesis) []string {
			return []string{"raise the proxy's limit of connections to the upstream, which had room, or its queue timeout"}
		},
	}
}
