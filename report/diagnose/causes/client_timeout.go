package causes

import (
	"fmt"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/words"
)

// clientTimeout: answers took longer than the client waits.
func clientTimeout() Rule {
	return Rule{
		Cause: "client-timeout", Mechanism: report.MechanismSlow, Elimination: true, Any: []evidence.Clue{evidence.OnlyTimeouts, evidence.WaitedInVain},
		Symptom: true,
		Weights: []weight{
			{evidence.AcceptedLate, weak, 0},
			{evidence.ReadLate, weak, 0},
			{evidence.FilterDropped, Opposite(Proves), 0},
			{evidence.StrayReset, -5, 0},
			{evidence.ThreadsFull, -3, 0},
			{evidence.GapUnfilled, -3, 0},
			{evidence.GatewayTimeout, 2.5, 0},
			{evidence.WaitedInVain, 1.5, -4},
			{evidence.NearTimeout, 3, -2.5},
			{evidence.LatencyFirst, 1, -2.5},
			{evidence.InAwait, 1, -3},
			{evidence.InTLS, 0.5, 0},
			{evidence.ProcessorBusy, 1, 0},
			{evidence.CloseWaitRises, 2.5, 0},
			{evidence.ClientSent, 0.5, 0},
			{evidence.Retransmitted, -2, 0.5},
			{evidence.RisesWithLoad, 1, -1.5},
			{evidence.DescriptorsFull, -9, 0.3},
			{evidence.Overflowed, -2.5, 0.3},
			{evidence.QueueFull, -2, 0},
			{evidence.HungBefore, -2, 0},
			{evidence.InBody, -1, 0},
			{evidence.ExcessFails, 0.3, 0},
			{evidence.PoolFull, 0.5, 0},
			{evidence.LostRetransmits, -2, 0},
			{evidence.SynsLost, -2, 0},
		},
		Instead: map[evidence.Clue][]evidence.Clue{evidence.InTLS: {evidence.InAwait}}, // a handshake is an answer too
		Says:    "answers took longer than the client waits",
		advice: func(c *Investigation, h *Hypothesis) []string {
			slow, limit := "some answers are slow", fmt.Sprintf("the client's timeout of %s", words.WordSeconds(c.Run.Log.Header.Generator.Timeout.Seconds()))
			if c.Onset.Status == evidence.Found {
				slow = fmt.Sprintf("answers get slow from %s on", c.Run.LoadText(c.Onset.Load.Value, c.Onset.At.Value))
				if load := c.Onset.Constant; load > 0 {
					slow = fmt.Sprintf("answers get slow after %s at a constant %s", words.WordSeconds(c.Onset.At.Value), c.Run.LoadText(load, c.Onset.At.Value))
				}
			}
			if h.Hop.Index > 0 {
				limit = "the proxy's time limit (504)"
			}
			why := fmt.Sprintf("find why %s: %s only shows it", slow, limit)
			if ProcessorBound(c, h) {
				why = fmt.Sprintf("give the service more processor (quota, cores, instances) or make requests cheaper: %s for lack of it, and %s only shows it", slow, limit)
			}
			return []string{
				why,
				"give the service a deadline below the callers' and let it refuse early what it cannot finish",
			}
		},
	}
}
