package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/runlog"
)

// applicationAbort: the application itself aborts responses.
func applicationAbort() Rule {
	return Rule{
		Cause: "application-abort", Mechanism: report.MechanismBug, Own: true, Any: []evidence.Clue{evidence.SomeResets, evidence.SomeEOF, evidence.StreamResets, evidence.GoneAway, evidence.BadGateway, evidence.InnerMatch, evidence.SaysEnds},
		Proof:  []evidence.Clue{evidence.ConstantShare, evidence.AbortedAtOnce, evidence.MarkedDown, evidence.StreamResets, evidence.GoneAway, evidence.ClosedLate, evidence.SentLinger, evidence.InnerMatch, evidence.SaysEnds},
		Told:   []evidence.Clue{evidence.SaysEnds},
		Unless: []evidence.Clue{evidence.Died, evidence.ExcessFails, evidence.QueueFull, evidence.SlowBody, evidence.StillComing},
		Never: []evidence.Clue{
			evidence.CallerEnds, evidence.TriedInVain,
			evidence.Unbroken, evidence.RefusedAll, evidence.CertificateRefused,
			evidence.SaysFull, evidence.SaysPool, evidence.SaysSlots, evidence.SaysQueue, evidence.SaysFiles, evidence.SaysPorts, evidence.SaysMemory, evidence.SaysDisk,
			evidence.SaysLocked, evidence.SaysUnknownName, evidence.SaysRate, evidence.SaysCredentials, evidence.SaysBig,
		},
		Weights: []weight{
			{evidence.SaysEnds, Strong, 0},
			{evidence.Queued, -1, 0},
			{evidence.QueueTimeout, -3, 0},
			{evidence.ClosedLate, 3, 0},
			{evidence.GoneAway, 5, 0},
			{evidence.InnerMatch, 1, 0},
			{evidence.ConstantShare, 3.5, -1.5},
			{evidence.SentLinger, 1.5, -0.7},
			{evidence.StreamResets, 4, 0},
			{evidence.Loopback, 0.5, 0},
			{evidence.InBody, 1, 0},
			{evidence.SlowBody, -1.5, 0.3},
			{evidence.StillComing, -2, 0},
			{evidence.SomeRefused, -2, 0},
			{evidence.DiedWithFaults, -4, 0},
			{evidence.SentNone, -5, 1},
			{evidence.SentUnread, -2, 0.3},
			{evidence.IdleGap, -4, 0},
			{evidence.ExcessFails, -1.5, 0.3},
			{evidence.InDial, -2, 0},
			{evidence.LivePacket, 1, 0},
			{evidence.PathTTL, -4, 1},
			{evidence.ForgedPacket, -4, 0},
			{evidence.OnlyTimeouts, -5, 0},
			{evidence.EarlyStatus, -2, 0},
			{evidence.InWrite, -1, 0},
			{evidence.InTLS, -3, 0},
			{evidence.DescriptorsFull, -1, 0},
			{evidence.QueueFull, -0.5, 0},
			{evidence.InBursts, -2, 0},
			{evidence.AtOnce, -3, 0},
			{evidence.AbortedAtOnce, 1, 0},
			{evidence.MarkedDown, 3, 0},
			{evidence.SentInvalidSyn, -3, 0},
			{evidence.SentFromListener, -1, 0},
			{evidence.SentNoSocket, -2, 0},
			{evidence.ConnectionsCapped, -0.5, 0},
			{evidence.RateStatus, -4, 0},
			{evidence.ShedStatus, -1.5, 0},
			{evidence.GatewayTimeout, -4, 0},
			{evidence.ReusedOnly, -0.5, 0.3},
			{evidence.LatencyFirst, -0.7, 0},
		},
		Despite: map[evidence.Clue][]evidence.Clue{ // those before it saw whose end it was, at whatever load
			evidence.SaysEnds: {evidence.ExcessFails, evidence.ConstantShare, evidence.SentLinger},
		},
		Instead: map[evidence.Clue][]evidence.Clue{
			evidence.AbortedAtOnce: {evidence.AtOnce, evidence.InBursts, evidence.IdleGap, evidence.ConstantShare},
			evidence.MarkedDown:    {evidence.ExcessFails, evidence.InBursts, evidence.ConstantShare},
		},
		tells: map[Experiment]Outcome{HalfConcurrency: Stays, HalfRate: Stays, Fresh: Stays, TwoSources: Stays, NoRetries: Stays},
		Says:  "the application itself aborts responses",
		advice: func(c *Investigation, _ *Hypothesis) []string {
			look := "look in the application's log for the transaction ids of the failed requests (X-Transaction-Id)"
			if c.Run.Log.Header.Role == runlog.RoleWatcher {
				look = "look in the application's log at the times of the resets"
			}
			return []string{
				look,
				"search its code for SO_LINGER 0, for handlers that panic or abort, and for sockets closed before the response is written",
			}
		},
	}
}
