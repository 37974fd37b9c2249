package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// poolExhausted: requests wait inside for one of a fixed number of places.
func poolExhausted() rule {
	return rule{
		cause: "pool-exhausted", mechanism: report.MechanismExhausted,
		waits:  true,
		any:    []evidence.Clue{evidence.QueueTimeout, evidence.Queued, evidence.StandsPooled, evidence.SaysPool},
		must:   []evidence.Clue{evidence.Idle},
		anyway: []evidence.Clue{evidence.StandsPooled, evidence.SaysPool}, // the walk looked at the processor

		proof:  []evidence.Clue{evidence.QueueTimeout, evidence.StandsPooled, evidence.SaysPool},
		told:   []evidence.Clue{evidence.SaysPool},
		unless: []evidence.Clue{evidence.SomeResets, evidence.StreamResets, evidence.HeldOff, evidence.SlowRequest, evidence.DescriptorsFull, evidence.ThreadsFull, evidence.ShedAtOnce, evidence.UnixQueueFull, evidence.Overflowed, evidence.PortsFull},
		never:  []evidence.Clue{evidence.StandsQueued, evidence.StandsCapped, evidence.ProxyPooled},
		weights: []weight{
			{evidence.StandsPooled, proves, 0},
			{evidence.SaysPool, proves, 0},
			{evidence.QueueTimeout, strong, opposite(weak)},
			{evidence.Idle, strong, opposite(strong)},
			{evidence.ExcessFails, weak, opposite(weak)},
			{evidence.Queued, weak, 0},
			{evidence.LatencyFirst, weak, opposite(weak)},
			{evidence.OwnError, weak, 0},
			{evidence.RisesWithLoad, weak, opposite(strong)},
			{evidence.DescriptorsFull, opposite(strong), 0},
			{evidence.ThreadsFull, opposite(strong), 0},
			{evidence.SomeResets, opposite(strong), 0},
			{evidence.MostlyEOF, opposite(strong), 0},
			{evidence.GatewayTimeout, opposite(weak), 0},
			{evidence.PortsFull, opposite(proves), 0},
			{evidence.KnownProxy, opposite(strong), 0},
			{evidence.HeldOff, opposite(proves), 0},
			{evidence.SlowRequest, opposite(proves), 0},
			{evidence.UnixQueueFull, opposite(strong), 0},
			{evidence.Overflowed, opposite(weak), 0},
		},
		instead: map[evidence.Clue][]evidence.Clue{evidence.StandsPooled: {
			evidence.QueueTimeout, evidence.ExcessFails, evidence.LatencyFirst, evidence.RisesWithLoad, evidence.GatewayTimeout, evidence.Overflowed, evidence.Idle,
		}},
		tells: map[Experiment]Outcome{HalfConcurrency: Goes, Fresh: Stays},
		says:  "requests waited inside for one of a fixed number of places",
		advice: func(_ *Investigation, _ *hypothesis) []string {
			return []string{
				"find the pool that they wait for (connections to a database, workers, permits), its size, and what holds its places for so long",
				"do not raise it above what stands behind it can bear",
			}
		},
	}
}
