package path

import (
	"fmt"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
	"github.com/rampload/rampload/report/format"
)

// networkOutage: the network was interrupted for a while.
func networkOutage() inquiry.Rule {
	return inquiry.Rule{
		Cause: "network-outage", Mechanism: report.MechanismLoss, Leg: inquiry.Path, Any: []evidence.Clue{evidence.AbortTimeouts, evidence.InBursts, evidence.StandsBetween, evidence.StandsUnreached, evidence.NotForwarded},
		Proof: []evidence.Clue{evidence.Blackout, evidence.AbortTimeouts, evidence.LinkDropped, evidence.InBursts, evidence.NotForwarded},
		Told:  []evidence.Clue{evidence.NotForwarded},
		Never: []evidence.Clue{evidence.Answered, evidence.CertificateRefused},
		Weights: []inquiry.Weight{
			{Clue: evidence.NotForwarded, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.StandsNewOnly, Yes: inquiry.Opposite(inquiry.Proves), No: 0}, // connections that were up go on
			{Clue: evidence.StandsBetween, Yes: inquiry.Strong, No: 0},
			{Clue: evidence.EndedBeside, Yes: inquiry.Opposite(inquiry.Strong), No: 0}, // the process that is not reached had ended
			{Clue: evidence.StandsUnreached, Yes: inquiry.Strong, No: 0},
			{Clue: evidence.SynsArrived, Yes: inquiry.Opposite(inquiry.Strong), No: 0}, // packets get through, at least one way
			{Clue: evidence.Unanswered, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.FilterDropped, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.ReverseDropped, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.TooBigDropped, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.QueueDropped, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.AcceptedLate, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.ReadLate, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.Vanished, Yes: 0.7, No: -0.5},
			{Clue: evidence.Blackout, Yes: 1.5, No: 0},
			{Clue: evidence.LinkDropped, Yes: 1.5, No: 0},
			{Clue: evidence.AbortTimeouts, Yes: 2, No: -0.5},
			{Clue: evidence.ServedMeanwhile, Yes: -5, No: 0.5},
			{Clue: evidence.InBursts, Yes: 1.5, No: -2},
			{Clue: evidence.SynsLost, Yes: -2, No: 0},
			{Clue: evidence.RisesWithLoad, Yes: -1.5, No: 0},
			{Clue: evidence.Retransmitted, Yes: 1.5, No: -1},
			{Clue: evidence.SomeTimeouts, Yes: 1, No: -2},
			{Clue: evidence.SentFromListener, Yes: 1, No: 0},
			{Clue: evidence.DiedWithFaults, Yes: -4, No: 0.5},
			{Clue: evidence.Loopback, Yes: -3, No: 0},
			{Clue: evidence.Overflowed, Yes: -1, No: 0},
			{Clue: evidence.RetransAlways, Yes: -1.5, No: 0.3},
			{Clue: evidence.DescriptorsFull, Yes: -1.5, No: 0},
			{Clue: evidence.ConstantShare, Yes: -3, No: 0},
			{Clue: evidence.ProcessorFull, Yes: -1, No: 0},
		},
		// The router's kernel counts the drops, whatever the failures look like from outside.
		Despite: map[evidence.Clue][]evidence.Clue{evidence.NotForwarded: {evidence.StandsNewOnly, evidence.ServedMeanwhile, evidence.InBursts, evidence.SynsLost, evidence.RisesWithLoad, evidence.Retransmitted, evidence.SomeTimeouts, evidence.ConstantShare, evidence.ProcessorFull}},
		Says:    "the network was interrupted",
		Advice: func(c *inquiry.Investigation, _ *inquiry.Hypothesis) []string {
			return []string{fmt.Sprintf("ask what happened on the network %s into the run", format.Seconds(c.At)), "let clients retry idempotent requests with backoff and jitter across such a time"}
		},
	}
}
