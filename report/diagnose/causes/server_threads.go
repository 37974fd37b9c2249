package causes

import (
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// serverThreads: all threads or worker processes were busy, or no more could be made.
func serverThreads() inquiry.Rule {
	// Where requests were seen to wait says more than how they failed.
	waits := []evidence.Clue{evidence.ThreadsFull, evidence.LatencyFirst, evidence.ConnectionsCapped, evidence.RisesWithLoad, evidence.ProcessorBusy}
	return inquiry.Rule{
		Cause: "server-threads", Mechanism: report.MechanismExhausted, Gauges: []string{probe.Threads, probe.UserThreads, probe.HostThreads, probe.CgroupPIDs}, Counters: []string{probe.PIDsMaxHits},
		ProvenBy: inquiry.RanOut, Waits: true,
		Proof:     []evidence.Clue{evidence.StandsQueued, evidence.SaysWorkers},
		Told:      []evidence.Clue{evidence.StandsQueued, evidence.SaysWorkers},
		Elsewhere: []evidence.Clue{evidence.StandsQueued, evidence.FewerPlaces},
		Unless:    []evidence.Clue{evidence.Stolen, evidence.StoreHop}, // a store limits connections, and has a thread for each
		Weights: []inquiry.Weight{
			{Clue: evidence.StandsQueued, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.FewerPlaces, Yes: inquiry.Proves, No: 0}, // the sockets do not tell a full pool of threads from one of connections
			{Clue: evidence.SaysWorkers, Yes: inquiry.Proves, No: 0},
			{Clue: evidence.AcceptedLate, Yes: inquiry.Weak, No: 0},
			{Clue: evidence.ReadLate, Yes: inquiry.Weak, No: 0},
			{Clue: evidence.ThreadsFull, Yes: 0.3, No: -1},
			{Clue: evidence.LatencyFirst, Yes: -1, No: 0},
			{Clue: evidence.ConnectionsCapped, Yes: -0.5, No: 0},
			{Clue: evidence.CloseWaitRises, Yes: 0.5, No: 0},
			{Clue: evidence.ExcessFails, Yes: 0.3, No: 0},
			{Clue: evidence.ProcessorBusy, Yes: -1, No: 0},
			{Clue: evidence.Vanished, Yes: -3, No: 0},
			{Clue: evidence.RisesWithLoad, Yes: 0.3, No: -2},
			{Clue: evidence.DiedWithFaults, Yes: -1, No: 0},
			{Clue: evidence.SentNone, Yes: -4, No: 0},
			{Clue: evidence.IdleGap, Yes: -2, No: 0},
			{Clue: evidence.SentLinger, Yes: -1, No: 0},
			{Clue: evidence.StreamResets, Yes: -2, No: 0},
		},
		Instead: map[evidence.Clue][]evidence.Clue{evidence.StandsQueued: waits, evidence.FewerPlaces: waits},
		Tells:   map[inquiry.Experiment]inquiry.Outcome{inquiry.HalfConcurrency: inquiry.Goes},
		Says:    "no thread or process was free, or could be made",
		Advice: func(c *inquiry.Investigation, h *inquiry.Hypothesis) []string {
			if c.Facts != nil && h.Hop.Index < len(c.Facts) && c.Facts[h.Hop.Index][evidence.CallersSend].Is == evidence.Yes {
				return []string{
					"give callers a short time to send a request in (nginx: client_header_timeout, client_body_timeout; Apache: RequestReadTimeout; haproxy: timeout http-request, option http-buffer-request), and bound connections for each address",
					"put a proxy before it that reads requests completely before it passes them on (nginx: proxy_request_buffering)",
				}
			}
			if c.Facts != nil && h.Hop.Index < len(c.Facts) && c.Facts[h.Hop.Index][evidence.LoopHeld].Is == evidence.Yes {
				return []string{
					"find the call that holds the event loop (a stack dump while it stands; asyncio: PYTHONASYNCIODEBUG=1 names slow callbacks; node: --cpu-prof, perf_hooks.monitorEventLoopDelay) and make it elsewhere: a pool of threads, or a client that does not block",
					"run several processes of the service, so that one that is held is not all of it",
				}
			}
			if c.Facts != nil && h.Hop.Index < len(c.Facts) && c.Facts[h.Hop.Index][evidence.StandsQueued].Is == evidence.Yes {
				return []string{
					"give the service more workers or threads: all of them are busy inside, and what comes meanwhile is not even read",
					"find what holds a worker for so long, and bound it",
				}
			}
			raise := c.LimitSeen(h, "raise the limit on threads (pids.max, RLIMIT_NPROC) or bound the pool that grows")
			if g, ok := c.Leak(h); ok {
				return []string{"find what starts threads or processes that do not end: " + c.Leaks(h, g), raise}
			}
			return []string{raise}
		},
	}
}
