package causes

import (
	"fmt"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// rateLimitPolicy: requests above a fixed rate are refused.
func rateLimitPolicy() inquiry.Rule {
	return inquiry.Rule{
		Cause: "rate-limit-policy", Mechanism: report.MechanismPolicy, Elimination: true, Own: true, Any: []evidence.Clue{evidence.ExcessFails, evidence.RateStatus, evidence.Cliff, evidence.ShedAtOnce, evidence.Forgotten, evidence.HeldOff, evidence.RetryAsked, evidence.SaysRate, evidence.OwnRule},
		Told:   []evidence.Clue{evidence.RetryAsked, evidence.SaysRate, evidence.OwnRule},
		Proof:  []evidence.Clue{evidence.RetryAsked, evidence.SaysRate, evidence.OwnRule, evidence.RateStatus, evidence.ExcessFails, evidence.Cliff, evidence.Forgotten, evidence.HeldOff, evidence.ShedAtOnce},
		Unless: []evidence.Clue{evidence.PortsFull},
		// A store limits connections, and no rate. A rate limit lets its rate pass, and does not
		// refuse everything.
		Never: []evidence.Clue{evidence.StoreHop, evidence.TriedInVain, evidence.OutOfUse},
		Weights: []inquiry.Weight{
			{Clue: evidence.RetryAsked, Yes: inquiry.Strong, No: 0},
			{Clue: evidence.SteadyRate, Yes: inquiry.Strong, No: 0},
			{Clue: evidence.SaysRate, Yes: inquiry.Strong, No: 0},
			{Clue: evidence.OwnRule, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.SaysPool, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.SaysFull, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.SaysQueue, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.SaysSlots, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.SaysFiles, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.SaysMemory, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.SaysDisk, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.SaysFileAccess, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.SaysStoreFull, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.SaysPorts, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.HeldOff, Yes: 1, No: 0},
			{Clue: evidence.MarkedDown, Yes: -4, No: 0},
			{Clue: evidence.Forgotten, Yes: 3, No: 0},
			{Clue: evidence.ShedAtOnce, Yes: 1.5, No: 0},
			{Clue: evidence.OwnError, Yes: -2, No: 0},
			{Clue: evidence.QueueTimeout, Yes: -2, No: 0},
			{Clue: evidence.ThreadsFull, Yes: -4, No: 0},
			{Clue: evidence.DialTimeouts, Yes: -3, No: 0},
			{Clue: evidence.Cliff, Yes: 2.5, No: 0},
			{Clue: evidence.Crowded, Yes: -2, No: 0.5},
			{Clue: evidence.ExcessFails, Yes: 3, No: -2.5},
			{Clue: evidence.RateStatus, Yes: 5, No: 0},
			{Clue: evidence.RisesWithLoad, Yes: 1, No: -3},
			{Clue: evidence.SentLinger, Yes: 1.5, No: -0.5},
			{Clue: evidence.LatencyFirst, Yes: -2.5, No: 1},
			{Clue: evidence.Queued, Yes: -4, No: 0.3},
			{Clue: evidence.SentNone, Yes: -4, No: 0.3},
			{Clue: evidence.DescriptorsFull, Yes: -5, No: 0.5},
			{Clue: evidence.ProcessorFull, Yes: -1, No: 0.5},
			{Clue: evidence.ConnectionsCapped, Yes: -3, No: 0},
			{Clue: evidence.Died, Yes: -1, No: 0.3},
			{Clue: evidence.DiedWithFaults, Yes: -4, No: 0},
			{Clue: evidence.Overflowed, Yes: -3.5, No: 0},
			{Clue: evidence.StreamResets, Yes: -2.5, No: 0},
			{Clue: evidence.OnlyTimeouts, Yes: -3, No: 0},
			{Clue: evidence.IdleGap, Yes: -3, No: 0},
			{Clue: evidence.SentUnread, Yes: -0.7, No: 0},
			{Clue: evidence.PathTTL, Yes: -4, No: 0.5},
			{Clue: evidence.Loopback, Yes: 0.7, No: 0},
			{Clue: evidence.InTLS, Yes: -2.5, No: 0},
			{Clue: evidence.SomeRefused, Yes: -1, No: 0},
			{Clue: evidence.QueueFull, Yes: -2, No: 0},
			{Clue: evidence.ShedStatus, Yes: 0.3, No: 0},
			{Clue: evidence.SomeEOF, Yes: -0.5, No: 0},
			{Clue: evidence.DialResets, Yes: -3, No: 0},
			{Clue: evidence.BadGateway, Yes: -3, No: 0},
		},
		// Its own log says so of each request, whatever the failures look like from outside.
		Despite: map[evidence.Clue][]evidence.Clue{
			evidence.OwnRule: {
				evidence.BadGateway, evidence.OwnError, evidence.MarkedDown, evidence.QueueTimeout, evidence.LatencyFirst, evidence.Crowded, evidence.OnlyTimeouts, evidence.SomeEOF,
				evidence.ExcessFails, evidence.RisesWithLoad, evidence.SentNone, evidence.StreamResets, evidence.InTLS, evidence.IdleGap, evidence.SentUnread, evidence.SentLinger, evidence.PathTTL,
			},
		},
		Instead: map[evidence.Clue][]evidence.Clue{
			evidence.HeldOff:   {evidence.OwnError, evidence.QueueTimeout, evidence.Crowded, evidence.BadGateway},
			evidence.Forgotten: {evidence.OnlyTimeouts},
		},
		Tells: map[inquiry.Experiment]inquiry.Outcome{inquiry.HalfConcurrency: inquiry.Stays, inquiry.HalfRate: inquiry.Goes, inquiry.Fresh: inquiry.Stays, inquiry.Kept: inquiry.Stays, inquiry.Small: inquiry.Stays, inquiry.Large: inquiry.Stays},
		Says:  "whatever exceeds a fixed rate is turned away",
		// Work that was accepted was not refused. It is done at the rate of the workers.
		Accepted: &inquiry.Accepted{Tier: report.TierUpstream, Mechanism: report.MechanismExhausted, Says: "no more than a fixed rate of what was accepted is done"},
		Advice: func(c *inquiry.Investigation, _ *inquiry.Hypothesis) []string {
			polite := "answer what exceeds it with 429 and Retry-After instead of a reset, and "
			if c.Status(429) >= 0.5 {
				polite = "heed its Retry-After, and "
			}
			return []string{
				fmt.Sprintf("if %s is meant to pass, raise the rate limit of the service", c.Run.TopText()),
				polite + "retry with exponential backoff and jitter only what is idempotent",
			}
		},
	}
}
