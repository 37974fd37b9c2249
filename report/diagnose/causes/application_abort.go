package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
	"github.com/rampload/rampload/report/runlog"
)

// applicationAbort: the application itself aborts responses.
func applicationAbort() inquiry.Rule {
	return inquiry.Rule{
		Cause: "application-abort", Mechanism: report.MechanismBug, Own: true, Any: []evidence.Clue{evidence.SomeResets, evidence.SomeEOF, evidence.StreamResets, evidence.GoneAway, evidence.BadGateway, evidence.InnerMatch, evidence.EndsThem, evidence.SaysEnds},
		Proof:  []evidence.Clue{evidence.ConstantShare, evidence.AbortedAtOnce, evidence.MarkedDown, evidence.StreamResets, evidence.GoneAway, evidence.ClosedLate, evidence.SentLinger, evidence.InnerMatch, evidence.EndsThem, evidence.SaysEnds},
		Told:   []evidence.Clue{evidence.SaysEnds},
		Unless: []evidence.Clue{evidence.Died, evidence.ExcessFails, evidence.QueueFull, evidence.SlowBody, evidence.StillComing},
		Never: []evidence.Clue{
			evidence.CallerEnds, evidence.TriedInVain,
			evidence.Unbroken, evidence.RefusedAll, evidence.CertificateRefused,
			evidence.SaysFull, evidence.SaysPool, evidence.SaysSlots, evidence.SaysQueue, evidence.SaysFiles, evidence.SaysPorts, evidence.SaysMemory, evidence.SaysDisk, evidence.SaysFileAccess,
			evidence.SaysLocked, evidence.SaysUnknownName, evidence.SaysRate, evidence.SaysCredentials, evidence.SaysBig,
		},
		Weights: []inquiry.Weight{
			{Clue: evidence.SaysEnds, Yes: inquiry.Strong, No: 0},
			{Clue: evidence.OwnError, Yes: inquiry.Opposite(inquiry.Proves), No: 0},  // it answered, with an error of its own
			{Clue: evidence.ShortBody, Yes: inquiry.Opposite(inquiry.Strong), No: 0}, // the response was sent whole, and ended in good order
			{Clue: evidence.Queued, Yes: -1, No: 0},
			{Clue: evidence.QueueTimeout, Yes: -3, No: 0},
			{Clue: evidence.ClosedLate, Yes: 3, No: 0},
			{Clue: evidence.GoneAway, Yes: 5, No: 0},
			{Clue: evidence.InnerMatch, Yes: 1, No: 0},
			{Clue: evidence.EndsThem, Yes: inquiry.Weak, No: 0},
			{Clue: evidence.ConstantShare, Yes: 3.5, No: -1.5},
			{Clue: evidence.SentLinger, Yes: 1.5, No: -0.7},
			{Clue: evidence.StreamResets, Yes: 4, No: 0},
			{Clue: evidence.Loopback, Yes: 0.5, No: 0},
			{Clue: evidence.InBody, Yes: 1, No: 0},
			{Clue: evidence.SlowBody, Yes: -1.5, No: 0.3},
			{Clue: evidence.StillComing, Yes: -2, No: 0},
			{Clue: evidence.SomeRefused, Yes: -2, No: 0},
			{Clue: evidence.DiedWithFaults, Yes: -4, No: 0},
			{Clue: evidence.SentNone, Yes: -5, No: 1},
			{Clue: evidence.SentUnread, Yes: -2, No: 0.3},
			{Clue: evidence.IdleGap, Yes: -4, No: 0},
			{Clue: evidence.ExcessFails, Yes: -1.5, No: 0.3},
			{Clue: evidence.InDial, Yes: -2, No: 0},
			{Clue: evidence.LivePacket, Yes: 1, No: 0},
			{Clue: evidence.PathTTL, Yes: -4, No: 1},
			{Clue: evidence.ForgedPacket, Yes: -4, No: 0},
			{Clue: evidence.OnlyTimeouts, Yes: -5, No: 0},
			{Clue: evidence.EarlyStatus, Yes: -2, No: 0},
			{Clue: evidence.InWrite, Yes: -1, No: 0},
			{Clue: evidence.InTLS, Yes: -3, No: 0},
			{Clue: evidence.DescriptorsFull, Yes: -1, No: 0},
			{Clue: evidence.QueueFull, Yes: -0.5, No: 0},
			{Clue: evidence.InBursts, Yes: -2, No: 0},
			{Clue: evidence.AtOnce, Yes: -3, No: 0},
			{Clue: evidence.AbortedAtOnce, Yes: 1, No: 0},
			{Clue: evidence.MarkedDown, Yes: 3, No: 0},
			{Clue: evidence.SentInvalidSyn, Yes: -3, No: 0},
			{Clue: evidence.SentFromListener, Yes: -1, No: 0},
			{Clue: evidence.SentNoSocket, Yes: -2, No: 0},
			{Clue: evidence.ConnectionsCapped, Yes: -0.5, No: 0},
			{Clue: evidence.RateStatus, Yes: -4, No: 0},
			{Clue: evidence.ShedStatus, Yes: -1.5, No: 0},
			{Clue: evidence.GatewayTimeout, Yes: -4, No: 0},
			{Clue: evidence.ReusedOnly, Yes: -0.5, No: 0.3},
			{Clue: evidence.LatencyFirst, Yes: -0.7, No: 0},
		},
		Despite: map[evidence.Clue][]evidence.Clue{ // the caller saw which side ended the connection; that holds at any load
			evidence.SaysEnds: {evidence.ExcessFails, evidence.ConstantShare, evidence.SentLinger},
		},
		Instead: map[evidence.Clue][]evidence.Clue{
			evidence.AbortedAtOnce: {evidence.AtOnce, evidence.InBursts, evidence.IdleGap, evidence.ConstantShare},
			evidence.MarkedDown:    {evidence.ExcessFails, evidence.InBursts, evidence.ConstantShare},
		},
		Tells: map[inquiry.Experiment]inquiry.Outcome{inquiry.HalfConcurrency: inquiry.Stays, inquiry.HalfRate: inquiry.Stays, inquiry.Fresh: inquiry.Stays, inquiry.TwoSources: inquiry.Stays, inquiry.NoRetries: inquiry.Stays},
		Says:  "the application itself aborts responses",
		Advice: func(c *inquiry.Investigation, _ *inquiry.Hypothesis) []string {
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
