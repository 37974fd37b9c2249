package causes

import (
	"fmt"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
	"github.com/rampload/rampload/report/format"
)

// clientTimeout: answers took longer than the client waits.
func clientTimeout() inquiry.Rule {
	return inquiry.Rule{
		Cause: "client-timeout", Mechanism: report.MechanismSlow, Elimination: true, Any: []evidence.Clue{evidence.OnlyTimeouts, evidence.WaitedInVain},
		Symptom: true,
		Weights: []inquiry.Weight{
			{Clue: evidence.AcceptedLate, Yes: inquiry.Weak, No: 0},
			{Clue: evidence.ReadLate, Yes: inquiry.Weak, No: 0},
			{Clue: evidence.FilterDropped, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.StrayReset, Yes: -5, No: 0},
			{Clue: evidence.ThreadsFull, Yes: -3, No: 0},
			{Clue: evidence.GapUnfilled, Yes: -3, No: 0},
			{Clue: evidence.GatewayTimeout, Yes: 2.5, No: 0},
			{Clue: evidence.WaitedInVain, Yes: 1.5, No: -4},
			{Clue: evidence.NearTimeout, Yes: 3, No: -2.5},
			{Clue: evidence.LatencyFirst, Yes: 1, No: -2.5},
			{Clue: evidence.InAwait, Yes: 1, No: -3},
			{Clue: evidence.InTLS, Yes: 0.5, No: 0},
			{Clue: evidence.ProcessorBusy, Yes: 1, No: 0},
			{Clue: evidence.CloseWaitRises, Yes: 2.5, No: 0},
			{Clue: evidence.ClientSent, Yes: 0.5, No: 0},
			{Clue: evidence.Retransmitted, Yes: -2, No: 0.5},
			{Clue: evidence.RisesWithLoad, Yes: 1, No: -1.5},
			{Clue: evidence.DescriptorsFull, Yes: -9, No: 0.3},
			{Clue: evidence.Overflowed, Yes: -2.5, No: 0.3},
			{Clue: evidence.QueueFull, Yes: -2, No: 0},
			{Clue: evidence.HungBefore, Yes: -2, No: 0},
			{Clue: evidence.InBody, Yes: -1, No: 0},
			{Clue: evidence.ExcessFails, Yes: 0.3, No: 0},
			{Clue: evidence.PoolFull, Yes: 0.5, No: 0},
			{Clue: evidence.LostRetransmits, Yes: -2, No: 0},
			{Clue: evidence.SynsLost, Yes: -2, No: 0},
		},
		Instead: map[evidence.Clue][]evidence.Clue{evidence.InTLS: {evidence.InAwait}}, // a handshake is awaited like a response
		Says:    "answers took longer than the client waits",
		// No client waits for the end of work that was accepted, so no client's timeout is involved.
		Accepted: &inquiry.Accepted{Tier: report.TierUpstream, Mechanism: report.MechanismSlow, Says: "what was accepted was not done in time"},
		Advice: func(c *inquiry.Investigation, h *inquiry.Hypothesis) []string {
			slow, limit := "some answers are slow", fmt.Sprintf("the client's timeout of %s", format.Seconds(c.Run.Log.Header.Generator.Timeout.Seconds()))
			if c.Onset.Status == evidence.Found {
				slow = fmt.Sprintf("answers get slow from %s on", c.Run.LoadText(c.Onset.Load.Value, c.Onset.At.Value))
				if load := c.Onset.Constant; load > 0 {
					slow = fmt.Sprintf("answers get slow after %s at a constant %s", format.Seconds(c.Onset.At.Value), c.Run.LoadText(load, c.Onset.At.Value))
				}
			}
			if h.Hop.Index > 0 {
				limit = "the proxy's time limit (504)"
			}
			why := fmt.Sprintf("find why %s: %s only shows it", slow, limit)
			if inquiry.ProcessorBound(c, h) {
				why = fmt.Sprintf("give the service more processor (quota, cores, instances) or make requests cheaper: %s for lack of it, and %s only shows it", slow, limit)
			}
			return []string{
				why,
				"give the service a deadline below the callers' and let it refuse early what it cannot finish",
			}
		},
	}
}
