package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// applicationError: the code of the service failed.
func applicationError() inquiry.Rule {
	return inquiry.Rule{
		Cause: "application-error", Mechanism: report.MechanismBug,
		Any:   []evidence.Clue{evidence.SaysException, evidence.ErrsItself},
		Proof: []evidence.Clue{evidence.SaysException},
		Told:  []evidence.Clue{evidence.SaysException, evidence.ErrsItself},
		Weights: []inquiry.Weight{
			{Clue: evidence.SaysException, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.ErrsItself, Yes: inquiry.Strong, No: 0},
			{Clue: evidence.Replied, Yes: inquiry.Weak, No: 0},
			{Clue: evidence.OwnError, Yes: inquiry.Weak, No: 0},
			{Clue: evidence.Reloaded, Yes: inquiry.Opposite(inquiry.Strong), No: 0}, // its configuration or version was changed just then
			{Clue: evidence.Died, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
		},
		Says: "its code failed: it answered with an error of its own",
		Advice: func(_ *inquiry.Investigation, _ *inquiry.Hypothesis) []string {
			return []string{
				"look at the stack trace in its log, and at what the requests that fail have in common",
				"if it began without a change of the load, compare with the version or configuration before",
			}
		},
	}
}
