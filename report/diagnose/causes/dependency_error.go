package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// dependencyError: what a service asks answers with errors, and nothing says which.
func dependencyError() rule {
	return rule{
		cause: "dependency-error", mechanism: report.MechanismBug, behind: true,
		any:   []evidence.Clue{evidence.CutOff, evidence.AnsweredOther, evidence.FailingOut},
		proof: []evidence.Clue{evidence.CutOff, evidence.AnsweredOther, evidence.FailingOut},
		told:  []evidence.Clue{evidence.CutOff, evidence.AnsweredOther, evidence.FailingOut},
		// A connection that is ended is no answer, and what says why says more.
		unless: []evidence.Clue{evidence.TriedInVain, evidence.EndsThem, evidence.RefusedEarly, evidence.Died, evidence.HeldFlat},
		weights: []weight{
			{evidence.AnsweredOther, strong, 0},
			{evidence.CutOff, proves, 0},
			{evidence.FailingOut, proves, 0},
			{evidence.EndsThem, opposite(strong), 0},
			{evidence.HeldFlat, opposite(strong), 0},
			{evidence.Died, opposite(strong), 0},
		},
		says: "it takes requests, or connections, and refuses them",
		advice: func(_ *Investigation, h *hypothesis) []string {
			where := "it"
			if h.hop.Station != nil {
				where = h.hop.Station.Text()
			}
			return []string{
				"read the log of " + where + " from then on, and what those who ask it log of its answers: it takes requests and refuses them (rights, a full store, read-only, a statement that fails)",
				"let whoever asks it log the error itself, with the id of the request",
			}
		},
	}
}
