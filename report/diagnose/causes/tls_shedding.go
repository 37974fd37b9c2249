package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// tlsShedding: the server dropped connections before their TLS handshake.
func tlsShedding() inquiry.Rule {
	return inquiry.Rule{
		Cause: "tls-shedding", Mechanism: report.MechanismTLS, Own: true, Any: []evidence.Clue{evidence.InTLS}, Must: []evidence.Clue{evidence.InTLS},
		Proof: []evidence.Clue{evidence.InTLS},
		Never: []evidence.Clue{evidence.CertificateRefused, evidence.AlertTold, evidence.SaysMismatch},
		Weights: []inquiry.Weight{
			{Clue: evidence.InTLS, Yes: 4, No: -5},
			{Clue: evidence.OnlyTimeouts, Yes: -3, No: 0},
			{Clue: evidence.SentUnread, Yes: 1, No: -0.3},
			{Clue: evidence.RisesWithLoad, Yes: 1.5, No: -1},
			{Clue: evidence.DescriptorsFull, Yes: -3, No: 0.3},
			{Clue: evidence.DiedWithFaults, Yes: -3, No: 0},
			{Clue: evidence.SentNone, Yes: -4, No: 0.3},
			{Clue: evidence.TlsFaults, Yes: -3, No: 0},
			{Clue: evidence.PathTTL, Yes: -3, No: 0},
			{Clue: evidence.Overflowed, Yes: -1, No: 0},
		},
		Tells: map[inquiry.Experiment]inquiry.Outcome{inquiry.Kept: inquiry.Goes, inquiry.Fresh: inquiry.Stays},
		Says:  "connections were dropped before their TLS handshake",
		Advice: func(_ *inquiry.Investigation, _ *inquiry.Hypothesis) []string {
			return []string{"give handshakes more processor, use ECDSA certificates and session resumption", "let callers reuse connections: each new one costs a handshake"}
		},
	}
}
