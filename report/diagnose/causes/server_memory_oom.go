package causes

import (
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// serverMemoryOOM: memory was full: the kernel killed for it, or kept reclaiming.
func serverMemoryOOM() rule {
	return rule{
		cause: "server-memory-oom", ends: true, mechanism: report.MechanismExhausted, counters: []string{probe.OOMKills, probe.AbortOnMemory}, gauges: []string{probe.CgroupMemory, probe.RSS, probe.Memory, probe.TCPMemory, probe.Orphans},
		any: []evidence.Clue{evidence.SocketMemory, evidence.OutOfMemory, evidence.Thrashing, evidence.SaysMemory}, strict: true,
		proof: []evidence.Clue{evidence.SocketMemory, evidence.OutOfMemory, evidence.Thrashing, evidence.SaysMemory},
		told:  []evidence.Clue{evidence.SaysMemory},
		weights: []weight{
			{evidence.SaysMemory, proves, 0},
			{evidence.SocketMemory, proves, 0},
			{evidence.Thrashing, 6, 0},
			{evidence.OutOfMemory, 5, -5},
			{evidence.Died, 1, -2},
			{evidence.DiedWithFaults, 2, -1},
			{evidence.SomeRefused, 0.5, 0},
		},
		instead: map[evidence.Clue][]evidence.Clue{evidence.SaysMemory: {evidence.OutOfMemory, evidence.Died, evidence.DiedWithFaults}, evidence.SocketMemory: {evidence.OutOfMemory, evidence.Died, evidence.DiedWithFaults}, evidence.Thrashing: {evidence.OutOfMemory, evidence.Died, evidence.DiedWithFaults}},
		says:    "memory was full: the kernel killed for it, or kept reclaiming",
		advice: func(c *Investigation, h *hypothesis) []string {
			return c.memoryAdvice(h)
		},
	}
}
