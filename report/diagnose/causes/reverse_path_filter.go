package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// reversePathFilter: a kernel dropped packets for their sender's address, to which it
// has another way.
func reversePathFilter() rule {
	return rule{
		cause: "reverse-path-filter", mechanism: report.MechanismPolicy, leg: path, any: []evidence.Clue{evidence.ReverseDropped}, must: []evidence.Clue{evidence.SomeTimeouts},
		proof: []evidence.Clue{evidence.ReverseDropped},
		never: []evidence.Clue{evidence.Answered, evidence.CertificateRefused},
		weights: []weight{
			{evidence.StandsBetween, weak, 0},
			{evidence.StandsUnreached, weak, 0},
			{evidence.ReverseDropped, proves, opposite(proves)},
			{evidence.OnlyTimeouts, weak, opposite(weak)},
			{evidence.QueueDropped, opposite(strong), 0},
		},
		says: "a kernel dropped packets because its way back to their sender is another one",
		advice: func(_ *Investigation, _ *hypothesis) []string {
			return []string{
				"give the host that the evidence names a route back to the client over the interface that its packets come by (ip route get CLIENT)",
				"or set net.ipv4.conf.*.rp_filter=2 (loose) where routes are asymmetric on purpose",
			}
		},
	}
}
