package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// dependencyError: what a service asks answers with errors, and nothing says which.
func dependencyError() Rule {
	return Rule{
		Cause: "dependency-error", Mechanism: report.MechanismBug, Behind: true,
		Any:   []evidence.Clue{evidence.CutOff, evidence.AnsweredOther, evidence.FailingOut},
		Proof: []evidence.Clue{evidence.CutOff, evidence.AnsweredOther, evidence.FailingOut},
		Told:  []evidence.Clue{evidence.CutOff, evidence.AnsweredOther, evidence.FailingOut},
		// A connection that is ended is no answer, and what says why says more.
		Unless: []evidence.Clue{evidence.TriedInVain, evidence.EndsThem, evidence.RefusedEarly, evidence.Died, evidence.HeldFlat},
		Weights: []weight{
			{evidence.AnsweredOther, Strong, 0},
			{evidence.CutOff, Proves, 0},
			{evidence.FailingOut, Proves, 0},
			{evidence.EndsThem, Opposite(Strong), 0},
			{evidence.HeldFlat, Opposite(Strong), 0},
			{evidence.Died, Opposite(Strong), 0},
		},
		Says: "it takes requests, or connections, and refuses them",
		advice: func(_ *Investigation, h *Hypothesis) []string {
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
