package path

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// reversePathFilter: a kernel dropped packets because its route back to their source address goes
// through another interface (rp_filter).
func reversePathFilter() inquiry.Rule {
	return inquiry.Rule{
		Cause: "reverse-path-filter", Mechanism: report.MechanismPolicy, Leg: inquiry.Path, Any: []evidence.Clue{evidence.ReverseDropped}, Must: []evidence.Clue{evidence.SomeTimeouts},
		Proof: []evidence.Clue{evidence.ReverseDropped},
		Never: []evidence.Clue{evidence.Answered, evidence.CertificateRefused},
		Weights: []inquiry.Weight{
			{Clue: evidence.StandsBetween, Yes: inquiry.Weak, No: 0},
			{Clue: evidence.StandsUnreached, Yes: inquiry.Weak, No: 0},
			{Clue: evidence.ReverseDropped, Yes: inquiry.Proves, No: inquiry.Opposite(inquiry.Proves)},
			{Clue: evidence.OnlyTimeouts, Yes: inquiry.Weak, No: inquiry.Opposite(inquiry.Weak)},
			{Clue: evidence.QueueDropped, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
		},
		Says: "a kernel dropped packets because its way back to their sender is another one",
		Advice: func(_ *inquiry.Investigation, _ *inquiry.Hypothesis) []string {
			return []string{
				"give the host that the evidence names a route back to the client over the interface that its packets come by (ip route get CLIENT)",
				"or set net.ipv4.conf.*.rp_filter=2 (loose) where routes are asymmetric on purpose",
			}
		},
	}
}
