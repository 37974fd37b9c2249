package causes

import (
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// serverConnectionLimit: the server took no connection beyond a number of its own.
func serverConnectionLimit() Rule {
	return Rule{
		Cause: "server-connection-limit", Mechanism: report.MechanismExhausted, Inferred: true, Elimination: true, Elsewhere: []evidence.Clue{evidence.QueueTimeout, evidence.StandsCapped},
		Gauges: []string{probe.Established, probe.Sockets, probe.OpenFiles, probe.Threads},
		Any:    []evidence.Clue{evidence.HeldFlat, evidence.RefusedEarly, evidence.ConnectionsCapped, evidence.FreshOnly, evidence.SomeEOF, evidence.MostlyResets, evidence.ShedStatus, evidence.QueueTimeout, evidence.OwnError, evidence.StreamResets, evidence.SaysFull, evidence.SaysSlots, evidence.StandsCapped},
		Told:   []evidence.Clue{evidence.HeldFlat, evidence.SaysFull, evidence.SaysSlots, evidence.StandsCapped},
		Must:   []evidence.Clue{evidence.RisesWithLoad},
		Anyway: []evidence.Clue{evidence.HeldFlat, evidence.RefusedEarly, evidence.SaysFull, evidence.SaysSlots},
		Proof:  []evidence.Clue{evidence.HeldFlat, evidence.ConnectionsCapped, evidence.ClosedLate, evidence.StreamResets, evidence.SaysFull, evidence.SaysSlots, evidence.StandsCapped},
		Unless: []evidence.Clue{evidence.RateStatus, evidence.PortsFull, evidence.UnixQueueFull, evidence.QueueTimeout, evidence.DescriptorsFull, evidence.Overflowed},
		Weights: []weight{
			{evidence.StandsCapped, Proves, 0},
			{evidence.HeldFlat, Proves, 0},
			{evidence.RefusedEarly, Strong, 0},
			{evidence.SteadyRate, Opposite(Strong), 0},
			{evidence.SaysRate, Opposite(Proves), 0},
			{evidence.SaysAway, Opposite(Proves), 0},
			{evidence.SaysFull, Proves, 0},
			{evidence.SaysSlots, Proves, 0},
			{evidence.ShedAtOnce, 2.5, 0},
			{evidence.Queued, 2, 0},
			{evidence.HeldOff, -5, 0},
			{evidence.OwnError, 1, 0},
			{evidence.ShedStatus, 1, 0},
			{evidence.QueueTimeout, 4, 0},
			{evidence.ClosedLate, 2, 0},
			{evidence.ThreadsFull, -4, 0},
			{evidence.Crowded, 0, -2},
			{evidence.ConnectionsCapped, 2, -1},
			{evidence.FreshOnly, 1, -1},
			{evidence.SomeEOF, 0.7, 0},
			{evidence.SentUnread, 0.7, -0.3},
			{evidence.ExcessFails, 0.5, -0.5},
			{evidence.DescriptorsFull, -5, 0.5},
			{evidence.PoolFull, -3, 0},
			{evidence.ProcessorFull, -0.5, 0.3},
			{evidence.ProcessorBusy, -1, 0.2},
			{evidence.LatencyFirst, -1, 0.5},
			{evidence.OnlyTimeouts, -1.5, 0},
			{evidence.DiedWithFaults, -4, 0.3},
			{evidence.SentNone, -4, 0},
			{evidence.Overflowed, -0.3, 0},
			{evidence.StreamResets, 4, 0}, // REFUSED_STREAM
			{evidence.IdleGap, -3, 0},
			{evidence.InTLS, -2, 0},
			{evidence.SentLinger, -1, 0},
			{evidence.WentAway, -3, 0},
		},
		Never: []evidence.Clue{evidence.TriedInVain},
		Despite: map[evidence.Clue][]evidence.Clue{
			evidence.HeldFlat:  {evidence.IdleGap, evidence.FreshOnly, evidence.ConnectionsCapped, evidence.LatencyFirst, evidence.Crowded, evidence.ProcessorBusy, evidence.DiedWithFaults, evidence.ExcessFails, evidence.SentNone, evidence.SentLinger},
			evidence.SaysFull:  {evidence.IdleGap, evidence.OnlyTimeouts, evidence.DiedWithFaults, evidence.FreshOnly, evidence.ConnectionsCapped, evidence.ThreadsFull, evidence.LatencyFirst, evidence.Crowded, evidence.ProcessorBusy},
			evidence.SaysSlots: {evidence.FreshOnly, evidence.ConnectionsCapped, evidence.LatencyFirst, evidence.Crowded},
			evidence.StandsCapped: {
				evidence.FreshOnly, evidence.ConnectionsCapped, evidence.LatencyFirst, evidence.Crowded, evidence.OnlyTimeouts, evidence.ThreadsFull,
				evidence.ProcessorBusy, evidence.Overflowed, evidence.PoolFull, evidence.ExcessFails, evidence.SentUnread,
			},
			evidence.StreamResets: {evidence.FreshOnly, evidence.ConnectionsCapped},
			evidence.Queued:       {evidence.FreshOnly, evidence.ConnectionsCapped, evidence.SentLinger}, // requests are turned away at a full queue, by whatever means
		},
		tells: map[Experiment]Outcome{HalfConcurrency: Goes, HalfRate: Stays, Small: Stays},
		Says:  "the server took no connection beyond a number of its own",
		advice: func(c *Investigation, h *Hypothesis) []string {
			limit, fewer := "the server's own limit on connections (worker_connections, maxconn, a semaphore)", "let callers reuse connections, so that fewer are open at once"
			switch c.Language() {
			case profiles.SpeaksRedis:
				limit = "maxclients of Redis (CONFIG GET maxclients)"
			case profiles.SpeaksPostgres:
				limit = "max_connections of PostgreSQL (SHOW max_connections), which costs memory for each"
				fewer = "put a pool such as PgBouncer between, or let callers share fewer connections"
			}
			return []string{c.limitSeen(h, "raise "+limit), fewer}
		},
	}
}
