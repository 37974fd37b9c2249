package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// dependencyMemoryFull: a store has reached the memory that it may use, and takes no more.
func dependencyMemoryFull() rule {
	return rule{
		cause: "dependency-memory-full", mechanism: report.MechanismExhausted, behind: true,
		any:   []evidence.Clue{evidence.SaysStoreFull},
		proof: []evidence.Clue{evidence.SaysStoreFull},
		told:  []evidence.Clue{evidence.SaysStoreFull},
		weights: []weight{
			{evidence.SaysStoreFull, proves, 0},
		},
		says: "a store behind has reached the memory that it may use, and takes nothing more",
		advice: func(_ *Investigation, _ *hypothesis) []string {
			return []string{
				"look at what fills it (keys without an expiry, entries that are too large), and give entries an expiry",
				"choose what it evicts (redis: maxmemory-policy), or raise the memory that it may use (maxmemory)",
			}
		},
	}
}
