package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// dependencyReadOnly: a dependency is read-only, and refuses every write.
func dependencyReadOnly() inquiry.Rule {
	return inquiry.Rule{
		Cause: "dependency-read-only", Mechanism: report.MechanismPolicy, Behind: true,
		Any:   []evidence.Clue{evidence.SaysReadOnly},
		Proof: []evidence.Clue{evidence.SaysReadOnly},
		Told:  []evidence.Clue{evidence.SaysReadOnly},
		Weights: []inquiry.Weight{
			{Clue: evidence.SaysReadOnly, Yes: inquiry.Proves, No: 0},
		},
		Says: "a dependency refuses writes: it is a replica, or writing was stopped",
		Advice: func(_ *inquiry.Investigation, _ *inquiry.Hypothesis) []string {
			return []string{
				"look at who is the primary now (a failover, a promoted replica, a name that still points to the old one), and at what stops writes on it: a full disk, a failed snapshot",
				"let clients find the primary again after such an answer instead of keeping the connection",
			}
		},
	}
}
