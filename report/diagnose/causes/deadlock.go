package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// deadlock: the process lives and answers nothing any more.
func deadlock() inquiry.Rule {
	return inquiry.Rule{
		Cause: "deadlock", Mechanism: report.MechanismBug,
		Waits:  true,
		Any:    []evidence.Clue{evidence.StandsStill, evidence.StandsStuck, evidence.SaysLocked, evidence.AsksItself},
		Must:   []evidence.Clue{evidence.Idle},
		Anyway: []evidence.Clue{evidence.StandsStuck, evidence.SaysLocked, evidence.AsksItself}, // the walk along the hops looked at the processor already
		// A process that answers nothing may also wait for a service that nobody watches. Proof is
		// that it says it waits for a lock, that it does not run, or that it waits for itself.
		Proof: []evidence.Clue{evidence.StandsStill, evidence.SaysLocked, evidence.AsksItself},
		// These hops go on: one that answers, that waits for another, or that is full. So does a proxy,
		// which gives up, and a store, which detects deadlocks of its transactions and ends one.
		Never: []evidence.Clue{
			evidence.StoreHop, evidence.LockedStore, evidence.SaysLocking, evidence.WaitsBehind, evidence.StandsBetween, evidence.StandsDelayed, evidence.StandsUnreached, evidence.StandsNewOnly, evidence.StandsQueued, evidence.StandsCapped, evidence.StandsPooled, evidence.PoolRests, evidence.FewerPlaces, evidence.ProxyPooled, evidence.CallersSend,
			evidence.StandsUnprocessed, evidence.StandsOnDisk, evidence.StandsStopped, evidence.StandsUnwatched, evidence.CameLate,
		},
		Unless: []evidence.Clue{evidence.StandsInside, evidence.KnownProxy, evidence.LatencyFirst, evidence.NearTimeout, evidence.Forgotten, evidence.GapUnfilled, evidence.LostRetransmits, evidence.Retransmitted, evidence.SynsLost, evidence.DescriptorsFull, evidence.ConntrackInvalid},
		Weights: []inquiry.Weight{
			{Clue: evidence.EndedBeside, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.StandsStill, Yes: inquiry.Strong, No: inquiry.Opposite(inquiry.Proves)},
			{Clue: evidence.StandsStuck, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.AsksItself, Yes: 2 * inquiry.Proves, No: 0},                 // each of its threads waits for another of its threads
			{Clue: evidence.StandsInside, Yes: inquiry.Opposite(inquiry.Strong), No: 0}, // answers still come, late
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
