package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// poolExhausted: requests wait inside for one of a fixed number of places.
func poolExhausted() Rule {
	return Rule{
		Cause: "pool-exhausted", Mechanism: report.MechanismExhausted,
		Waits:  true,
		Any:    []evidence.Clue{evidence.QueueTimeout, evidence.Queued, evidence.StandsPooled, evidence.SaysPool},
		Must:   []evidence.Clue{evidence.Idle},
		Anyway: []evidence.Clue{evidence.StandsPooled, evidence.SaysPool}, // the walk looked at the processor

		Proof:  []evidence.Clue{evidence.QueueTimeout, evidence.StandsPooled, evidence.SaysPool},
		Told:   []evidence.Clue{evidence.SaysPool},
		Unless: []evidence.Clue{evidence.SomeResets, evidence.StreamResets, evidence.HeldOff, evidence.SlowRequest, evidence.DescriptorsFull, evidence.ThreadsFull, evidence.ShedAtOnce, evidence.UnixQueueFull, evidence.Overflowed, evidence.PortsFull},
		Never:  []evidence.Clue{evidence.StandsQueued, evidence.StandsCapped, evidence.ProxyPooled},
		Weights: []weight{
			{evidence.StandsPooled, Proves, 0},
			{evidence.SaysPool, Proves, 0},
			{evidence.QueueTimeout, Strong, Opposite(weak)},
			{evidence.Idle, Strong, Opposite(Strong)},
			{evidence.ExcessFails, weak, Opposite(weak)},
			{evidence.Queued, weak, 0},
			{evidence.LatencyFirst, weak, Opposite(weak)},
			{evidence.OwnError, weak, 0},
			{evidence.RisesWithLoad, weak, Opposite(Strong)},
			{evidence.DescriptorsFull, Opposite(Strong), 0},
			{evidence.ThreadsFull, Opposite(Strong), 0},
			{evidence.SomeResets, Opposite(Strong), 0},
			{evidence.MostlyEOF, Opposite(Strong), 0},
			{evidence.GatewayTimeout, Opposite(weak), 0},
			{evidence.PortsFull, Opposite(Proves), 0},
			{evidence.KnownProxy, Opposite(Strong), 0},
			{evidence.HeldOff, Opposite(Proves), 0},
			{evidence.SlowRequest, Opposite(Proves), 0},
			{evidence.UnixQueueFull, Opposite(Strong), 0},
			{evidence.Overflowed, Opposite(weak), 0},
		},
		Instead: map[evidence.Clue][]evidence.Clue{evidence.StandsPooled: {
			evidence.QueueTimeout, evidence.ExcessFails, evidence.LatencyFirst, evidence.RisesWithLoad, evidence.GatewayTimeout, evidence.Overflowed, evidence.Idle,
		}},
		tells: map[Experiment]Outcome{HalfConcurrency: Goes, Fresh: Stays},
		Says:  "requests waited inside for one of a fixed number of places",
		advice: func(_ *Investigation, _ *Hypothesis) []string {
			return []string{
				"find the pool that they wait for (connections to a database, workers, permits), its size, and what holds its places for so long",
				"do not raise it above what stands behind it can bear",
			}
		},
	}
}
