package path

import (
	"fmt"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// pathRateLimit: something on the path refuses connections or drops packets above a rate.
func pathRateLimit() inquiry.Rule {
	return inquiry.Rule{
		Cause: "path-rate-limit", Mechanism: report.MechanismPolicy, Leg: inquiry.Path, TurnsAway: true, Any: []evidence.Clue{evidence.ExcessFails, evidence.RisesWithLoad, evidence.StandsNewOnly}, Must: []evidence.Clue{evidence.RisesWithLoad},
		Told:   []evidence.Clue{evidence.FilterDropped},
		Proof:  []evidence.Clue{evidence.FilterDropped, evidence.ExcessFails, evidence.Cliff},
		Unless: []evidence.Clue{evidence.Crowded, evidence.ConnectionsCapped},
		Never:  []evidence.Clue{evidence.Answered, evidence.CertificateRefused, evidence.StreamResets},
		Weights: []inquiry.Weight{
			{Clue: evidence.StandsNewOnly, Yes: inquiry.Strong, No: 0},
			{Clue: evidence.FilterDropped, Yes: inquiry.Strong, No: 0},
			{Clue: evidence.ReverseDropped, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.TrackingDropped, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.PathRejected, Yes: inquiry.Weak, No: 0},
			{Clue: evidence.QueueDropped, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.AcceptedLate, Yes: inquiry.Opposite(inquiry.Weak), No: 0},
			{Clue: evidence.Vanished, Yes: 2, No: -2},
			{Clue: evidence.GapUnfilled, Yes: 2.5, No: 0},
			{Clue: evidence.LostRetransmits, Yes: 1, No: 0},
			{Clue: evidence.AllFail, Yes: -2.5, No: 0},
			{Clue: evidence.Cliff, Yes: 1.5, No: 0},
			{Clue: evidence.MostlyEOF, Yes: -4, No: 0},
			{Clue: evidence.Crowded, Yes: -1.5, No: 0.5},
			{Clue: evidence.ExcessFails, Yes: 2, No: -1.5},
			{Clue: evidence.RisesWithLoad, Yes: 1, No: -3},
			{Clue: evidence.SentNone, Yes: 4, No: -4},
			{Clue: evidence.PathTTL, Yes: 2.5, No: -4},
			{Clue: evidence.OnlyTimeouts, Yes: -1.5, No: 0},
			{Clue: evidence.Loopback, Yes: -5, No: 0},
			{Clue: evidence.ConnectionsCapped, Yes: -1, No: 0},
			{Clue: evidence.LatencyFirst, Yes: -2.5, No: 0.5},
			{Clue: evidence.ForgedPacket, Yes: -1, No: 0},
			{Clue: evidence.BothEnds, Yes: -2, No: 0},
			{Clue: evidence.SomeEOF, Yes: -1, No: 0},
			{Clue: evidence.DialResets, Yes: -2, No: 0},
			{Clue: evidence.DescriptorsFull, Yes: -1, No: 0},
			{Clue: evidence.InDial, Yes: -0.5, No: 0.3},
			{Clue: evidence.LivePacket, Yes: -3, No: 0},
			{Clue: evidence.IdleGap, Yes: -3, No: 0},
			{Clue: evidence.SentLinger, Yes: -3, No: 0},
		},
		Tells: map[inquiry.Experiment]inquiry.Outcome{inquiry.Kept: inquiry.Goes, inquiry.Fresh: inquiry.Stays, inquiry.HalfConcurrency: inquiry.Stays, inquiry.HalfRate: inquiry.Goes, inquiry.TwoSources: inquiry.Goes},
		Says:  "something on the path turns away what exceeds a rate",
		Advice: func(c *inquiry.Investigation, _ *inquiry.Hypothesis) []string {
			return []string{fmt.Sprintf("raise the rate limit of the device on the path: from %s on it turns traffic away", c.Run.LoadText(c.Onset.Load.Value, c.Onset.At.Value))}
		},
	}
}
