package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// idleTimeoutRace: the server closes idle connections just when the client uses them again.
func idleTimeoutRace() inquiry.Rule {
	return inquiry.Rule{
		Cause: "idle-timeout-race", Mechanism: report.MechanismIdle, Own: true, Any: []evidence.Clue{evidence.IdleGap, evidence.ReusedOnly, evidence.SentLate, evidence.RestingEnds},
		Proof: []evidence.Clue{evidence.IdleGap},
		Never: []evidence.Clue{evidence.FreshBehind, evidence.TriedInVain, evidence.DeniesItself}, // a connection that is opened for one request is never idle
		Weights: []inquiry.Weight{
			{Clue: evidence.RestingEnds, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.UnreadThroughout, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.EarlyStatus, Yes: -2.5, No: 0},
			{Clue: evidence.PeerCloses, Yes: 0.5, No: -3},
			{Clue: evidence.IdleGap, Yes: 5, No: -4},
			{Clue: evidence.IdleTight, Yes: 1, No: -5},
			{Clue: evidence.ReusedOnly, Yes: 1, No: -2.5},
			{Clue: evidence.RestingLoad, Yes: 1, No: 0},
			{Clue: evidence.SentLate, Yes: 2, No: 0},
			{Clue: evidence.SentFromListener, Yes: 1, No: 0},
			{Clue: evidence.SentNone, Yes: -3.5, No: 0.7},
			{Clue: evidence.RisesWithLoad, Yes: -1, No: 0.3},
			{Clue: evidence.DiedWithFaults, Yes: -3, No: 0.3},
			{Clue: evidence.DescriptorsFull, Yes: -1.5, No: 0},
			{Clue: evidence.PathTTL, Yes: -4, No: 0.5},
			{Clue: evidence.InWrite, Yes: 0.3, No: 0},
			{Clue: evidence.InBody, Yes: -2, No: 0},
			{Clue: evidence.OnlyTimeouts, Yes: -3, No: 0},
			{Clue: evidence.InDial, Yes: -4, No: 0},
			{Clue: evidence.WorkersDied, Yes: -1, No: 0},
			{Clue: evidence.AtOnce, Yes: -1, No: 0},
			{Clue: evidence.Loopback, Yes: 0.7, No: 0},
		},
		Tells: map[inquiry.Experiment]inquiry.Outcome{inquiry.Fresh: inquiry.Goes, inquiry.GapBelow: inquiry.Goes, inquiry.GapAbove: inquiry.Stays, inquiry.HalfConcurrency: inquiry.Stays},
		Says:  "the server closes idle connections just when the client uses them again",
		Advice: func(c *inquiry.Investigation, h *inquiry.Hypothesis) []string {
			return c.IdleAdvice(h)
		},
	}
}
