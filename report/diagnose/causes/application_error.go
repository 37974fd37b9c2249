package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// applicationError: the code that answers failed.
func applicationError() rule {
	return rule{
		cause: "application-error", mechanism: report.MechanismBug,
		any:   []evidence.Clue{evidence.SaysException, evidence.ErrsItself},
		proof: []evidence.Clue{evidence.SaysException, evidence.ErrsItself},
		told:  []evidence.Clue{evidence.SaysException, evidence.ErrsItself},
		weights: []weight{
			{evidence.SaysException, proves, 0},
			{evidence.ErrsItself, strong, 0},
			{evidence.OwnError, weak, opposite(weak)},
			{evidence.Died, opposite(strong), 0},
		},
		says: "its code failed: it answered with an error of its own",
		advice: func(_ *Investigation, _ *hypothesis) []string {
			return []string{
				"look at the stack trace in its log, and at what the requests that fail have in common",
				"if it began without a change of the load, compare with the version or configuration before",
			}
		},
	}
}
