package causes

import (
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// serverThreads: no thread or process could be made.
func serverThreads() Rule {
	return Rule{
		Cause: "server-threads", Mechanism: report.MechanismExhausted, Gauges: []string{probe.Threads, probe.UserThreads, probe.HostThreads, probe.CgroupPIDs}, Counters: []string{probe.PIDsMaxHits},
		ProvenBy: RanOut, Waits: true,
		Proof:     []evidence.Clue{evidence.StandsQueued, evidence.SaysWorkers},
		Told:      []evidence.Clue{evidence.StandsQueued, evidence.SaysWorkers},
		Elsewhere: []evidence.Clue{evidence.StandsQueued},
		Unless:    []evidence.Clue{evidence.Stolen},
		Weights: []weight{
			{evidence.StandsQueued, Proves, 0},
			{evidence.SaysWorkers, Proves, 0},
			{evidence.AcceptedLate, weak, 0},
			{evidence.ReadLate, weak, 0},
			{evidence.ThreadsFull, 0.3, -1},
			{evidence.LatencyFirst, -1, 0},
			{evidence.ConnectionsCapped, -0.5, 0},
			{evidence.CloseWaitRises, 0.5, 0},
			{evidence.ExcessFails, 0.3, 0},
			{evidence.ProcessorBusy, -1, 0},
			{evidence.Vanished, -3, 0},
			{evidence.RisesWithLoad, 0.3, -2},
			{evidence.DiedWithFaults, -1, 0},
			{evidence.SentNone, -4, 0},
			{evidence.IdleGap, -2, 0},
			{evidence.SentLinger, -1, 0},
			{evidence.StreamResets, -2, 0},
		},
		Instead: map[evidence.Clue][]evidence.Clue{evidence.StandsQueued: {
			evidence.ThreadsFull, evidence.LatencyFirst, evidence.ConnectionsCapped, evidence.RisesWithLoad, evidence.ProcessorBusy,
		}},
		tells: map[Experiment]Outcome{HalfConcurrency: Goes},
		Says:  "no thread or process was free, or could be made",
		advice: func(c *Investigation, h *Hypothesis) []string {
			if c.Facts != nil && h.Hop.Index < len(c.Facts) && c.Facts[h.Hop.Index][evidence.StandsQueued].Is == evidence.Yes {
				return []string{
					"give the service more workers or threads: all of them are busy inside, and what comes meanwhile is not even read",
					"find what holds a worker for so long, and bound it",
				}
			}
			raise := c.limitSeen(h, "raise the limit on threads (pids.max, RLIMIT_NPROC) or bound the pool that grows")
			if g, ok := c.Leak(h); ok {
				return []string{"find what starts threads or processes that do not end: " + c.leaks(h, g), raise}
			}
			return []string{raise}
		},
	}
}
