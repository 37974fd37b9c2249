package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// dependencyMemoryFull: a store has reached the memory that it may use, and takes no more.
func dependencyMemoryFull() inquiry.Rule {
	return inquiry.Rule{
		Cause: "dependency-memory-full", Mechanism: report.MechanismExhausted, Behind: true,
		Any:   []evidence.Clue{evidence.SaysStoreFull},
		Proof: []evidence.Clue{evidence.SaysStoreFull},
		Told:  []evidence.Clue{evidence.SaysStoreFull},
		Weights: []inquiry.Weight{
			{Clue: evidence.SaysStoreFull, Yes: inquiry.Proves, No: 0},
		},
		Says: "a store behind is full: it has reached the memory, or the number of entries, that it may hold, and takes nothing more",
		Advice: func(_ *inquiry.Investigation, _ *inquiry.Hypothesis) []string {
			return []string{
				"look at what fills it (keys without an expiry, entries that are too large), and give entries an expiry",
				"choose what it evicts (redis: maxmemory-policy), or raise the memory that it may use (maxmemory)",
			}
		},
	}
}
