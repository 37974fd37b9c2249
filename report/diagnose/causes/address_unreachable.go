package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// addressUnreachable: no host has the address that is asked.
func addressUnreachable() rule {
	return rule{
		cause: "address-unreachable", mechanism: report.MechanismLoss, leg: path,
		any:   []evidence.Clue{evidence.Unanswered},
		proof: []evidence.Clue{evidence.Unanswered},
		told:  []evidence.Clue{evidence.Unanswered},
		never: []evidence.Clue{evidence.Answered, evidence.CertificateRefused},
		weights: []weight{
			{evidence.Unanswered, proves, 0},
			{evidence.StandsUnreached, strong, 0},
			{evidence.FilterDropped, opposite(strong), 0},
		},
		says: "no host on the network answers for the address that is asked",
		advice: func(_ *Investigation, _ *hypothesis) []string {
			return []string{
				"look who has the address now (ip neigh, ip addr on the host that should): a host that is down, or has moved to another address while names were looked up only at start",
				"let whoever asks it look the name up again (nginx: resolver and a variable in proxy_pass; haproxy: resolvers), and restart or reload it meanwhile",
			}
		},
	}
}
