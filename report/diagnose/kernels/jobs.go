package kernels

import (
	"time"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// process is one of a host.
type process struct {
	host string
	pid  int32
}

// moment is one event of a process: another may have its number later.
type moment struct {
	process
	at time.Duration
}

func momentOf(e probe.Event) moment { return moment{process{e.Host, e.PID}, e.At} }

// jobs returns the starts and ends of the commands that a service ran: these lived shortly,
// ended in good order, and were never seen to hold a socket of the service, as its workers are.
func jobs(c *evidence.Case, h evidence.Hop) map[moment]bool {
	const shortly = time.Second
	if h.Station == nil {
		return nil
	}
	known := map[string]bool{} // hosts whose workers are
	for _, x := range h.Station.Instances {
		known[x.Host] = known[x.Host] || len(x.PIDs) > 0
	}
	began, out := map[process]probe.Event{}, map[moment]bool{}
	for _, e := range c.Run.Log.Events {
		p := process{e.Host, e.PID}
		switch e.Kind {
		case probe.ProcessStart:
			began[p] = e
		case probe.ProcessExit:
			from, seen := began[p]
			if delete(began, p); seen && known[e.Host] && e.Reason == "exit status 0" && e.At-from.At < shortly && !h.Station.Has(e.Host, e.PID) {
				out[momentOf(from)], out[momentOf(e)] = true, true
			}
		}
	}
	return out
}
