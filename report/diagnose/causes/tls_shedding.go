package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// tlsShedding: connections were dropped before their TLS handshake.
func tlsShedding() Rule {
	return Rule{
		Cause: "tls-shedding", Mechanism: report.MechanismTLS, Own: true, Any: []evidence.Clue{evidence.InTLS}, Must: []evidence.Clue{evidence.InTLS},
		Proof: []evidence.Clue{evidence.InTLS},
		Never: []evidence.Clue{evidence.CertificateRefused, evidence.AlertTold},
		Weights: []weight{
			{evidence.InTLS, 4, -5},
			{evidence.OnlyTimeouts, -3, 0},
			{evidence.SentUnread, 1, -0.3},
			{evidence.RisesWithLoad, 1.5, -1},
			{evidence.DescriptorsFull, -3, 0.3},
			{evidence.DiedWithFaults, -3, 0},
			{evidence.SentNone, -4, 0.3},
			{evidence.TlsFaults, -3, 0},
			{evidence.PathTTL, -3, 0},
			{evidence.Overflowed, -1, 0},
		},
		tells: map[Experiment]Outcome{Kept: Goes, Fresh: Stays},
		Says:  "connections were dropped before their TLS handshake",
		advice: func(_ *Investigation, _ *Hypothesis) []string {
			return []string{"give handshakes more processor, use ECDSA certificates and session resumption", "let callers reuse connections: each new one costs a handshake"}
		},
	}
}
