package causes

import (
	"fmt"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// rateLimitPolicy: whatever exceeds a fixed rate is turned away.
func rateLimitPolicy() Rule {
	return Rule{
		Cause: "rate-limit-policy", Mechanism: report.MechanismPolicy, Elimination: true, Own: true, Any: []evidence.Clue{evidence.ExcessFails, evidence.RateStatus, evidence.Cliff, evidence.ShedAtOnce, evidence.Forgotten, evidence.HeldOff, evidence.RetryAsked, evidence.SaysRate},
		Told:   []evidence.Clue{evidence.RetryAsked, evidence.SaysRate},
		Proof:  []evidence.Clue{evidence.RetryAsked, evidence.SaysRate, evidence.RateStatus, evidence.ExcessFails, evidence.Cliff, evidence.Forgotten, evidence.HeldOff, evidence.ShedAtOnce},
		Unless: []evidence.Clue{evidence.PortsFull},
		// A store keeps to a number of connections and to no rate; whoever lets a rate pass
		// serves that, and does not refuse everything.
		Never: []evidence.Clue{evidence.StoreHop, evidence.TriedInVain, evidence.OutOfUse},
		Weights: []weight{
			{evidence.RetryAsked, Strong, 0},
			{evidence.SteadyRate, Strong, 0},
			{evidence.SaysRate, Strong, 0},
			{evidence.SaysPool, Opposite(Proves), 0},
			{evidence.SaysFull, Opposite(Proves), 0},
			{evidence.SaysQueue, Opposite(Proves), 0},
			{evidence.SaysSlots, Opposite(Proves), 0},
			{evidence.SaysFiles, Opposite(Proves), 0},
			{evidence.SaysMemory, Opposite(Proves), 0},
			{evidence.SaysDisk, Opposite(Proves), 0},
			{evidence.SaysPorts, Opposite(Proves), 0},
			{evidence.HeldOff, 1, 0},
			{evidence.MarkedDown, -4, 0},
			{evidence.Forgotten, 3, 0},
			{evidence.ShedAtOnce, 1.5, 0},
			{evidence.OwnError, -2, 0},
			{evidence.QueueTimeout, -2, 0},
			{evidence.ThreadsFull, -4, 0},
			{evidence.DialTimeouts, -3, 0},
			{evidence.Cliff, 2.5, 0},
			{evidence.Crowded, -2, 0.5},
			{evidence.ExcessFails, 3, -2.5},
			{evidence.RateStatus, 5, 0},
			{evidence.RisesWithLoad, 1, -3},
			{evidence.SentLinger, 1.5, -0.5},
			{evidence.LatencyFirst, -2.5, 1},
			{evidence.Queued, -4, 0.3},
			{evidence.SentNone, -4, 0.3},
			{evidence.DescriptorsFull, -5, 0.5},
			{evidence.ProcessorFull, -1, 0.5},
			{evidence.ConnectionsCapped, -3, 0},
			{evidence.Died, -1, 0.3},
			{evidence.DiedWithFaults, -4, 0},
			{evidence.Overflowed, -3.5, 0},
			{evidence.StreamResets, -2.5, 0},
			{evidence.OnlyTimeouts, -3, 0},
			{evidence.IdleGap, -3, 0},
			{evidence.SentUnread, -0.7, 0},
			{evidence.PathTTL, -4, 0.5},
			{evidence.Loopback, 0.7, 0},
			{evidence.InTLS, -2.5, 0},
			{evidence.SomeRefused, -1, 0},
			{evidence.QueueFull, -2, 0},
			{evidence.ShedStatus, 0.3, 0},
			{evidence.SomeEOF, -0.5, 0},
			{evidence.DialResets, -3, 0},
			{evidence.BadGateway, -3, 0},
		},
		Instead: map[evidence.Clue][]evidence.Clue{
			evidence.HeldOff:   {evidence.OwnError, evidence.QueueTimeout, evidence.Crowded, evidence.BadGateway},
			evidence.Forgotten: {evidence.OnlyTimeouts},
		},
		tells: map[Experiment]Outcome{HalfConcurrency: Stays, HalfRate: Goes, Fresh: Stays, Kept: Stays, Small: Stays, Large: Stays},
		Says:  "whatever exceeds a fixed rate is turned away",
		advice: func(c *Investigation, _ *Hypothesis) []string {
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
