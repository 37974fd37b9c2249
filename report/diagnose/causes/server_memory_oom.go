package causes

import (
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// serverMemoryOOM: memory was full, and the kernel killed a process or spent its time reclaiming pages.
func serverMemoryOOM() inquiry.Rule {
	return inquiry.Rule{
		Cause: "server-memory-oom", Ends: true, Mechanism: report.MechanismExhausted, Counters: []string{probe.OOMKills, probe.AbortOnMemory, probe.MemoryHeld}, Gauges: []string{probe.CgroupMemory, probe.RSS, probe.Memory, probe.TCPMemory, probe.Orphans},
		Any: []evidence.Clue{evidence.SocketMemory, evidence.OutOfMemory, evidence.Thrashing, evidence.SaysMemory, evidence.PodsKilled}, Strict: true,
		Proof: []evidence.Clue{evidence.SocketMemory, evidence.OutOfMemory, evidence.Thrashing, evidence.SaysMemory, evidence.PodsKilled},
		Told:  []evidence.Clue{evidence.SaysMemory, evidence.PodsKilled},
		Weights: []inquiry.Weight{
			{Clue: evidence.SaysMemory, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.PodsKilled, Yes: inquiry.Strong, No: 0},
			{Clue: evidence.SocketMemory, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.Thrashing, Yes: 6, No: 0},
			{Clue: evidence.OutOfMemory, Yes: 5, No: -5},
			{Clue: evidence.Died, Yes: 1, No: -2},
			{Clue: evidence.DiedWithFaults, Yes: 2, No: -1},
			{Clue: evidence.SomeRefused, Yes: 0.5, No: 0},
		},
		Instead: map[evidence.Clue][]evidence.Clue{evidence.SaysMemory: {evidence.OutOfMemory, evidence.Died, evidence.DiedWithFaults}, evidence.SocketMemory: {evidence.OutOfMemory, evidence.Died, evidence.DiedWithFaults}, evidence.Thrashing: {evidence.OutOfMemory, evidence.Died, evidence.DiedWithFaults}},
		Says:    "memory was full: the kernel killed for it, or kept reclaiming, or a runtime had no more of its own",
		Advice: func(c *inquiry.Investigation, h *inquiry.Hypothesis) []string {
			return c.MemoryAdvice(h)
		},
	}
}
