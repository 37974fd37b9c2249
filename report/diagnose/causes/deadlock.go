package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// deadlock: the process lives and answers nothing more.
func deadlock() rule {
	return rule{
		cause: "deadlock", mechanism: report.MechanismBug,
		waits:  true,
		any:    []evidence.Clue{evidence.StandsStill, evidence.StandsStuck, evidence.SaysLocked},
		must:   []evidence.Clue{evidence.Idle},
		anyway: []evidence.Clue{evidence.StandsStuck, evidence.SaysLocked}, // the walk looked at the processor
		// That nothing is answered does not say that it is for a lock: what it asks may not be
		// seen. A process says so, or it is alone.
		proof: []evidence.Clue{evidence.StandsStill, evidence.SaysLocked},
		// Who answers, asks somebody else, or has no room lives; so does a proxy that gives up.
		never: []evidence.Clue{
			evidence.WaitsBehind, evidence.StandsBetween, evidence.StandsUnreached, evidence.StandsQueued, evidence.StandsCapped, evidence.StandsPooled, evidence.ProxyPooled,
			evidence.StandsUnprocessed, evidence.StandsOnDisk, evidence.StandsStopped, evidence.StandsUnwatched,
		},
		unless: []evidence.Clue{evidence.StandsInside, evidence.KnownProxy, evidence.LatencyFirst, evidence.NearTimeout, evidence.Forgotten, evidence.GapUnfilled, evidence.LostRetransmits, evidence.Retransmitted, evidence.SynsLost, evidence.DescriptorsFull, evidence.ConntrackInvalid},
		weights: []weight{
			{evidence.EndedBeside, opposite(proves), 0},
			{evidence.StandsStill, strong, opposite(proves)},
			{evidence.StandsStuck, proves, 0},
			{evidence.StandsInside, opposite(strong), 0}, // answers come, though late
			{evidence.SaysLocked, strong, 0},
			{evidence.Idle, strong, opposite(proves)},
			{evidence.KnownProxy, opposite(proves), 0},
			{evidence.Died, opposite(proves), 0},
			{evidence.SomeResets, opposite(weak), 0},
			{evidence.SynsLost, opposite(strong), 0},
			{evidence.Retransmitted, opposite(strong), 0},
			{evidence.LatencyFirst, opposite(strong), 0},
			{evidence.Forgotten, opposite(strong), 0},
			{evidence.GapUnfilled, opposite(proves), 0},
			{evidence.LostRetransmits, opposite(strong), 0},
			{evidence.DescriptorsFull, opposite(proves), 0},
			{evidence.ThreadsFull, opposite(weak), 0},
			{evidence.DialTimeouts, opposite(weak), 0},
		},
		instead: map[evidence.Clue][]evidence.Clue{
			evidence.StandsStuck: {evidence.StandsStill, evidence.LatencyFirst, evidence.DialTimeouts, evidence.Idle},
			evidence.SaysLocked:  {evidence.StandsStill, evidence.LatencyFirst, evidence.DialTimeouts, evidence.Idle},
		},
		says: "the process lives, does nothing and answers nothing more: its threads wait for each other, or for a lock that somebody holds",
		advice: func(_ *Investigation, _ *hypothesis) []string {
			return []string{
				"take a stack dump of the process while it stands still: which lock does each thread hold, and which does it wait for",
				"let a watchdog notice that nothing is answered",
			}
		},
	}
}
