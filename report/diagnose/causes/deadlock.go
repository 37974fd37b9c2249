package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// deadlock: the process lives and answers nothing more.
func deadlock() rule {
	return rule{
		cause: "deadlock", mechanism: report.MechanismBug,
		any:    []evidence.Clue{evidence.StandsStill},
		must:   []evidence.Clue{evidence.StandsStill, evidence.Idle},
		proof:  []evidence.Clue{evidence.StandsStill},
		unless: []evidence.Clue{evidence.LatencyFirst, evidence.NearTimeout, evidence.Forgotten, evidence.GapUnfilled, evidence.LostRetransmits, evidence.Retransmitted, evidence.SynsLost, evidence.DescriptorsFull, evidence.ConntrackInvalid},
		weights: []weight{
			{evidence.StandsStill, strong, opposite(proves)},
			{evidence.Idle, strong, opposite(proves)},
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
		says: "the process lives, does nothing and answers nothing more: its threads wait for each other",
		advice: func(_ *Investigation, _ *hypothesis) []string {
			return []string{
				"take a stack dump of the process while it stands still: which lock does each thread hold, and which does it wait for",
				"let a watchdog notice that nothing is answered",
			}
		},
	}
}
