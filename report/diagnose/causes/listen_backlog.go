package causes

import (
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// listenBacklog: the accept queue was full: the service accepted too slowly for its backlog.
func listenBacklog() inquiry.Rule {
	return inquiry.Rule{
		Cause: "listen-backlog", Mechanism: report.MechanismExhausted, Gauges: []string{probe.ListenQueue}, Counters: []string{probe.ListenOverflows, probe.ListenDrops},
		Any:   []evidence.Clue{evidence.Overflowed, evidence.QueueFull, evidence.InDial, evidence.SomeTimeouts},
		Proof: []evidence.Clue{evidence.QueueDropped, evidence.OverflowsCover, evidence.UnixQueueFull, evidence.SentInvalidSyn},
		Told:  []evidence.Clue{evidence.QueueDropped},
		Never: []evidence.Clue{evidence.RefusedAll, evidence.WaitsBehind, evidence.StandsQueued, evidence.StandsCapped, evidence.StandsStopped, evidence.StandsUnprocessed},
		Weights: []inquiry.Weight{
			{Clue: evidence.QueueDropped, Yes: inquiry.Strong, No: 0},
			{Clue: evidence.AcceptedLate, Yes: inquiry.Weak, No: inquiry.Opposite(inquiry.Weak)},
			{Clue: evidence.FilterDropped, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.ReverseDropped, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.OverflowsCover, Yes: 1.5, No: -0.5},
			{Clue: evidence.Blackout, Yes: -1.5, No: 0},
			{Clue: evidence.UnixQueueFull, Yes: 2.5, No: 0},
			{Clue: evidence.Queued, Yes: 1, No: 0},
			{Clue: evidence.Unserved, Yes: 1, No: -1.2},
			{Clue: evidence.ConstantShare, Yes: -2, No: 0},
			{Clue: evidence.LatencyFirst, Yes: 0.5, No: -0.7},
			{Clue: evidence.Overflowed, Yes: 2, No: -4},
			{Clue: evidence.InDial, Yes: 1.5, No: -0.7},
			{Clue: evidence.DialResets, Yes: 2.5, No: 0},
			{Clue: evidence.SentInvalidSyn, Yes: 3, No: 0},
			{Clue: evidence.Embryonic, Yes: 1, No: 0},
			{Clue: evidence.SentFromListener, Yes: 0.7, No: 0},
			{Clue: evidence.DescriptorsFull, Yes: -4, No: 0.3},
			{Clue: evidence.Reserved, Yes: -3, No: 0},
			{Clue: evidence.DiedWithFaults, Yes: -3, No: 0.3},
			{Clue: evidence.SomeEOF, Yes: -1, No: 0},
			{Clue: evidence.SentUnread, Yes: -1.5, No: 0},
			{Clue: evidence.SentLinger, Yes: -2, No: 0},
			{Clue: evidence.SomeTimeouts, Yes: 0.7, No: 0},
			{Clue: evidence.StreamResets, Yes: -4, No: 0},
			{Clue: evidence.BadGateway, Yes: -2, No: 0},
			{Clue: evidence.InWrite, Yes: -0.5, No: 0},
			{Clue: evidence.InBody, Yes: -2, No: 0},
			{Clue: evidence.WentAway, Yes: -2, No: 0},
		},
		Instead: map[evidence.Clue][]evidence.Clue{
			evidence.UnixQueueFull: {evidence.Overflowed, evidence.InDial, evidence.BadGateway},
			evidence.Reserved:      {evidence.Overflowed, evidence.OverflowsCover, evidence.InDial, evidence.SomeTimeouts},
		},
		Tells: map[inquiry.Experiment]inquiry.Outcome{inquiry.Kept: inquiry.Goes, inquiry.Fresh: inquiry.Stays, inquiry.Small: inquiry.Stays},
		Says:  "the accept queue was full: the service accepted too slowly for its backlog",
		Advice: func(c *inquiry.Investigation, h *inquiry.Hypothesis) []string {
			return []string{c.LimitSeen(h, "raise the application's listen backlog, and net.core.somaxconn with it"), "accept faster: a thread that only accepts, SO_REUSEPORT, more workers"}
		},
	}
}
