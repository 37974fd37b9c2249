package causes

import (
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// serverCPUShedding: the processor was fully used, and the service dropped requests that it could not serve.
func serverCPUShedding() inquiry.Rule {
	return inquiry.Rule{
		Cause: "server-cpu-shedding", Mechanism: report.MechanismExhausted, Gauges: []string{probe.CgroupCPU, probe.ProcessCPU, probe.CPU}, Counters: []string{probe.CPUThrottled},
		ProvenBy: inquiry.RanOut, Waits: true,
		Proof:     []evidence.Clue{evidence.StandsUnprocessed},
		Told:      []evidence.Clue{evidence.StandsUnprocessed},
		Elsewhere: []evidence.Clue{evidence.StandsUnprocessed},
		Unless:    []evidence.Clue{evidence.InTLS, evidence.OthersUse},
		Weights: []inquiry.Weight{
			{Clue: evidence.StandsUnprocessed, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.OthersUse, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.AcceptedLate, Yes: inquiry.Weak, No: 0},
			{Clue: evidence.ReadLate, Yes: inquiry.Weak, No: 0},
			{Clue: evidence.Queued, Yes: 1.5, No: 0},
			{Clue: evidence.QueueTimeout, Yes: -2, No: 0},
			{Clue: evidence.LatencyFirst, Yes: 2, No: -3},
			{Clue: evidence.ProcessorBusy, Yes: 1, No: -2.5},
			{Clue: evidence.OnlyTimeouts, Yes: -3, No: 0},
			{Clue: evidence.SentUnread, Yes: 1, No: -0.5},
			{Clue: evidence.MostlyResets, Yes: 0.3, No: 0},
			{Clue: evidence.ShedStatus, Yes: 2, No: 0},
			{Clue: evidence.ExcessFails, Yes: 0.7, No: -0.5},
			{Clue: evidence.DiedWithFaults, Yes: -3, No: 0.3},
			{Clue: evidence.DescriptorsFull, Yes: -2.5, No: 0.3},
			{Clue: evidence.ConstantShare, Yes: -3, No: 0},
			{Clue: evidence.SentNone, Yes: -4, No: 0},
			{Clue: evidence.IdleGap, Yes: -3, No: 0},
			{Clue: evidence.Overflowed, Yes: -0.7, No: 0},
			{Clue: evidence.SentLinger, Yes: -1, No: 0},
			{Clue: evidence.InTLS, Yes: -2, No: 0},
			{Clue: evidence.StreamResets, Yes: -1, No: 0},
			{Clue: evidence.InDial, Yes: -1, No: 0.3},
		},
		Instead: map[evidence.Clue][]evidence.Clue{evidence.StandsUnprocessed: {
			evidence.QueueTimeout, evidence.LatencyFirst, evidence.ProcessorBusy, evidence.OnlyTimeouts, evidence.SentUnread, evidence.ExcessFails, evidence.Overflowed, evidence.InDial,
		}},
		Tells: map[inquiry.Experiment]inquiry.Outcome{inquiry.HalfRate: inquiry.Goes},
		Says:  "the processor was used up and the service did not serve all that came",
		Advice: func(c *inquiry.Investigation, h *inquiry.Hypothesis) []string {
			return []string{c.LimitSeen(h, "give the service more processor (quota, cores, instances) or make requests cheaper"), "shed load with 503 and Retry-After after reading the request, not by closing with unread data"}
		},
	}
}
