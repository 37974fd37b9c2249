package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// dependencyReadOnly: what is behind may not be written to, and refuses every write.
func dependencyReadOnly() Rule {
	return Rule{
		Cause: "dependency-read-only", Mechanism: report.MechanismPolicy, Behind: true,
		Any:   []evidence.Clue{evidence.SaysReadOnly},
		Proof: []evidence.Clue{evidence.SaysReadOnly},
		Told:  []evidence.Clue{evidence.SaysReadOnly},
		Weights: []weight{
			{evidence.SaysReadOnly, Proves, 0},
		},
		Says: "a dependency refuses writes: it is a replica, or writing was stopped",
		advice: func(_ *Investigation, _ *Hypothesis) []string {
			return []string{
				"look at who is the primary now (a failover, a promoted replica, a name that still points to the old one), and at what stops writes on it: a full disk, a failed snapshot",
				"let clients find the primary again after such an answer instead of keeping the connection",
			}
		},
	}
}
