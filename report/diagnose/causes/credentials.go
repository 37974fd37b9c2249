package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// credentials: the credentials are not, or no longer, accepted.
func credentials() rule {
	return rule{
		cause: "credentials", mechanism: report.MechanismPolicy,
		any:   []evidence.Clue{evidence.Unauthorized, evidence.SaysCredentials},
		proof: []evidence.Clue{evidence.Unauthorized, evidence.SaysCredentials},
		weights: []weight{
			{evidence.SaysCredentials, strong, 0},
			{evidence.Unauthorized, proves, opposite(proves)},
		},
		tells: map[Experiment]Outcome{HalfRate: Stays, HalfConcurrency: Stays, Fresh: Stays},
		says:  "the credentials are refused",
		advice: func(_ *Investigation, _ *hypothesis) []string {
			return []string{
				"look at how long tokens live and when they were last renewed, and at what the service allows these requests",
			}
		},
	}
}
