package causes

import (
	"fmt"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// pathRateLimit: something on the path turns away what exceeds a rate.
func pathRateLimit() Rule {
	return Rule{
		Cause: "path-rate-limit", Mechanism: report.MechanismPolicy, Leg: Path, TurnsAway: true, Any: []evidence.Clue{evidence.ExcessFails, evidence.RisesWithLoad}, Must: []evidence.Clue{evidence.RisesWithLoad},
		Told:   []evidence.Clue{evidence.FilterDropped},
		Proof:  []evidence.Clue{evidence.FilterDropped, evidence.ExcessFails, evidence.Cliff},
		Unless: []evidence.Clue{evidence.Crowded, evidence.ConnectionsCapped},
		Never:  []evidence.Clue{evidence.Answered, evidence.CertificateRefused, evidence.StreamResets},
		Weights: []weight{
			{evidence.FilterDropped, Strong, 0},
			{evidence.ReverseDropped, Opposite(Proves), 0},
			{evidence.TrackingDropped, Opposite(Strong), 0},
			{evidence.PathRejected, weak, 0},
			{evidence.QueueDropped, Opposite(Strong), 0},
			{evidence.AcceptedLate, Opposite(weak), 0},
			{evidence.Vanished, 2, -2},
			{evidence.GapUnfilled, 2.5, 0},
			{evidence.LostRetransmits, 1, 0},
			{evidence.AllFail, -2.5, 0},
			{evidence.Cliff, 1.5, 0},
			{evidence.MostlyEOF, -4, 0},
			{evidence.Crowded, -1.5, 0.5},
			{evidence.ExcessFails, 2, -1.5},
			{evidence.RisesWithLoad, 1, -3},
			{evidence.SentNone, 4, -4},
			{evidence.PathTTL, 2.5, -4},
			{evidence.OnlyTimeouts, -1.5, 0},
			{evidence.Loopback, -5, 0},
			{evidence.ConnectionsCapped, -1, 0},
			{evidence.LatencyFirst, -2.5, 0.5},
			{evidence.ForgedPacket, -1, 0},
			{evidence.BothEnds, -2, 0},
			{evidence.SomeEOF, -1, 0},
			{evidence.DialResets, -2, 0},
			{evidence.DescriptorsFull, -1, 0},
			{evidence.InDial, -0.5, 0.3},
			{evidence.LivePacket, -3, 0},
			{evidence.IdleGap, -3, 0},
			{evidence.SentLinger, -3, 0},
		},
		tells: map[Experiment]Outcome{Kept: Goes, Fresh: Stays, HalfConcurrency: Stays, HalfRate: Goes, TwoSources: Goes},
		Says:  "something on the path turns away what exceeds a rate",
		advice: func(c *Investigation, _ *Hypothesis) []string {
			return []string{fmt.Sprintf("raise the rate limit of the device on the path: from %s on it turns traffic away", c.Run.LoadText(c.Onset.Load.Value, c.Onset.At.Value))}
		},
	}
}
