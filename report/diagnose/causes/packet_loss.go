package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// packetLoss: packets are lost.
func packetLoss() Rule {
	return Rule{
		Cause: "packet-loss", Mechanism: report.MechanismLoss, Leg: Path,
		Any:    []evidence.Clue{evidence.RetransAlways, evidence.Retransmitted, evidence.DialTimeouts, evidence.StandsBetween},
		Proof:  []evidence.Clue{evidence.RetransAlways, evidence.Retransmitted, evidence.LinkDropped, evidence.StandsBetween},
		Unless: []evidence.Clue{evidence.MostlyResets, evidence.SomeRefused, evidence.StandsStill},
		Never:  []evidence.Clue{evidence.Answered, evidence.CertificateRefused},
		Weights: []weight{
			{evidence.StandsBetween, Proves, 0},
			{evidence.StandsStill, Opposite(Strong), 0}, // what is lost is lost in part
			{evidence.FilterDropped, Opposite(Proves), 0},
			{evidence.ReverseDropped, Opposite(Proves), 0},
			{evidence.TooBigDropped, Opposite(Strong), 0},
			{evidence.QueueDropped, Opposite(Strong), 0},
			{evidence.AcceptedLate, Opposite(Strong), 0},
			{evidence.ReadLate, Opposite(Strong), 0},
			{evidence.Vanished, 1, -1},
			{evidence.GapUnfilled, -1, 0},
			{evidence.Blackout, -2, 0},
			{evidence.LinkDropped, 1, 0},
			{evidence.RetransAlways, 3, -3},
			{evidence.SynsLost, -1.5, 0.3},
			{evidence.RisesWithLoad, -1, 0.3},
			{evidence.Retransmitted, 1.5, -1.5},
			{evidence.ConstantShare, 1.5, -1.5},
			{evidence.OnlyTimeouts, 1.5, -1},
			{evidence.LostRetransmits, -1, 0.3},
			{evidence.Overflowed, -1.5, 0},
			{evidence.SomeEOF, -2, 0},
			{evidence.SentUnread, -3, 0},
			{evidence.SentLinger, -3, 0},
			{evidence.Loopback, -2, 0},
			{evidence.DiedWithFaults, -2, 0},
			{evidence.InBody, -0.3, 0},
			{evidence.InBursts, -1, 0},
		},
		tells: map[Experiment]Outcome{HalfConcurrency: Stays, HalfRate: Stays, Fresh: Stays, TwoSources: Stays},
		Says:  "packets are lost",
		advice: func(_ *Investigation, _ *Hypothesis) []string {
			return []string{"look for the lossy link: interface errors and drops (ip -s link), queue drops (tc -s qdisc), a duplex or cable fault"}
		},
	}
}
