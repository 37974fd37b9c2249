package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// identifierExhausted: a sequence or a column holds no higher number.
func identifierExhausted() rule {
	return rule{
		cause: "identifier-exhausted", mechanism: report.MechanismExhausted, behind: true,
		any:   []evidence.Clue{evidence.SaysIdentifiers},
		proof: []evidence.Clue{evidence.SaysIdentifiers},
		told:  []evidence.Clue{evidence.SaysIdentifiers},
		weights: []weight{
			{evidence.SaysIdentifiers, proves, 0},
		},
		says: "a sequence or column of identifiers holds no higher number",
		advice: func(_ *Investigation, _ *hypothesis) []string {
			return []string{
				"widen the column and its sequence (32 to 64 bits), the columns that refer to it too, and look for others that are near their end",
			}
		},
	}
}
