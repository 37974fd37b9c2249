package path

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// pathConnectionLimit: something on the path limits the number of connections.
func pathConnectionLimit() inquiry.Rule {
	return inquiry.Rule{
		Cause: "path-connection-limit", Mechanism: report.MechanismPolicy, Leg: inquiry.Path, TurnsAway: true, Any: []evidence.Clue{evidence.ConnectionsCapped, evidence.SentNone, evidence.Vanished, evidence.StandsNewOnly}, Must: []evidence.Clue{evidence.RisesWithLoad},
		Proof:  []evidence.Clue{evidence.ConnectionsCapped},
		Unless: []evidence.Clue{evidence.ConntrackFlat, evidence.ConntrackInvalid, evidence.StrayReset},
		Never:  []evidence.Clue{evidence.Answered, evidence.CertificateRefused, evidence.StreamResets},
		Weights: []inquiry.Weight{
			{Clue: evidence.StandsNewOnly, Yes: inquiry.Strong, No: 0},
			{Clue: evidence.FilterDropped, Yes: inquiry.Weak, No: 0},
			{Clue: evidence.ReverseDropped, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.TrackingDropped, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.PathRejected, Yes: inquiry.Weak, No: 0},
			{Clue: evidence.QueueDropped, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.InBursts, Yes: -2, No: 0},
			{Clue: evidence.AllFail, Yes: -2.5, No: 0},
			{Clue: evidence.Vanished, Yes: 1.5, No: -2},
			{Clue: evidence.ConntrackFlat, Yes: 1.5, No: 0},
			{Clue: evidence.ExcessFails, Yes: 1.2, No: 0},
			{Clue: evidence.MostlyEOF, Yes: -4, No: 0},
			{Clue: evidence.Crowded, Yes: 0.6, No: -2},
			{Clue: evidence.ConnectionsCapped, Yes: 2.5, No: -1},
			{Clue: evidence.InDial, Yes: 1, No: -1.5},
			{Clue: evidence.SomeRefused, Yes: 1, No: 0},
			{Clue: evidence.SentNone, Yes: 3, No: -4},
			{Clue: evidence.PathTTL, Yes: 2.5, No: -4},
			{Clue: evidence.OnlyTimeouts, Yes: -1, No: 0},
			{Clue: evidence.Loopback, Yes: -5, No: 0},
			{Clue: evidence.FreshOnly, Yes: 0.7, No: -1},
			{Clue: evidence.Overflowed, Yes: -2, No: 0},
			{Clue: evidence.DescriptorsFull, Yes: -2, No: 0},
			{Clue: evidence.LivePacket, Yes: -3, No: 0},
			{Clue: evidence.IdleGap, Yes: -3, No: 0},
			{Clue: evidence.DiedWithFaults, Yes: -3, No: 0},
		},
		Tells: map[inquiry.Experiment]inquiry.Outcome{inquiry.HalfConcurrency: inquiry.Goes, inquiry.HalfRate: inquiry.Stays, inquiry.TwoSources: inquiry.Goes},
		Says:  "something on the path allows only a number of connections",
		Advice: func(_ *inquiry.Investigation, _ *inquiry.Hypothesis) []string {
			return []string{"raise the limit on connections per source of the device on the path (connlimit, conn-limit)", "let the client reuse connections, or spread it over several addresses"}
		},
	}
}
