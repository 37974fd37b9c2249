package kernels

import (
	"slices"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/hops"
)

// process is one of a host.
type process struct {
	host string
	pid  int32
}

func processOf(e probe.Event) process { return process{e.Host, e.PID} }

// jobs returns the commands that a service ran, by host and number: they lived shortly, ended
// in good order, and were never seen to hold a socket of the service, as its workers are.
func jobs(c *evidence.Case, h evidence.Hop) map[process]bool {
	const shortly = 1.0 // seconds
	if h.Station == nil || !slices.ContainsFunc(h.Station.Instances, func(x *hops.Service) bool { return len(x.PIDs) > 0 }) {
		return nil
	}
	began, out := map[process]float64{}, map[process]bool{}
	for _, e := range c.Run.Log.Events {
		p := processOf(e)
		switch at := e.At.Seconds(); {
		case e.Kind == probe.ProcessStart:
			began[p] = at
		case e.Kind == probe.ProcessExit && e.Reason == "exit status 0" && !h.Station.Has(e.Host, e.PID):
			if from, known := began[p]; known && at-from < shortly {
				out[p] = true
			}
		}
	}
	return out
}
