package causes

import (
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// proxyEphemeralPorts: the proxy had no local port left towards its upstream.
func proxyEphemeralPorts() Rule {
	return Rule{
		Cause: "proxy-ephemeral-ports", Mechanism: report.MechanismExhausted, Leg: Proxy, Gauges: []string{probe.EphemeralPorts},
		ProvenBy: RanOut, Proof: []evidence.Clue{evidence.SaysPorts}, Told: []evidence.Clue{evidence.SaysPorts},
		Weights: []weight{
			{evidence.SaysPorts, Proves, 0}, {evidence.QueueTimeout, -2, 0.5}, {evidence.BadGateway, 2, -3}, {evidence.RisesWithLoad, 1, -2},
		},
		tells: map[Experiment]Outcome{HalfRate: Goes},
		Says:  "the proxy had no local port left towards its upstream",
		advice: func(c *Investigation, h *Hypothesis) []string {
			return c.PortAdvice(h)
		},
	}
}
