package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// applicationError: the code that answers failed.
func applicationError() rule {
	return rule{
		cause: "application-error", mechanism: report.MechanismBug,
		any:   []evidence.Clue{evidence.SaysException},
		proof: []evidence.Clue{evidence.SaysException},
		told:  []evidence.Clue{evidence.SaysException},
		weights: []weight{
			{evidence.SaysException, proves, 0},
			{evidence.OwnError, weak, 0},
			{evidence.Died, opposite(strong), 0},
		},
		says: "its code failed: an exception that nothing handled",
		advice: func(_ *Investigation, _ *hypothesis) []string {
			return []string{
				"look at the stack trace in its log, and at what the requests that fail have in common",
				"if it began without a change of the load, compare with the version or configuration before",
			}
		},
	}
}
