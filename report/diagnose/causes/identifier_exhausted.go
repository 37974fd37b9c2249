package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// identifierExhausted: the type of a sequence or of a column has no higher number left.
func identifierExhausted() inquiry.Rule {
	return inquiry.Rule{
		Cause: "identifier-exhausted", Mechanism: report.MechanismExhausted, Behind: true,
		Any:   []evidence.Clue{evidence.SaysIdentifiers},
		Proof: []evidence.Clue{evidence.SaysIdentifiers},
		Told:  []evidence.Clue{evidence.SaysIdentifiers},
		Weights: []inquiry.Weight{
			{Clue: evidence.SaysIdentifiers, Yes: inquiry.Proves, No: 0},
		},
		Says: "a sequence or column of identifiers holds no higher number",
		Advice: func(_ *inquiry.Investigation, _ *inquiry.Hypothesis) []string {
			return []string{"widen the column and its sequence (32 to 64 bits), the columns that refer to it too, and look for others that are near their end"}
		},
	}
}
