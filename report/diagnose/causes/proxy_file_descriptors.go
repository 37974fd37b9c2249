package causes

import (
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// proxyFileDescriptors: the proxy had no file descriptor left.
func proxyFileDescriptors() inquiry.Rule {
	return inquiry.Rule{
		Cause: "proxy-file-descriptors", Mechanism: report.MechanismExhausted, Leg: inquiry.Proxy, Gauges: []string{probe.OpenFiles},
		ProvenBy: inquiry.RanOut,
		Proof:    []evidence.Clue{evidence.Reserved},
		Weights:  []inquiry.Weight{{Clue: evidence.Reserved, Yes: 3.5, No: 0}, {Clue: evidence.BadGateway, Yes: 1, No: 0}, {Clue: evidence.RisesWithLoad, Yes: 1, No: -2}, {Clue: evidence.ExcessFails, Yes: 0.7, No: 0}, {Clue: evidence.SomeTimeouts, Yes: 0.3, No: 0}, {Clue: evidence.SomeResets, Yes: 0.3, No: 0}, {Clue: evidence.SentNone, Yes: -3, No: 0}, {Clue: evidence.DiedWithFaults, Yes: -3, No: 0}, {Clue: evidence.IdleGap, Yes: -2, No: 0}},
		Tells:    map[inquiry.Experiment]inquiry.Outcome{inquiry.HalfConcurrency: inquiry.Goes, inquiry.HalfRate: inquiry.Stays},
		Says:     "the proxy had no file descriptor left",
		Advice: func(c *inquiry.Investigation, h *inquiry.Hypothesis) []string {
			return c.FileAdvice(h)
		},
	}
}
