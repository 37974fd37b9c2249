package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// certificate: the certificate is not accepted, by this side or by the other.
func certificate() rule {
	return rule{
		cause: "certificate", mechanism: report.MechanismTLS,
		any:   []evidence.Clue{evidence.CallerEndsAll, evidence.CertificateRefused, evidence.AlertTold, evidence.SaysCertificate},
		proof: []evidence.Clue{evidence.TLSHop, evidence.CertificateRefused, evidence.AlertTold, evidence.SaysCertificate},
		told:  []evidence.Clue{evidence.SaysCertificate},
		weights: []weight{
			{evidence.CertificateRefused, proves, opposite(strong)},
			{evidence.AlertTold, strong, 0},
			{evidence.CallerEndsAll, weak, 0},
			{evidence.TLSHop, strong, opposite(weak)},
			{evidence.SaysCertificate, proves, 0},
			{evidence.InTLS, weak, opposite(weak)},
			{evidence.ConstantShare, weak, 0},
		},
		tells:   map[Experiment]Outcome{HalfRate: Stays, HalfConcurrency: Stays},
		despite: map[evidence.Clue][]evidence.Clue{evidence.SaysCertificate: {evidence.CertificateRefused, evidence.InTLS}, evidence.CallerEndsAll: {evidence.CertificateRefused, evidence.InTLS}},
		says:    "the certificate was not accepted",
		advice: func(_ *Investigation, _ *hypothesis) []string {
			return []string{
				"look at the certificate that is shown: its names, its dates, who signed it, and whom the other side trusts",
				"if its authority is your own, name it: client.tls.ca",
			}
		},
	}
}
