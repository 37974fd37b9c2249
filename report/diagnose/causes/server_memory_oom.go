package causes

import (
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// serverMemoryOOM: memory was full: the kernel killed for it, or kept reclaiming.
func serverMemoryOOM() Rule {
	return Rule{
		Cause: "server-memory-oom", Ends: true, Mechanism: report.MechanismExhausted, Counters: []string{probe.OOMKills, probe.AbortOnMemory}, Gauges: []string{probe.CgroupMemory, probe.RSS, probe.Memory, probe.TCPMemory, probe.Orphans},
		Any: []evidence.Clue{evidence.SocketMemory, evidence.OutOfMemory, evidence.Thrashing, evidence.SaysMemory, evidence.PodsKilled}, Strict: true,
		Proof: []evidence.Clue{evidence.SocketMemory, evidence.OutOfMemory, evidence.Thrashing, evidence.SaysMemory, evidence.PodsKilled},
		Told:  []evidence.Clue{evidence.SaysMemory, evidence.PodsKilled},
		Weights: []weight{
			{evidence.SaysMemory, Proves, 0},
			{evidence.PodsKilled, Strong, 0},
			{evidence.SocketMemory, Proves, 0},
			{evidence.Thrashing, 6, 0},
			{evidence.OutOfMemory, 5, -5},
			{evidence.Died, 1, -2},
			{evidence.DiedWithFaults, 2, -1},
			{evidence.SomeRefused, 0.5, 0},
		},
		Instead: map[evidence.Clue][]evidence.Clue{evidence.SaysMemory: {evidence.OutOfMemory, evidence.Died, evidence.DiedWithFaults}, evidence.SocketMemory: {evidence.OutOfMemory, evidence.Died, evidence.DiedWithFaults}, evidence.Thrashing: {evidence.OutOfMemory, evidence.Died, evidence.DiedWithFaults}},
		Says:    "memory was full: the kernel killed for it, or kept reclaiming",
		advice: func(c *Investigation, h *Hypothesis) []string {
			return c.memoryAdvice(h)
		},
	}
}
