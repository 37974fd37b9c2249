package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// tlsShedding: connections were dropped before their TLS handshake.
func tlsShedding() rule {
	return rule{
		cause: "tls-shedding", mechanism: report.MechanismTLS, own: true, any: []evidence.Clue{evidence.InTLS}, must: []evidence.Clue{evidence.InTLS},
		proof: []evidence.Clue{evidence.InTLS},
		never: []evidence.Clue{evidence.CertificateRefused, evidence.AlertTold},
		weights: []weight{
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
		says:  "connections were dropped before their TLS handshake",
		advice: func(_ *Investigation, _ *hypothesis) []string {
			return []string{"give handshakes more processor, use ECDSA certificates and session resumption", "let callers reuse connections: each new one costs a handshake"}
		},
	}
}
