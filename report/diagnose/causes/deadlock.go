package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// deadlock: the process lives and answers nothing more.
func deadlock() Rule {
	return Rule{
		Cause: "deadlock", Mechanism: report.MechanismBug,
		Waits:  true,
		Any:    []evidence.Clue{evidence.StandsStill, evidence.StandsStuck, evidence.SaysLocked},
		Must:   []evidence.Clue{evidence.Idle},
		Anyway: []evidence.Clue{evidence.StandsStuck, evidence.SaysLocked}, // the walk looked at the processor
		// That nothing is answered does not say that it is for a lock: what it asks may not be
		// seen. A process says so, or it is alone.
		Proof: []evidence.Clue{evidence.StandsStill, evidence.SaysLocked},
		// Who answers, asks somebody else, or has no room lives; so does a proxy that gives up.
		Never: []evidence.Clue{
			evidence.LockedStore, evidence.WaitsBehind, evidence.StandsBetween, evidence.StandsUnreached, evidence.StandsQueued, evidence.StandsCapped, evidence.StandsPooled, evidence.ProxyPooled,
			evidence.StandsUnprocessed, evidence.StandsOnDisk, evidence.StandsStopped, evidence.StandsUnwatched,
		},
		Unless: []evidence.Clue{evidence.StandsInside, evidence.KnownProxy, evidence.LatencyFirst, evidence.NearTimeout, evidence.Forgotten, evidence.GapUnfilled, evidence.LostRetransmits, evidence.Retransmitted, evidence.SynsLost, evidence.DescriptorsFull, evidence.ConntrackInvalid},
		Weights: []weight{
			{evidence.EndedBeside, Opposite(Proves), 0},
			{evidence.StandsStill, Strong, Opposite(Proves)},
			{evidence.StandsStuck, Proves, 0},
			{evidence.StandsInside, Opposite(Strong), 0}, // answers come, though late
			{evidence.SaysLocked, Strong, 0},
			{evidence.Idle, Strong, Opposite(Proves)},
			{evidence.KnownProxy, Opposite(Proves), 0},
			{evidence.Died, Opposite(Proves), 0},
			{evidence.SomeResets, Opposite(weak), 0},
			{evidence.SynsLost, Opposite(Strong), 0},
			{evidence.Retransmitted, Opposite(Strong), 0},
			{evidence.LatencyFirst, Opposite(Strong), 0},
			{evidence.Forgotten, Opposite(Strong), 0},
			{evidence.GapUnfilled, Opposite(Proves), 0},
			{evidence.LostRetransmits, Opposite(Strong), 0},
			{evidence.DescriptorsFull, Opposite(Proves), 0},
			{evidence.ThreadsFull, Opposite(weak), 0},
			{evidence.DialTimeouts, Opposite(weak), 0},
		},
		Instead: map[evidence.Clue][]evidence.Clue{
			evidence.StandsStuck: {evidence.StandsStill, evidence.LatencyFirst, evidence.DialTimeouts, evidence.Idle},
			evidence.SaysLocked:  {evidence.StandsStill, evidence.LatencyFirst, evidence.DialTimeouts, evidence.Idle},
		},
		Says: "the process lives, does nothing and answers nothing more: its threads wait for each other, or for a lock that somebody holds",
		advice: func(_ *Investigation, _ *Hypothesis) []string {
			return []string{
				"take a stack dump of the process while it stands still: which lock does each thread hold, and which does it wait for",
				"let a watchdog notice that nothing is answered",
			}
		},
	}
}
