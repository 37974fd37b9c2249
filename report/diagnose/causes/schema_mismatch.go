package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// schemaMismatch: code and data disagree about tables and columns.
func schemaMismatch() rule {
	return rule{
		cause: "schema-mismatch", mechanism: report.MechanismBug, behind: true,
		any:   []evidence.Clue{evidence.SaysSchema},
		proof: []evidence.Clue{evidence.SaysSchema},
		told:  []evidence.Clue{evidence.SaysSchema},
		weights: []weight{
			{evidence.SaysSchema, proves, 0},
		},
		says: "a table or column that the service asks for is not there",
		advice: func(_ *Investigation, _ *hypothesis) []string {
			return []string{
				"look at which migration ran last, and at which version of the service runs where: change tables so that the old and the new version both work",
			}
		},
	}
}
