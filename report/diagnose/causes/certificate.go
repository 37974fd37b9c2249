package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// certificate: the certificate is not accepted, by this side or by the other.
func certificate() Rule {
	return Rule{
		Cause: "certificate", Mechanism: report.MechanismTLS,
		Any:   []evidence.Clue{evidence.CallerEndsAll, evidence.CertificateRefused, evidence.AlertTold, evidence.SaysCertificate},
		Proof: []evidence.Clue{evidence.TLSHop, evidence.CertificateRefused, evidence.AlertTold, evidence.SaysCertificate},
		Told:  []evidence.Clue{evidence.SaysCertificate},
		Weights: []weight{
			{evidence.CertificateRefused, Proves, Opposite(Strong)},
			{evidence.AlertTold, Strong, 0},
			{evidence.CallerEndsAll, weak, 0},
			{evidence.TLSHop, Strong, Opposite(weak)},
			{evidence.SaysCertificate, Proves, 0},
			{evidence.InTLS, weak, Opposite(weak)},
			{evidence.ConstantShare, weak, 0},
		},
		tells:   map[Experiment]Outcome{HalfRate: Stays, HalfConcurrency: Stays},
		Despite: map[evidence.Clue][]evidence.Clue{evidence.SaysCertificate: {evidence.CertificateRefused, evidence.InTLS}, evidence.CallerEndsAll: {evidence.CertificateRefused, evidence.InTLS}},
		Says:    "the certificate was not accepted",
		advice: func(_ *Investigation, _ *Hypothesis) []string {
			return []string{
				"look at the certificate that is shown: its names, its dates, who signed it, and whom the other side trusts",
				"if its authority is your own, name it: client.tls.ca",
			}
		},
	}
}
