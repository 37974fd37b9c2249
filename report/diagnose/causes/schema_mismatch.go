package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// schemaMismatch: code and data disagree about tables and columns.
func schemaMismatch() Rule {
	return Rule{
		Cause: "schema-mismatch", Mechanism: report.MechanismBug, Behind: true,
		Any:   []evidence.Clue{evidence.SaysSchema},
		Proof: []evidence.Clue{evidence.SaysSchema},
		Told:  []evidence.Clue{evidence.SaysSchema},
		Weights: []weight{
			{evidence.SaysSchema, Proves, 0},
		},
		Says: "a table or column that the service asks for is not there",
		advice: func(_ *Investigation, _ *Hypothesis) []string {
			return []string{
				"look at which migration ran last, and at which version of the service runs where: change tables so that the old and the new version both work",
			}
		},
	}
}
