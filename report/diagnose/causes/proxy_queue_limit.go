package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// proxyQueueLimit: the proxy let requests wait for the upstream until they timed out.
func proxyQueueLimit() rule {
	return rule{
		cause: "proxy-queue-limit", mechanism: report.MechanismExhausted, leg: proxy, any: []evidence.Clue{evidence.ShedStatus, evidence.GatewayTimeout, evidence.QueueTimeout, evidence.ProxyPooled, evidence.SaysQueue},
		waits:  true,
		proof:  []evidence.Clue{evidence.QueueTimeout, evidence.UpstreamIdle, evidence.ShedStatus, evidence.ProxyPooled, evidence.SaysQueue},
		never:  []evidence.Clue{evidence.NothingWaited},
		unless: []evidence.Clue{evidence.PortsFull, evidence.GoneAway, evidence.StreamResets},
		weights: []weight{
			{evidence.ProxyPooled, proves, 0},
			{evidence.SaysQueue, proves, 0},
			{evidence.SaysAway, opposite(strong), 0},
			{evidence.SaysFull, opposite(strong), 0},
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
		says:  "the proxy let requests wait for the upstream until they timed out",
		advice: func(_ *Investigation, _ *hypothesis) []string {
			return []string{"raise the proxy's limit of connections to the upstream, which had room, or its queue timeout"}
		},
	}
}
