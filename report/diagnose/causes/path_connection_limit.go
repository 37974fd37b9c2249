package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// pathConnectionLimit: something on the path allows only a number of connections.
func pathConnectionLimit() Rule {
	return Rule{
		Cause: "path-connection-limit", Mechanism: report.MechanismPolicy, Leg: Path, TurnsAway: true, Any: []evidence.Clue{evidence.ConnectionsCapped, evidence.SentNone, evidence.Vanished}, Must: []evidence.Clue{evidence.RisesWithLoad},
		Proof:  []evidence.Clue{evidence.ConnectionsCapped},
		Unless: []evidence.Clue{evidence.ConntrackFlat, evidence.ConntrackInvalid, evidence.StrayReset},
		Never:  []evidence.Clue{evidence.Answered, evidence.CertificateRefused, evidence.StreamResets},
		Weights: []weight{
			{evidence.FilterDropped, weak, 0},
			{evidence.ReverseDropped, Opposite(Proves), 0},
			{evidence.TrackingDropped, Opposite(Strong), 0},
			{evidence.PathRejected, weak, 0},
			{evidence.QueueDropped, Opposite(Strong), 0},
			{evidence.InBursts, -2, 0},
			{evidence.AllFail, -2.5, 0},
			{evidence.Vanished, 1.5, -2},
			{evidence.ConntrackFlat, 1.5, 0},
			{evidence.ExcessFails, 1.2, 0},
			{evidence.MostlyEOF, -4, 0},
			{evidence.Crowded, 0.6, -2},
			{evidence.ConnectionsCapped, 2.5, -1},
			{evidence.InDial, 1, -1.5},
			{evidence.SomeRefused, 1, 0},
			{evidence.SentNone, 3, -4},
			{evidence.PathTTL, 2.5, -4},
			{evidence.OnlyTimeouts, -1, 0},
			{evidence.Loopback, -5, 0},
			{evidence.FreshOnly, 0.7, -1},
			{evidence.Overflowed, -2, 0},
			{evidence.DescriptorsFull, -2, 0},
			{evidence.LivePacket, -3, 0},
			{evidence.IdleGap, -3, 0},
			{evidence.DiedWithFaults, -3, 0},
		},
		tells: map[Experiment]Outcome{HalfConcurrency: Goes, HalfRate: Stays, TwoSources: Goes},
		Says:  "something on the path allows only a number of connections",
		advice: func(_ *Investigation, _ *Hypothesis) []string {
			return []string{"raise the limit on connections per source of the device on the path (connlimit, conn-limit)", "let the client reuse connections, or spread it over several addresses"}
		},
	}
}
