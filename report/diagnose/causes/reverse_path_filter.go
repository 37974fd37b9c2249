package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// reversePathFilter: a kernel dropped packets for their sender's address, to which it
// has another way.
func reversePathFilter() Rule {
	return Rule{
		Cause: "reverse-path-filter", Mechanism: report.MechanismPolicy, Leg: Path, Any: []evidence.Clue{evidence.ReverseDropped}, Must: []evidence.Clue{evidence.SomeTimeouts},
		Proof: []evidence.Clue{evidence.ReverseDropped},
		Never: []evidence.Clue{evidence.Answered, evidence.CertificateRefused},
		Weights: []weight{
			{evidence.StandsBetween, weak, 0},
			{evidence.StandsUnreached, weak, 0},
			{evidence.ReverseDropped, Proves, Opposite(Proves)},
			{evidence.OnlyTimeouts, weak, Opposite(weak)},
			{evidence.QueueDropped, Opposite(Strong), 0},
		},
		Says: "a kernel dropped packets because its way back to their sender is another one",
		advice: func(_ *Investigation, _ *Hypothesis) []string {
			return []string{
				"give the host that the evidence names a route back to the client over the interface that its packets come by (ip route get CLIENT)",
				"or set net.ipv4.conf.*.rp_filter=2 (loose) where routes are asymmetric on purpose",
			}
		},
	}
}
