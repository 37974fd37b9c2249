package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// conntrackInvalid: connection tracking did not know packets as its own and passed them on untranslated.
func conntrackInvalid() Rule {
	return Rule{
		Cause: "conntrack-invalid", Mechanism: report.MechanismBug, Leg: Path, Any: []evidence.Clue{evidence.StrayReset, evidence.ConntrackInvalid},
		Proof: []evidence.Clue{evidence.StrayReset, evidence.ConntrackInvalid},
		Never: []evidence.Clue{evidence.Answered, evidence.CertificateRefused},
		Weights: []weight{
			{evidence.StrayReset, 4, -1}, {evidence.ConntrackInvalid, 3, -2}, {evidence.AtOnce, 1.5, 0}, {evidence.BothEnds, 1.5, 0}, {evidence.PathTTL, 1.5, -1}, {evidence.SentFromListener, 1, 0}, {evidence.ClientSent, 1, 0}, {evidence.Loopback, -2, 0}, {evidence.DiedWithFaults, -2, 0},
		},
		Says: "connection tracking did not know packets as its own and passed them on untranslated",
		advice: func(_ *Investigation, _ *Hypothesis) []string {
			return []string{"drop packets of state INVALID on the translating host, or set net.netfilter.nf_conntrack_tcp_be_liberal=1"}
		},
	}
}
