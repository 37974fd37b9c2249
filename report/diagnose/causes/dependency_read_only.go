package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// dependencyReadOnly: what is behind may not be written to, and refuses every write.
func dependencyReadOnly() rule {
	return rule{
		cause: "dependency-read-only", mechanism: report.MechanismPolicy, behind: true,
		any:   []evidence.Clue{evidence.SaysReadOnly},
		proof: []evidence.Clue{evidence.SaysReadOnly},
		told:  []evidence.Clue{evidence.SaysReadOnly},
		weights: []weight{
			{evidence.SaysReadOnly, proves, 0},
		},
		says: "a dependency refuses writes: it is a replica, or writing was stopped",
		advice: func(_ *Investigation, _ *hypothesis) []string {
			return []string{
				"look at who is the primary now (a failover, a promoted replica, a name that still points to the old one), and at what stops writes on it: a full disk, a failed snapshot",
				"let clients find the primary again after such an answer instead of keeping the connection",
			}
		},
	}
}
