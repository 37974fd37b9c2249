package causes

import (
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// serverConnectionLimit: the server accepts no connection beyond its configured number.
func serverConnectionLimit() inquiry.Rule {
	return inquiry.Rule{
		Cause: "server-connection-limit", Mechanism: report.MechanismExhausted, Inferred: true, Elimination: true, Reached: true, Elsewhere: []evidence.Clue{evidence.QueueTimeout, evidence.StandsCapped},
		Gauges: []string{probe.Established, probe.Sockets, probe.OpenFiles, probe.Threads},
		Any:    []evidence.Clue{evidence.HeldFlat, evidence.RefusedEarly, evidence.ConnectionsCapped, evidence.FreshOnly, evidence.SomeEOF, evidence.MostlyResets, evidence.ShedStatus, evidence.QueueTimeout, evidence.OwnError, evidence.StreamResets, evidence.SaysFull, evidence.SaysSlots, evidence.StandsCapped},
		Told:   []evidence.Clue{evidence.HeldFlat, evidence.SaysFull, evidence.SaysSlots, evidence.StandsCapped},
		Must:   []evidence.Clue{evidence.RisesWithLoad},
		Anyway: []evidence.Clue{evidence.HeldFlat, evidence.RefusedEarly, evidence.SaysFull, evidence.SaysSlots},
		Proof:  []evidence.Clue{evidence.HeldFlat, evidence.ConnectionsCapped, evidence.ClosedLate, evidence.StreamResets, evidence.SaysFull, evidence.SaysSlots, evidence.StandsCapped},
		Unless: []evidence.Clue{evidence.RateStatus, evidence.PortsFull, evidence.UnixQueueFull, evidence.QueueTimeout, evidence.DescriptorsFull, evidence.Overflowed},
		Weights: []inquiry.Weight{
			{Clue: evidence.StandsQueued, Yes: inquiry.Opposite(inquiry.Proves), No: 0}, // it has accepted fewer connections than it has threads
			{Clue: evidence.StandsCapped, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.HeldFlat, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.RefusedEarly, Yes: inquiry.Strong, No: 0},
			{Clue: evidence.SteadyRate, Yes: inquiry.Opposite(inquiry.Strong), No: 0},
			{Clue: evidence.SaysRate, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.SaysAway, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.SaysFull, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.SaysSlots, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.ShedAtOnce, Yes: 2.5, No: 0},
			{Clue: evidence.Queued, Yes: 2, No: 0},
			{Clue: evidence.HeldOff, Yes: -5, No: 0},
			{Clue: evidence.OwnError, Yes: 1, No: 0},
			{Clue: evidence.ShedStatus, Yes: 1, No: 0},
			{Clue: evidence.QueueTimeout, Yes: 4, No: 0},
			// Refusals after a wait are also those of a pool, of a hop that lacks the processor, and of one that
			// waits for another.
			{Clue: evidence.StandsPooled, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.StandsUnprocessed, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.WaitsBehind, Yes: inquiry.Opposite(inquiry.Proves), No: 0},
			{Clue: evidence.ClosedLate, Yes: 2, No: 0},
			{Clue: evidence.ThreadsFull, Yes: -4, No: 0},
			{Clue: evidence.Crowded, Yes: 0, No: -2},
			{Clue: evidence.ConnectionsCapped, Yes: 2, No: -1},
			{Clue: evidence.FreshOnly, Yes: 1, No: -1},
			{Clue: evidence.SomeEOF, Yes: 0.7, No: 0},
			{Clue: evidence.SentUnread, Yes: 0.7, No: -0.3},
			{Clue: evidence.ExcessFails, Yes: 0.5, No: -0.5},
			{Clue: evidence.DescriptorsFull, Yes: -5, No: 0.5},
			{Clue: evidence.PoolFull, Yes: -3, No: 0},
			{Clue: evidence.ProcessorFull, Yes: -0.5, No: 0.3},
			{Clue: evidence.ProcessorBusy, Yes: -1, No: 0.2},
			{Clue: evidence.LatencyFirst, Yes: -1, No: 0.5},
			{Clue: evidence.OnlyTimeouts, Yes: -1.5, No: 0},
			{Clue: evidence.DiedWithFaults, Yes: -4, No: 0.3},
			{Clue: evidence.SentNone, Yes: -4, No: 0},
			{Clue: evidence.Overflowed, Yes: -0.3, No: 0},
			{Clue: evidence.StreamResets, Yes: 4, No: 0}, // REFUSED_STREAM
			{Clue: evidence.IdleGap, Yes: -3, No: 0},
			{Clue: evidence.InTLS, Yes: -2, No: 0},
			{Clue: evidence.SentLinger, Yes: -1, No: 0},
			{Clue: evidence.WentAway, Yes: -3, No: 0},
		},
		Never: []evidence.Clue{evidence.StandsBetween, evidence.StandsDelayed, evidence.StandsUnreached, evidence.StandsNewOnly, evidence.TriedInVain},
		Despite: map[evidence.Clue][]evidence.Clue{
			evidence.HeldFlat:  {evidence.IdleGap, evidence.FreshOnly, evidence.ConnectionsCapped, evidence.LatencyFirst, evidence.Crowded, evidence.ProcessorBusy, evidence.DiedWithFaults, evidence.ExcessFails, evidence.SentNone, evidence.SentLinger},
			evidence.SaysFull:  {evidence.StandsPooled, evidence.StandsUnprocessed, evidence.WaitsBehind, evidence.IdleGap, evidence.OnlyTimeouts, evidence.DiedWithFaults, evidence.FreshOnly, evidence.ConnectionsCapped, evidence.ThreadsFull, evidence.LatencyFirst, evidence.Crowded, evidence.ProcessorBusy},
			evidence.SaysSlots: {evidence.StandsPooled, evidence.StandsUnprocessed, evidence.WaitsBehind, evidence.FreshOnly, evidence.ConnectionsCapped, evidence.LatencyFirst, evidence.Crowded},
			evidence.StandsCapped: {
				evidence.FreshOnly, evidence.ConnectionsCapped, evidence.LatencyFirst, evidence.Crowded, evidence.OnlyTimeouts, evidence.ThreadsFull,
				evidence.ProcessorBusy, evidence.Overflowed, evidence.PoolFull, evidence.ExcessFails, evidence.SentUnread,
			},
			evidence.StreamResets: {evidence.FreshOnly, evidence.ConnectionsCapped},
			evidence.Queued:       {evidence.FreshOnly, evidence.ConnectionsCapped, evidence.SentLinger}, // a full queue refuses requests in one of these ways
		},
		Tells: map[inquiry.Experiment]inquiry.Outcome{inquiry.HalfConcurrency: inquiry.Goes, inquiry.HalfRate: inquiry.Stays, inquiry.Small: inquiry.Stays},
		Says:  "the server took no connection beyond a number of its own",
		Advice: func(c *inquiry.Investigation, h *inquiry.Hypothesis) []string {
			limit, fewer := "the server's own limit on connections (worker_connections, maxconn, a semaphore)", "let callers reuse connections, so that fewer are open at once"
			switch c.Language() {
			case profiles.SpeaksRedis:
				limit = "maxclients of Redis (CONFIG GET maxclients)"
			case profiles.SpeaksPostgres:
				limit = "max_connections of PostgreSQL (SHOW max_connections), which costs memory for each"
				fewer = "put a pool such as PgBouncer between, or let callers share fewer connections"
			}
			return []string{c.LimitSeen(h, "raise "+limit), fewer}
		},
	}
}
