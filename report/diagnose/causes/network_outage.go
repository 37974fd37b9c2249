package causes

import (
	"fmt"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/words"
)

// networkOutage: the network was interrupted for a while.
func networkOutage() Rule {
	return Rule{
		Cause: "network-outage", Mechanism: report.MechanismLoss, Leg: Path, Any: []evidence.Clue{evidence.AbortTimeouts, evidence.InBursts, evidence.StandsBetween, evidence.StandsUnreached},
		Proof: []evidence.Clue{evidence.Blackout, evidence.AbortTimeouts, evidence.LinkDropped, evidence.InBursts},
		Never: []evidence.Clue{evidence.Answered, evidence.CertificateRefused},
		Weights: []weight{
			{evidence.StandsBetween, Strong, 0},
			{evidence.StandsUnreached, Proves, 0},
			{evidence.FilterDropped, Opposite(Proves), 0},
			{evidence.ReverseDropped, Opposite(Proves), 0},
			{evidence.TooBigDropped, Opposite(Strong), 0},
			{evidence.QueueDropped, Opposite(Strong), 0},
			{evidence.AcceptedLate, Opposite(Strong), 0},
			{evidence.ReadLate, Opposite(Strong), 0},
			{evidence.Vanished, 0.7, -0.5},
			{evidence.Blackout, 1.5, 0},
			{evidence.LinkDropped, 1.5, 0},
			{evidence.AbortTimeouts, 2, -0.5},
			{evidence.ServedMeanwhile, -5, 0.5},
			{evidence.InBursts, 1.5, -2},
			{evidence.SynsLost, -2, 0},
			{evidence.RisesWithLoad, -1.5, 0},
			{evidence.Retransmitted, 1.5, -1},
			{evidence.SomeTimeouts, 1, -2},
			{evidence.SentFromListener, 1, 0},
			{evidence.DiedWithFaults, -4, 0.5},
			{evidence.Loopback, -3, 0},
			{evidence.Overflowed, -1, 0},
			{evidence.RetransAlways, -1.5, 0.3},
			{evidence.DescriptorsFull, -1.5, 0},
			{evidence.ConstantShare, -3, 0},
			{evidence.ProcessorFull, -1, 0},
		},
		Says: "the network was interrupted for a while",
		advice: func(c *Investigation, _ *Hypothesis) []string {
			return []string{fmt.Sprintf("ask what happened on the network %s into the run", words.WordSeconds(c.At)), "let clients retry idempotent requests with backoff and jitter across such a time"}
		},
	}
}
