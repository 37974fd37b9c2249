package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// poolExhausted: requests wait inside for a connection or slot of a pool of fixed size.
func poolExhausted() inquiry.Rule {
	// Where requests were seen to wait says more than how they failed.
	waits := []evidence.Clue{evidence.QueueTimeout, evidence.ExcessFails, evidence.LatencyFirst, evidence.RisesWithLoad, evidence.GatewayTimeout, evidence.Overflowed, evidence.Idle}
	return inquiry.Rule{
		Cause: "pool-exhausted", Mechanism: report.MechanismExhausted,
		Waits:  true,
		Any:    []evidence.Clue{evidence.QueueTimeout, evidence.Queued, evidence.StandsPooled, evidence.PoolRests, evidence.FewerPlaces, evidence.SaysPool},
		Must:   []evidence.Clue{evidence.Idle},
		Anyway: []evidence.Clue{evidence.StandsPooled, evidence.PoolRests, evidence.FewerPlaces, evidence.SaysPool}, // the walk along the hops looked at the processor already

		Proof:  []evidence.Clue{evidence.QueueTimeout, evidence.StandsPooled, evidence.SessionsOpen, evidence.SaysPool},
		Told:   []evidence.Clue{evidence.SaysPool},
		Unless: []evidence.Clue{evidence.SomeResets, evidence.StreamResets, evidence.HeldOff, evidence.SlowRequest, evidence.DescriptorsFull, evidence.ThreadsFull, evidence.ShedAtOnce, evidence.UnixQueueFull, evidence.Overflowed, evidence.PortsFull},
		Never:  []evidence.Clue{evidence.StandsBetween, evidence.StandsDelayed, evidence.StandsQueued, evidence.StandsCapped, evidence.ProxyPooled, evidence.StandsUnreached, evidence.StandsNewOnly, evidence.SaysUnreached},
		Weights: []inquiry.Weight{
			{Clue: evidence.LockedStore, Yes: inquiry.Opposite(inquiry.Proves), No: 0}, // its sessions wait for locks, each on a place of its own
			{Clue: evidence.StandsPooled, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.PoolRests, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.FewerPlaces, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.SessionsOpen, Yes: inquiry.Strong, No: 0},
			{Clue: evidence.SaysPool, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.QueueTimeout, Yes: inquiry.Strong, No: inquiry.Opposite(inquiry.Weak)},
			{Clue: evidence.Idle, Yes: inquiry.Strong, No: inquiry.Opposite(inquiry.Strong)},
			{Clue: evidence.ExcessFails, Yes: inquiry.Weak, No: inquiry.Opposite(inquiry.Weak)},
			{Clue: evidence.Queued, Yes: inquiry.Weak, No: 0},
			{Clue: evidence.LatencyFirst, Yes: inquiry.Weak, No: inquiry.Opposite(inquiry.Weak)},
			{Clue: evidence.OwnError, Yes: inquiry.Weak, No: 0},
			{Clue: evidence.RisesWithLoad, Yes: inquiry.Weak, No: inquiry.Opposite(inquiry.Strong)},
			{Clue: evidence.DescriptorsFull, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.ThreadsFull, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.SomeResets, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.MostlyEOF, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.GatewayTimeout, Yes: inquiry.Opposite(inquiry.Weak), No: 0},
			{Clue: evidence.PortsFull, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.KnownProxy, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.HeldOff, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.SlowRequest, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.UnixQueueFull, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.Overflowed, Yes: inquiry.Opposite(inquiry.Weak), No: 0},
		},
		Instead: map[evidence.Clue][]evidence.Clue{evidence.StandsPooled: waits, evidence.FewerPlaces: waits, evidence.PoolRests: waits},
		// Half the client's connections may still be more than the pool has places, so nothing changes.
		Tells: map[inquiry.Experiment]inquiry.Outcome{inquiry.HalfRate: inquiry.Goes, inquiry.Fresh: inquiry.Stays},
		Says:  "requests waited inside for one of a fixed number of places",
		Advice: func(c *inquiry.Investigation, h *inquiry.Hypothesis) []string {
			if c.Facts != nil && h.Hop.Index < len(c.Facts) && c.Facts[h.Hop.Index][evidence.PoolRests].Is == evidence.Yes {
				return []string{
					"find who takes a connection of the pool and does not give it back, or holds it while it does something else (an error path without close or rollback, a transaction left open); most pools log that after a time (HikariCP: leakDetectionThreshold)",
					"let the other end close sessions that rest in a transaction (PostgreSQL: idle_in_transaction_session_timeout), and bound the wait for a place",
				}
			}
			return []string{
				"find the pool that they wait for (connections to a database, workers, permits), its size, and what holds its places for so long",
				"do not raise it above what stands behind it can bear",
			}
		},
	}
}
