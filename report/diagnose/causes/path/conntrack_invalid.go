package path

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// conntrackInvalid: connection tracking took packets for invalid, and passed them on untranslated.
func conntrackInvalid() inquiry.Rule {
	return inquiry.Rule{
		Cause: "conntrack-invalid", Mechanism: report.MechanismBug, Leg: inquiry.Path, Any: []evidence.Clue{evidence.StrayReset, evidence.ConntrackInvalid},
		Proof: []evidence.Clue{evidence.StrayReset, evidence.ConntrackInvalid},
		Never: []evidence.Clue{evidence.Answered, evidence.CertificateRefused},
		Weights: []inquiry.Weight{
			{Clue: evidence.StrayReset, Yes: 4, No: -1}, {Clue: evidence.ConntrackInvalid, Yes: 3, No: -2}, {Clue: evidence.AtOnce, Yes: 1.5, No: 0}, {Clue: evidence.BothEnds, Yes: 1.5, No: 0}, {Clue: evidence.PathTTL, Yes: 1.5, No: -1}, {Clue: evidence.SentFromListener, Yes: 1, No: 0}, {Clue: evidence.ClientSent, Yes: 1, No: 0}, {Clue: evidence.Loopback, Yes: -2, No: 0}, {Clue: evidence.DiedWithFaults, Yes: -2, No: 0},
		},
		Says: "connection tracking did not know packets as its own and passed them on untranslated",
		Advice: func(_ *inquiry.Investigation, _ *inquiry.Hypothesis) []string {
			return []string{"drop packets of state INVALID on the translating host, or set net.netfilter.nf_conntrack_tcp_be_liberal=1"}
		},
	}
}
