package path

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// packetLoss: packets are lost.
func packetLoss() inquiry.Rule {
	return inquiry.Rule{
		Cause: "packet-loss", Mechanism: report.MechanismLoss, Leg: inquiry.Path,
		Any:    []evidence.Clue{evidence.RetransAlways, evidence.Retransmitted, evidence.DialTimeouts, evidence.StandsBetween, evidence.SynsArrived, evidence.RetransBegan},
		Proof:  []evidence.Clue{evidence.RetransAlways, evidence.RetransBegan, evidence.Retransmitted, evidence.LinkDropped, evidence.DroppedInPart}, // requests that have not arrived may have been dropped by a filter
		Unless: []evidence.Clue{evidence.MostlyResets, evidence.SomeRefused, evidence.StandsStill},
		// Random loss hits packets of open connections as well as those that open one.
		Never: []evidence.Clue{evidence.Answered, evidence.CertificateRefused, evidence.StandsNewOnly},
		Weights: []inquiry.Weight{
			{Clue: evidence.StandsBetween, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.SynsArrived, Yes: inquiry.Strong, No: 0},
			{Clue: evidence.StandsStill, Yes: inquiry.Opposite(inquiry.Strong), No: 0}, // loss hits some packets, and does not stop everything
			{Clue: evidence.DroppedInPart, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.FilterDropped, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.ReverseDropped, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.TooBigDropped, Yes: inquiry.Opposite(inquiry.Proves), No: 0}, // packets are sent again because they are too big
			{Clue: evidence.QueueDropped, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.AcceptedLate, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.ReadLate, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.Vanished, Yes: 1, No: -1},
			{Clue: evidence.GapUnfilled, Yes: -1, No: 0},
			{Clue: evidence.Blackout, Yes: -2, No: 0},
			{Clue: evidence.LinkDropped, Yes: 1, No: 0},
			{Clue: evidence.RetransAlways, Yes: 3, No: -3},
			{Clue: evidence.RetransBegan, Yes: inquiry.Strong, No: 0},
			{Clue: evidence.SynsLost, Yes: -1.5, No: 0.3},
			{Clue: evidence.RisesWithLoad, Yes: -1, No: 0.3},
			{Clue: evidence.Retransmitted, Yes: 1.5, No: -1.5},
			{Clue: evidence.ConstantShare, Yes: 1.5, No: -1.5},
			{Clue: evidence.OnlyTimeouts, Yes: 1.5, No: -1},
			{Clue: evidence.LostRetransmits, Yes: -1, No: 0.3},
			{Clue: evidence.Overflowed, Yes: -1.5, No: 0},
			{Clue: evidence.SomeEOF, Yes: -2, No: 0},
			{Clue: evidence.SentUnread, Yes: -3, No: 0},
			{Clue: evidence.SentLinger, Yes: -3, No: 0},
			{Clue: evidence.Loopback, Yes: -2, No: 0},
			{Clue: evidence.DiedWithFaults, Yes: -2, No: 0},
			{Clue: evidence.InBody, Yes: -0.3, No: 0},
			{Clue: evidence.InBursts, Yes: -1, No: 0},
		},
		// The kernels' counters say more than the shape of the failures.
		Instead: map[evidence.Clue][]evidence.Clue{
			evidence.RetransBegan:  {evidence.Vanished, evidence.Retransmitted, evidence.ConstantShare, evidence.OnlyTimeouts, evidence.LostRetransmits, evidence.RisesWithLoad, evidence.SynsLost},
			evidence.DroppedInPart: {evidence.FilterDropped}, // both count the same packets, and the share dropped says more
		},
		Tells: map[inquiry.Experiment]inquiry.Outcome{inquiry.HalfConcurrency: inquiry.Stays, inquiry.HalfRate: inquiry.Stays, inquiry.Fresh: inquiry.Stays, inquiry.TwoSources: inquiry.Stays},
		Says:  "packets are lost",
		Advice: func(_ *inquiry.Investigation, _ *inquiry.Hypothesis) []string {
			return []string{"look for the lossy link: interface errors and drops (ip -s link), queue drops (tc -s qdisc), a duplex or cable fault"}
		},
	}
}
