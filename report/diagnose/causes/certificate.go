package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// certificate: one of the two sides does not accept the other's certificate.
func certificate() inquiry.Rule {
	return inquiry.Rule{
		Cause: "certificate", Mechanism: report.MechanismTLS,
		Any:   []evidence.Clue{evidence.CallerEndsAll, evidence.CertificateRefused, evidence.AlertTold, evidence.SaysCertificate},
		Proof: []evidence.Clue{evidence.TLSHop, evidence.CertificateRefused, evidence.AlertTold, evidence.SaysCertificate},
		Told:  []evidence.Clue{evidence.SaysCertificate},
		Never: []evidence.Clue{evidence.AlertMismatch, evidence.SaysMismatch}, // such a handshake ends before a certificate is sent
		Weights: []inquiry.Weight{
			{Clue: evidence.CertificateRefused, Yes: inquiry.Proves, No: inquiry.Opposite(inquiry.Strong)},
			{Clue: evidence.AlertTold, Yes: inquiry.Strong, No: 0},
			{Clue: evidence.CallerEndsAll, Yes: inquiry.Weak, No: 0},
			{Clue: evidence.TLSHop, Yes: inquiry.Strong, No: inquiry.Opposite(inquiry.Weak)},
			{Clue: evidence.SaysCertificate, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.InTLS, Yes: inquiry.Weak, No: inquiry.Opposite(inquiry.Weak)},
			{Clue: evidence.ConstantShare, Yes: inquiry.Weak, No: 0},
		},
		Tells:   map[inquiry.Experiment]inquiry.Outcome{inquiry.HalfRate: inquiry.Stays, inquiry.HalfConcurrency: inquiry.Stays},
		Despite: map[evidence.Clue][]evidence.Clue{evidence.SaysCertificate: {evidence.CertificateRefused, evidence.InTLS}, evidence.CallerEndsAll: {evidence.CertificateRefused, evidence.InTLS}},
		Says:    "the certificate was not accepted",
		Advice: func(_ *inquiry.Investigation, _ *inquiry.Hypothesis) []string {
			return []string{
				"look at the certificate that is shown: its names, its dates, who signed it, and whom the other side trusts",
				"if its authority is your own, name it: client.tls.ca",
			}
		},
	}
}
