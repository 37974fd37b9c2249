package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// credentials: the credentials are not accepted, or no longer.
func credentials() inquiry.Rule {
	return inquiry.Rule{
		Cause: "credentials", Mechanism: report.MechanismPolicy,
		Any:   []evidence.Clue{evidence.Unauthorized, evidence.SaysCredentials, evidence.SaysForbidden},
		Proof: []evidence.Clue{evidence.Unauthorized, evidence.SaysCredentials, evidence.SaysForbidden},
		Told:  []evidence.Clue{evidence.SaysCredentials, evidence.SaysForbidden},
		// Users who were signed in and have no session any more were accepted. The session expired,
		// or whoever keeps the sessions has lost it.
		Unless: []evidence.Clue{evidence.SessionsGone, evidence.AskedToSignIn},
		Weights: []inquiry.Weight{
			{Clue: evidence.SessionsGone, Yes: 2 * inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.SaysCredentials, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.SaysForbidden, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.Unauthorized, Yes: inquiry.Proves, No: inquiry.Opposite(inquiry.Proves)},
		},
		Tells: map[inquiry.Experiment]inquiry.Outcome{inquiry.HalfRate: inquiry.Stays, inquiry.HalfConcurrency: inquiry.Stays, inquiry.Fresh: inquiry.Stays},
		Despite: map[evidence.Clue][]evidence.Clue{ // a dependency refuses the service's credentials; the client sees another status
			evidence.SaysCredentials: {evidence.Unauthorized},
			evidence.SaysForbidden:   {evidence.Unauthorized},
		},
		Says: "the credentials are refused",
		Advice: func(_ *inquiry.Investigation, _ *inquiry.Hypothesis) []string {
			return []string{"look at how long tokens live and when they were last renewed, and at what the service allows these requests"}
		},
	}
}
