package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// dependencyError: a dependency answers with errors, and nothing says why.
func dependencyError() inquiry.Rule {
	return inquiry.Rule{
		Cause: "dependency-error", Mechanism: report.MechanismBug, Behind: true,
		Any:   []evidence.Clue{evidence.CutOff, evidence.AnsweredOther, evidence.FailingOut},
		Proof: []evidence.Clue{evidence.CutOff, evidence.AnsweredOther, evidence.FailingOut},
		Told:  []evidence.Clue{evidence.CutOff, evidence.AnsweredOther, evidence.FailingOut},
		// A connection that is closed is no answer. Clues that give the reason point to other causes.
		Unless: []evidence.Clue{evidence.TriedInVain, evidence.EndsThem, evidence.RefusedEarly, evidence.Died, evidence.HeldFlat},
		Weights: []inquiry.Weight{
			{Clue: evidence.AnsweredOther, Yes: inquiry.Strong, No: 0},
			{Clue: evidence.CutOff, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.FailingOut, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.EndsThem, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.HeldFlat, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.Died, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
		},
		Says: "it takes requests, or connections, and refuses them",
		Advice: func(_ *inquiry.Investigation, h *inquiry.Hypothesis) []string {
			where := "it"
			if h.Hop.Station != nil {
				where = h.Hop.Station.Text()
			}
			return []string{
				"read the log of " + where + " from then on, and what those who ask it log of its answers: it takes requests and refuses them (rights, a full store, read-only, a statement that fails)",
				"let whoever asks it log the error itself, with the id of the request",
			}
		},
	}
}
