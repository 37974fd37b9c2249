package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// applicationError: the code that answers failed.
func applicationError() Rule {
	return Rule{
		Cause: "application-error", Mechanism: report.MechanismBug,
		Any:   []evidence.Clue{evidence.SaysException, evidence.ErrsItself},
		Proof: []evidence.Clue{evidence.SaysException, evidence.ErrsItself},
		Told:  []evidence.Clue{evidence.SaysException, evidence.ErrsItself},
		Weights: []weight{
			{evidence.SaysException, Proves, 0},
			{evidence.ErrsItself, Strong, 0},
			{evidence.OwnError, weak, Opposite(weak)},
			{evidence.Died, Opposite(Strong), 0},
		},
		Says: "its code failed: it answered with an error of its own",
		advice: func(_ *Investigation, _ *Hypothesis) []string {
			return []string{
				"look at the stack trace in its log, and at what the requests that fail have in common",
				"if it began without a change of the load, compare with the version or configuration before",
			}
		},
	}
}
