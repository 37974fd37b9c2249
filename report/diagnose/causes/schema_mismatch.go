package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// schemaMismatch: code and data disagree about tables and columns.
func schemaMismatch() inquiry.Rule {
	return inquiry.Rule{
		Cause: "schema-mismatch", Mechanism: report.MechanismBug, Behind: true,
		Any:   []evidence.Clue{evidence.SaysSchema},
		Proof: []evidence.Clue{evidence.SaysSchema},
		Told:  []evidence.Clue{evidence.SaysSchema},
		Weights: []inquiry.Weight{
			{Clue: evidence.SaysSchema, Yes: inquiry.Proves, No: 0},
		},
		Says: "a table or column that the service asks for is not there",
		Advice: func(_ *inquiry.Investigation, _ *inquiry.Hypothesis) []string {
			return []string{"look at which migration ran last, and at which version of the service runs where: change tables so that the old and the new version both work"}
		},
	}
}
