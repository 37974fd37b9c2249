package causes

import (
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// proxyFileDescriptors: the proxy had no file descriptor left.
func proxyFileDescriptors() Rule {
	return Rule{
		Cause: "proxy-file-descriptors", Mechanism: report.MechanismExhausted, Leg: Proxy, Gauges: []string{probe.OpenFiles},
		ProvenBy: RanOut,
		Proof:    []evidence.Clue{evidence.Reserved},
		Weights:  []weight{{evidence.Reserved, 3.5, 0}, {evidence.BadGateway, 1, 0}, {evidence.RisesWithLoad, 1, -2}, {evidence.ExcessFails, 0.7, 0}, {evidence.SomeTimeouts, 0.3, 0}, {evidence.SomeResets, 0.3, 0}, {evidence.SentNone, -3, 0}, {evidence.DiedWithFaults, -3, 0}, {evidence.IdleGap, -2, 0}},
		tells:    map[Experiment]Outcome{HalfConcurrency: Goes, HalfRate: Stays},
		Says:     "the proxy had no file descriptor left",
		advice: func(c *Investigation, h *Hypothesis) []string {
			return c.FileAdvice(h)
		},
	}
}
