package causes

import (
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// proxyEphemeralPorts: the proxy had no local port left towards its upstream.
func proxyEphemeralPorts() inquiry.Rule {
	return inquiry.Rule{
		Cause: "proxy-ephemeral-ports", Mechanism: report.MechanismExhausted, Leg: inquiry.Proxy, Gauges: []string{probe.EphemeralPorts},
		Any:      []evidence.Clue{evidence.SaysPorts, evidence.PortsFull}, // either is needed: no other clue tells of ports
		ProvenBy: inquiry.RanOut, Proof: []evidence.Clue{evidence.SaysPorts}, Told: []evidence.Clue{evidence.SaysPorts},
		Weights: []inquiry.Weight{
			{Clue: evidence.SaysPorts, Yes: inquiry.Proves, No: 0}, {Clue: evidence.QueueTimeout, Yes: -2, No: 0.5}, {Clue: evidence.BadGateway, Yes: 2, No: -3}, {Clue: evidence.RisesWithLoad, Yes: 1, No: -2},
		},
		Tells: map[inquiry.Experiment]inquiry.Outcome{inquiry.HalfRate: inquiry.Goes},
		Says:  "no local port was left towards its upstream",
		Advice: func(c *inquiry.Investigation, h *inquiry.Hypothesis) []string {
			return c.PortAdvice(h)
		},
	}
}
