package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// credentials: the credentials are not, or no longer, accepted.
func credentials() Rule {
	return Rule{
		Cause: "credentials", Mechanism: report.MechanismPolicy,
		Any:   []evidence.Clue{evidence.Unauthorized, evidence.SaysCredentials, evidence.SaysForbidden},
		Proof: []evidence.Clue{evidence.Unauthorized, evidence.SaysCredentials, evidence.SaysForbidden},
		Told:  []evidence.Clue{evidence.SaysCredentials, evidence.SaysForbidden},
		Weights: []weight{
			{evidence.SaysCredentials, Proves, 0},
			{evidence.SaysForbidden, Proves, 0},
			{evidence.Unauthorized, Proves, Opposite(Proves)},
		},
		tells: map[Experiment]Outcome{HalfRate: Stays, HalfConcurrency: Stays, Fresh: Stays},
		Despite: map[evidence.Clue][]evidence.Clue{ // towards a dependency, which the client is not told of as such
			evidence.SaysCredentials: {evidence.Unauthorized},
			evidence.SaysForbidden:   {evidence.Unauthorized},
		},
		Says: "the credentials are refused",
		advice: func(_ *Investigation, _ *Hypothesis) []string {
			return []string{
				"look at how long tokens live and when they were last renewed, and at what the service allows these requests",
			}
		},
	}
}
