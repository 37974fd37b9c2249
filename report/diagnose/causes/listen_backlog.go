package causes

import (
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// listenBacklog: the accept queue was full: the service accepted too slowly for its backlog.
func listenBacklog() Rule {
	return Rule{
		Cause: "listen-backlog", Mechanism: report.MechanismExhausted, Gauges: []string{probe.ListenQueue}, Counters: []string{probe.ListenOverflows, probe.ListenDrops},
		Any:   []evidence.Clue{evidence.Overflowed, evidence.QueueFull, evidence.InDial, evidence.SomeTimeouts},
		Proof: []evidence.Clue{evidence.QueueDropped, evidence.OverflowsCover, evidence.UnixQueueFull, evidence.SentInvalidSyn},
		Told:  []evidence.Clue{evidence.QueueDropped},
		Never: []evidence.Clue{evidence.RefusedAll, evidence.WaitsBehind, evidence.StandsQueued, evidence.StandsCapped, evidence.StandsStopped, evidence.StandsUnprocessed},
		Weights: []weight{
			{evidence.QueueDropped, Strong, 0},
			{evidence.AcceptedLate, weak, Opposite(weak)},
			{evidence.FilterDropped, Opposite(Proves), 0},
			{evidence.ReverseDropped, Opposite(Proves), 0},
			{evidence.OverflowsCover, 1.5, -0.5},
			{evidence.Blackout, -1.5, 0},
			{evidence.UnixQueueFull, 2.5, 0},
			{evidence.Queued, 1, 0},
			{evidence.Unserved, 1, -1.2},
			{evidence.ConstantShare, -2, 0},
			{evidence.LatencyFirst, 0.5, -0.7},
			{evidence.Overflowed, 2, -4},
			{evidence.InDial, 1.5, -0.7},
			{evidence.DialResets, 2.5, 0},
			{evidence.SentInvalidSyn, 3, 0},
			{evidence.Embryonic, 1, 0},
			{evidence.SentFromListener, 0.7, 0},
			{evidence.DescriptorsFull, -4, 0.3},
			{evidence.Reserved, -3, 0},
			{evidence.DiedWithFaults, -3, 0.3},
			{evidence.SomeEOF, -1, 0},
			{evidence.SentUnread, -1.5, 0},
			{evidence.SentLinger, -2, 0},
			{evidence.SomeTimeouts, 0.7, 0},
			{evidence.StreamResets, -4, 0},
			{evidence.BadGateway, -2, 0},
			{evidence.InWrite, -0.5, 0},
			{evidence.InBody, -2, 0},
			{evidence.WentAway, -2, 0},
		},
		Instead: map[evidence.Clue][]evidence.Clue{
			evidence.UnixQueueFull: {evidence.Overflowed, evidence.InDial, evidence.BadGateway},
			evidence.Reserved:      {evidence.Overflowed, evidence.OverflowsCover, evidence.InDial, evidence.SomeTimeouts},
		},
		tells: map[Experiment]Outcome{Kept: Goes, Fresh: Stays, Small: Stays},
		Says:  "the accept queue was full: the service accepted too slowly for its backlog",
		advice: func(c *Investigation, h *Hypothesis) []string {
			return []string{c.limitSeen(h, "raise the application's listen backlog, and net.core.somaxconn with it"), "accept faster: a thread that only accepts, SO_REUSEPORT, more workers"}
		},
	}
}
