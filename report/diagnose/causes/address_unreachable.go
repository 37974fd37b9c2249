package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// addressUnreachable: no host has the address that is asked.
func addressUnreachable() Rule {
	return Rule{
		Cause: "address-unreachable", Mechanism: report.MechanismLoss, Leg: Path,
		Any:   []evidence.Clue{evidence.Unanswered},
		Proof: []evidence.Clue{evidence.Unanswered},
		Told:  []evidence.Clue{evidence.Unanswered},
		Never: []evidence.Clue{evidence.Answered, evidence.CertificateRefused},
		Weights: []weight{
			{evidence.Unanswered, Proves, 0},
			{evidence.StandsUnreached, Strong, 0},
			{evidence.FilterDropped, Opposite(Strong), 0},
		},
		Says: "no host on the network answers for the address that is asked",
		advice: func(_ *Investigation, _ *Hypothesis) []string {
			return []string{
				"look who has the address now (ip neigh, ip addr on the host that should): a host that is down, or has moved to another address while names were looked up only at start",
				"let whoever asks it look the name up again (nginx: resolver and a variable in proxy_pass; haproxy: resolvers), and restart or reload it meanwhile",
			}
		},
	}
}
