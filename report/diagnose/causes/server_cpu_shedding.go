package causes

import (
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// serverCPUShedding: the processor was used up and the service dropped what it could not serve.
func serverCPUShedding() Rule {
	return Rule{
		Cause: "server-cpu-shedding", Mechanism: report.MechanismExhausted, Gauges: []string{probe.CgroupCPU, probe.ProcessCPU, probe.CPU}, Counters: []string{probe.CPUThrottled},
		ProvenBy: RanOut, Waits: true,
		Proof:     []evidence.Clue{evidence.StandsUnprocessed},
		Told:      []evidence.Clue{evidence.StandsUnprocessed},
		Elsewhere: []evidence.Clue{evidence.StandsUnprocessed},
		Unless:    []evidence.Clue{evidence.InTLS, evidence.OthersUse},
		Weights: []weight{
			{evidence.StandsUnprocessed, Proves, 0},
			{evidence.OthersUse, Opposite(Proves), 0},
			{evidence.AcceptedLate, weak, 0},
			{evidence.ReadLate, weak, 0},
			{evidence.Queued, 1.5, 0},
			{evidence.QueueTimeout, -2, 0},
			{evidence.LatencyFirst, 2, -3},
			{evidence.ProcessorBusy, 1, -2.5},
			{evidence.OnlyTimeouts, -3, 0},
			{evidence.SentUnread, 1, -0.5},
			{evidence.MostlyResets, 0.3, 0},
			{evidence.ShedStatus, 2, 0},
			{evidence.ExcessFails, 0.7, -0.5},
			{evidence.DiedWithFaults, -3, 0.3},
			{evidence.DescriptorsFull, -2.5, 0.3},
			{evidence.ConstantShare, -3, 0},
			{evidence.SentNone, -4, 0},
			{evidence.IdleGap, -3, 0},
			{evidence.Overflowed, -0.7, 0},
			{evidence.SentLinger, -1, 0},
			{evidence.InTLS, -2, 0},
			{evidence.StreamResets, -1, 0},
			{evidence.InDial, -1, 0.3},
		},
		Instead: map[evidence.Clue][]evidence.Clue{evidence.StandsUnprocessed: {
			evidence.QueueTimeout, evidence.LatencyFirst, evidence.ProcessorBusy, evidence.OnlyTimeouts, evidence.SentUnread, evidence.ExcessFails, evidence.Overflowed, evidence.InDial,
		}},
		tells: map[Experiment]Outcome{HalfRate: Goes},
		Says:  "the processor was used up and the service did not serve all that came",
		advice: func(c *Investigation, h *Hypothesis) []string {
			return []string{c.limitSeen(h, "give the service more processor (quota, cores, instances) or make requests cheaper"), "shed load with 503 and Retry-After after reading the request, not by closing with unread data"}
		},
	}
}
