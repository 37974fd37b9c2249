package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// idleTimeoutRace: the server closes idle connections just when the client uses them again.
func idleTimeoutRace() Rule {
	return Rule{
		Cause: "idle-timeout-race", Mechanism: report.MechanismIdle, Own: true, Any: []evidence.Clue{evidence.IdleGap, evidence.ReusedOnly, evidence.SentLate, evidence.RestingEnds},
		Proof: []evidence.Clue{evidence.IdleGap},
		Never: []evidence.Clue{evidence.FreshBehind, evidence.TriedInVain}, // what is opened for each request does not rest
		Weights: []weight{
			{evidence.RestingEnds, Proves, 0},
			{evidence.UnreadThroughout, Opposite(Strong), 0},
			{evidence.EarlyStatus, -2.5, 0},
			{evidence.PeerCloses, 0.5, -3},
			{evidence.IdleGap, 5, -4},
			{evidence.IdleTight, 1, -5},
			{evidence.ReusedOnly, 1, -2.5},
			{evidence.RestingLoad, 1, 0},
			{evidence.SentLate, 2, 0},
			{evidence.SentFromListener, 1, 0},
			{evidence.SentNone, -3.5, 0.7},
			{evidence.RisesWithLoad, -1, 0.3},
			{evidence.DiedWithFaults, -3, 0.3},
			{evidence.DescriptorsFull, -1.5, 0},
			{evidence.PathTTL, -4, 0.5},
			{evidence.InWrite, 0.3, 0},
			{evidence.InBody, -2, 0},
			{evidence.OnlyTimeouts, -3, 0},
			{evidence.InDial, -4, 0},
			{evidence.WorkersDied, -1, 0},
			{evidence.AtOnce, -1, 0},
			{evidence.Loopback, 0.7, 0},
		},
		tells: map[Experiment]Outcome{Fresh: Goes, GapBelow: Goes, GapAbove: Stays, HalfConcurrency: Stays},
		Says:  "the server closes idle connections just when the client uses them again",
		advice: func(c *Investigation, h *Hypothesis) []string {
			return c.idleAdvice(h)
		},
	}
}
