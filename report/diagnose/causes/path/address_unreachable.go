package path

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// addressUnreachable: no host has the address. From outside it looks like a packet filter that
// drops silently: only a kernel, or the error that the caller got, tells them apart.
func addressUnreachable() inquiry.Rule {
	return inquiry.Rule{
		Cause: "address-unreachable", Mechanism: report.MechanismLoss, Leg: inquiry.Path,
		Any:   []evidence.Clue{evidence.Unanswered, evidence.StandsUnreached},
		Proof: []evidence.Clue{evidence.Unanswered},
		Told:  []evidence.Clue{evidence.Unanswered},
		Never: []evidence.Clue{evidence.Answered, evidence.CertificateRefused, evidence.AddressTaken, evidence.SynsArrived},
		Weights: []inquiry.Weight{
			{Clue: evidence.Unanswered, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.StandsUnreached, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.AddressLeft, Yes: inquiry.Strong, No: 0},
			{Clue: evidence.Died, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.EndedBeside, Yes: inquiry.Opposite(inquiry.Strong), No: 0},  // the process there has ended, so the address may well exist
			{Clue: evidence.NotForwarded, Yes: inquiry.Opposite(inquiry.Proves), No: 0}, // a router has a next hop for it
			{Clue: evidence.ReverseDropped, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.TrackingDropped, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.InsertFailed, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.QueueDropped, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.FilterDropped, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
		},
		Says: "the address that is asked is not reached: no host answers for it, or there is no way to it",
		Advice: func(_ *inquiry.Investigation, _ *inquiry.Hypothesis) []string {
			return []string{
				"look who has the address now (ip neigh, ip addr on the host that should): a host that is down, or has moved to another address while names were looked up only at start",
				"let whoever asks it look the name up again (nginx: resolver and a variable in proxy_pass; haproxy: resolvers), and restart or reload it meanwhile",
			}
		},
	}
}
