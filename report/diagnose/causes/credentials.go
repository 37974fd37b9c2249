package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// credentials: the credentials are not, or no longer, accepted.
func credentials() rule {
	return rule{
		cause: "credentials", mechanism: report.MechanismPolicy,
		any:   []evidence.Clue{evidence.Unauthorized, evidence.SaysCredentials, evidence.SaysForbidden},
		proof: []evidence.Clue{evidence.Unauthorized, evidence.SaysCredentials, evidence.SaysForbidden},
		told:  []evidence.Clue{evidence.SaysCredentials, evidence.SaysForbidden},
		weights: []weight{
			{evidence.SaysCredentials, proves, 0},
			{evidence.SaysForbidden, proves, 0},
			{evidence.Unauthorized, proves, opposite(proves)},
		},
		tells: map[Experiment]Outcome{HalfRate: Stays, HalfConcurrency: Stays, Fresh: Stays},
		despite: map[evidence.Clue][]evidence.Clue{ // towards a dependency, which the client is not told of as such
			evidence.SaysCredentials: {evidence.Unauthorized},
			evidence.SaysForbidden:   {evidence.Unauthorized},
		},
		says: "the credentials are refused",
		advice: func(_ *Investigation, _ *hypothesis) []string {
			return []string{
				"look at how long tokens live and when they were last renewed, and at what the service allows these requests",
			}
		},
	}
}
