package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// dependencyMemoryFull: a store has reached its memory limit, and refuses writes or evicts.
func dependencyMemoryFull() inquiry.Rule {
	return inquiry.Rule{
		Cause: "dependency-memory-full", Mechanism: report.MechanismExhausted, Behind: true,
		Any:   []evidence.Clue{evidence.SaysStoreFull, evidence.StoreEvicts, evidence.StoreForgets},
		Proof: []evidence.Clue{evidence.SaysStoreFull, evidence.StoreEvicts},
		Told:  []evidence.Clue{evidence.SaysStoreFull, evidence.StoreEvicts, evidence.StoreForgets},
		Weights: []inquiry.Weight{
			{Clue: evidence.StoreEvicts, Yes: inquiry.Proves, No: 0},
			// This is no proof: the entries may have expired or been deleted.
			{Clue: evidence.StoreForgets, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.SaysStoreFull, Yes: inquiry.Proves, No: 0},
		},
		Says: "a store behind is full: it has reached the memory, or the number of entries, that it may hold, and takes nothing more, or throws out what others still need",
		Advice: func(_ *inquiry.Investigation, _ *inquiry.Hypothesis) []string {
			return []string{
				"look at what fills it (keys without an expiry, entries that are too large), and give entries an expiry",
				"keep what must not be lost (sessions) in a store of its own, apart from what may be",
				"choose what it evicts (redis: maxmemory-policy), or raise the memory that it may use (maxmemory)",
			}
		},
	}
}
