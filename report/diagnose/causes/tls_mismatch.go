package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// tlsMismatch: the two ends have no TLS version, cipher or application protocol in common.
func tlsMismatch() inquiry.Rule {
	return inquiry.Rule{
		Cause: "tls-mismatch", Mechanism: report.MechanismTLS,
		Any:   []evidence.Clue{evidence.AlertMismatch, evidence.SaysMismatch},
		Proof: []evidence.Clue{evidence.AlertMismatch, evidence.SaysMismatch},
		Told:  []evidence.Clue{evidence.AlertMismatch, evidence.SaysMismatch},
		Weights: []inquiry.Weight{
			{Clue: evidence.AlertMismatch, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.SaysMismatch, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.InTLS, Yes: inquiry.Weak, No: inquiry.Opposite(inquiry.Weak)},
		},
		Tells:   map[inquiry.Experiment]inquiry.Outcome{inquiry.HalfRate: inquiry.Stays, inquiry.HalfConcurrency: inquiry.Stays},
		Despite: map[evidence.Clue][]evidence.Clue{evidence.SaysMismatch: {evidence.InTLS}},
		Says:    "the two ends have no version, cipher or protocol of TLS in common",
		Advice: func(_ *inquiry.Investigation, _ *inquiry.Hypothesis) []string {
			return []string{
				"compare what both ends offer (openssl s_client -connect HOST:PORT -tls1_2, then -tls1_3): versions, ciphers, ALPN",
				"look for what changed at either end: a reload with another list of versions or ciphers, a library that dropped old ones",
			}
		},
	}
}
