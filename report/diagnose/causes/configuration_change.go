package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
	"github.com/rampload/rampload/report/diagnose/words"
	"github.com/rampload/rampload/report/format"
)

// configurationChange: a service got another configuration or version, and answers differently
// from then on. Nothing ran out, and the load has no influence.
func configurationChange() inquiry.Rule {
	return inquiry.Rule{
		Cause: "configuration-change", Mechanism: report.MechanismBug,
		Any:   []evidence.Clue{evidence.Reloaded},
		Proof: []evidence.Clue{evidence.Reloaded},
		Told:  []evidence.Clue{evidence.Reloaded},
		// An answer that gives a reason, or requests that wait, say more than that something changed.
		Unless: []evidence.Clue{evidence.WaitedInVain, evidence.RateStatus, evidence.Unauthorized, evidence.TooLarge, evidence.CertificateRefused, evidence.SaysCertificate, evidence.AlertMismatch, evidence.SaysMismatch},
		Never:  []evidence.Clue{evidence.SomeResets, evidence.SomeEOF, evidence.SomeRefused},
		Weights: []inquiry.Weight{
			{Clue: evidence.Reloaded, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.TurnedAway, Yes: inquiry.Strong, No: 0},
			{Clue: evidence.SaysException, Yes: inquiry.Opposite(inquiry.Weak), No: 0},
			{Clue: evidence.LatencyFirst, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
		},
		Tells: map[inquiry.Experiment]inquiry.Outcome{inquiry.HalfRate: inquiry.Stays, inquiry.HalfConcurrency: inquiry.Stays, inquiry.Fresh: inquiry.Stays},
		Says:  "it was given another configuration or version, and answers otherwise since",
		Advice: func(c *inquiry.Investigation, h *inquiry.Hypothesis) []string {
			return []string{
				"compare the configuration and version of " + words.OrThe(h.Hop.Process()) + " on " + h.Hop.Host + " with those before " + format.Seconds(c.At) + " into the run, and take the change back",
				"test a new configuration with one request of each kind before it is loaded",
			}
		},
	}
}
