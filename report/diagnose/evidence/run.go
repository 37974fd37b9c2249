// Package evidence reads a run log into what conclusions are drawn from: the load and
// the counts of every target on one grid of windows, the hops that serve it, what
// kernels saw of its connections, the ends of processes, and the types that the other
// rooms fill (onsets, resources, signals). It decides nothing.
package evidence

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report/diagnose/hops"
	"github.com/rampload/rampload/report/diagnose/spoken"
	"github.com/rampload/rampload/report/runlog"
)

const (
	LocalHost    = profiles.LocalHost
	LocalProcess = "rampload" // the generator's name among the processes of localHost
)

// Run is what all questions share: the log on one grid of windows.
type Run struct {
	Grid
	Log       *runlog.Log
	Targets   []*Target
	Resources []*Resource
	Warnings  []string
	Lines     []*spoken.Line // what logs say, nil without any
	Graph     *hops.Graph    // who listens and who asks, as seen on sockets; nil: not read

	hosts map[netip.Addr]string // watched hosts by their addresses
}

func NewRun(log *runlog.Log) *Run {
	a := &Run{Log: log, Grid: Grid{Step: log.Header.Interval.Seconds()}, Graph: hops.Read(log), Lines: spoken.Read(log)}
	if a.Step <= 0 {
		a.Step = 0.25
	}
	a.hosts = hostsOf(log.Header.Hosts)
	all := 0
	for _, windows := range log.Windows {
		for _, w := range windows {
			all = max(all, int(w.Index)+1)
			if w.Scheduled > 0 {
				a.N = max(a.N, int(w.Index)+1)
			}
		}
	}
	a.Offered, a.Sent = make([]float64, all), make([]float64, all)
	for _, windows := range log.Windows {
		for _, w := range windows {
			if w.Index >= 0 {
				a.Offered[w.Index] += float64(w.Scheduled)
				a.Sent[w.Index] += float64(w.Sent)
			}
		}
	}
	a.Load = a.loadCurve()
	for i := range log.Windows {
		info := runlog.Target{Name: fmt.Sprintf("target-%d", i+1)}
		if i < len(log.Header.Targets) {
			info = log.Header.Targets[i]
		}
		a.Targets = append(a.Targets, a.newTargetSeries(i, info))
	}
	if log.Trailer == nil {
		a.Warnings = append(a.Warnings, "the run log has no end: the run was cut off, and what was not measured is not known")
	} else if log.Truncated {
		a.Warnings = append(a.Warnings, "bytes at the end of the run log could not be read")
	}
	return a
}

// Watches reports whether a host of that name is watched.
func (run *Run) Watches(host string) bool {
	return slices.ContainsFunc(run.Log.Header.Hosts, func(h runlog.Host) bool { return h.Name == host })
}

// Warn says in the report what was not measured, or misleads.
func (run *Run) Warn(format string, args ...any) {
	run.Warnings = append(run.Warnings, fmt.Sprintf(format, args...))
}
