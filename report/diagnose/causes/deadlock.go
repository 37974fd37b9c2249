package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// deadlock: the process lives and answers nothing more.
func deadlock() inquiry.Rule {
	return inquiry.Rule{
		Cause: "deadlock", Mechanism: report.MechanismBug,
		Waits:  true,
		Any:    []evidence.Clue{evidence.StandsStill, evidence.StandsStuck, evidence.SaysLocked, evidence.AsksItself},
		Must:   []evidence.Clue{evidence.Idle},
		Anyway: []evidence.Clue{evidence.StandsStuck, evidence.SaysLocked, evidence.AsksItself}, // the walk looked at the processor
		// That nothing is answered does not say that it is for a lock: what it asks may not be
		// seen. A process says so, or it is alone.
		Proof: []evidence.Clue{evidence.StandsStill, evidence.SaysLocked, evidence.AsksItself},
		// Who answers, asks somebody else, or has no room lives; so does a proxy that gives up,
		// and a store, which ends by itself what waits for each other.
		Never: []evidence.Clue{
			evidence.StoreHop, evidence.LockedStore, evidence.SaysLocking, evidence.WaitsBehind, evidence.StandsBetween, evidence.StandsDelayed, evidence.StandsUnreached, evidence.StandsNewOnly, evidence.StandsQueued, evidence.StandsCapped, evidence.StandsPooled, evidence.PoolRests, evidence.FewerPlaces, evidence.ProxyPooled, evidence.CallersSend,
			evidence.StandsUnprocessed, evidence.StandsOnDisk, evidence.StandsStopped, evidence.StandsUnwatched,
		},
		Unless: []evidence.Clue{evidence.StandsInside, evidence.KnownProxy, evidence.LatencyFirst, evidence.NearTimeout, evidence.Forgotten, evidence.GapUnfilled, evidence.LostRetransmits, evidence.Retransmitted, evidence.SynsLost, evidence.DescriptorsFull, evidence.ConntrackInvalid},
		Weights: []inquiry.Weight{
			{Clue: evidence.EndedBeside, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.StandsStill, Yes: inquiry.Strong, No: inquiry.Opposite(inquiry.Proves)},
			{Clue: evidence.StandsStuck, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.AsksItself, Yes: 2 * inquiry.Proves, No: 0},                 // each place is held by who waits for one
			{Clue: evidence.StandsInside, Yes: inquiry.Opposite(inquiry.Strong), No: 0}, // answers come, though late
			{Clue: evidence.SaysLocked, Yes: inquiry.Strong, No: 0},
			{Clue: evidence.Idle, Yes: inquiry.Strong, No: inquiry.Opposite(inquiry.Proves)},
			{Clue: evidence.KnownProxy, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.Died, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.SomeResets, Yes: inquiry.Opposite(inquiry.Weak), No: 0},
			{Clue: evidence.SynsLost, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.Retransmitted, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.LatencyFirst, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.Forgotten, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.GapUnfilled, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.LostRetransmits, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.DescriptorsFull, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.ThreadsFull, Yes: inquiry.Opposite(inquiry.Weak), No: 0},
			{Clue: evidence.DialTimeouts, Yes: inquiry.Opposite(inquiry.Weak), No: 0},
		},
		Instead: map[evidence.Clue][]evidence.Clue{
			evidence.StandsStuck: {evidence.StandsStill, evidence.LatencyFirst, evidence.DialTimeouts, evidence.Idle},
			evidence.SaysLocked:  {evidence.StandsStill, evidence.LatencyFirst, evidence.DialTimeouts, evidence.Idle},
		},
		Says: "the process lives, does nothing and answers nothing more: its threads wait for each other, or for a lock that somebody holds",
		Advice: func(_ *inquiry.Investigation, _ *inquiry.Hypothesis) []string {
			return []string{
				"take a stack dump of the process while it stands still: which lock does each thread hold, and which does it wait for",
				"let a watchdog notice that nothing is answered",
			}
		},
	}
}
