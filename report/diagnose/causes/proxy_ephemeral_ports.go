package causes

import (
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// proxyEphemeralPorts: the proxy had no local port left towards its upstream.
func proxyEphemeralPorts() rule {
	return rule{
		cause: "proxy-ephemeral-ports", mechanism: report.MechanismExhausted, leg: proxy, gauges: []string{probe.EphemeralPorts},
		provenBy: ranOut, proof: []evidence.Clue{evidence.SaysPorts}, told: []evidence.Clue{evidence.SaysPorts},
		weights: []weight{
			{evidence.SaysPorts, proves, 0}, {evidence.QueueTimeout, -2, 0.5}, {evidence.BadGateway, 2, -3}, {evidence.RisesWithLoad, 1, -2},
		},
		tells: map[Experiment]Outcome{HalfRate: Goes},
		says:  "the proxy had no local port left towards its upstream",
		advice: func(c *Investigation, h *hypothesis) []string {
			return c.portAdvice(h)
		},
	}
}
