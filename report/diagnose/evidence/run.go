// Package evidence reads a run log into what conclusions are drawn from: the load and
// the counts of every target on one grid of windows, the hops that serve it, what
// kernels saw of its connections, the ends of processes, and the types that the other
// rooms fill (onsets, resources, signals). It decides nothing.
package evidence

import (
	"fmt"
	"math"
	"slices"

	"github.com/rampload/rampload/report/diagnose/hops"
	"github.com/rampload/rampload/report/diagnose/spoken"
	"github.com/rampload/rampload/report/runlog"
)

// Run is what all questions share: the log on one grid of windows.
type Run struct {
	Log       *runlog.Log
	Step      float64 // seconds per window
	N         int     // windows up to the last in which requests were due
	Load      []float64
	Offered   []float64 // requests due, by window
	sent      []float64
	unsent    []float64
	Targets   []*Target
	Resources []*Resource
	Warnings  []string
	Lines     []*spoken.Line // what logs say, nil without any
	Graph     *hops.Graph    // who listens and who asks, as seen on sockets; nil: not read
}

func NewRun(log *runlog.Log) *Run {
	a := &Run{Log: log, Step: log.Header.Interval.Seconds(), Graph: hops.Read(log), Lines: spoken.Read(log)}
	if a.Step <= 0 {
		a.Step = 0.25
	}
	all := 0
	for _, windows := range log.Windows {
		for _, w := range windows {
			all = max(all, int(w.Index)+1)
			if w.Scheduled > 0 {
				a.N = max(a.N, int(w.Index)+1)
			}
		}
	}
	a.Offered, a.sent, a.unsent = make([]float64, all), make([]float64, all), make([]float64, all)
	for _, windows := range log.Windows {
		for _, w := range windows {
			if w.Index >= 0 {
				a.Offered[w.Index] += float64(w.Scheduled)
				a.sent[w.Index] += float64(w.Sent)
				a.unsent[w.Index] += float64(w.Unsent)
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
func (a *Run) Watches(host string) bool {
	return slices.ContainsFunc(a.Log.Header.Hosts, func(h runlog.Host) bool { return h.Name == host })
}

func (a *Run) warn(format string, args ...any) {
	a.Warnings = append(a.Warnings, fmt.Sprintf(format, args...))
}

// Seconds returns the start of a window; a fraction lies within it.
func (a *Run) Seconds(window float64) float64 { return window * a.Step }

// Window returns the window of a time, within the load.
func (a *Run) Window(seconds float64) int {
	return min(max(int(math.Floor(seconds/a.Step+1e-9)), 0), max(a.N-1, 0))
}

// Duration is the length of the load in seconds.
func (a *Run) Duration() float64 { return float64(a.N) * a.Step }

// LoadAt returns the offered load at a time.
func (a *Run) LoadAt(seconds float64) float64 {
	if a.N == 0 {
		return 0
	}
	// Loads belong to the middle of their windows; between, they are linear.
	x := seconds/a.Step - 0.5
	i := int(math.Floor(x))
	switch {
	case i < 0:
		return a.Load[0]
	case i >= a.N-1:
		return a.Load[a.N-1]
	}
	f := x - float64(i)
	return a.Load[i]*(1-f) + a.Load[i+1]*f
}

// MaxLoad returns the highest offered load, over a second.
func (a *Run) MaxLoad() float64 {
	most := 0.0
	for _, l := range a.Load[:a.N] {
		most = max(most, l)
	}
	return most
}

// achieved returns the highest load over a second that was really sent.
func (a *Run) achieved() float64 {
	k := max(1, int(math.Round(1/a.Step)))
	sum, best := 0.0, 0.0
	for i := range a.N {
		sum += a.sent[i]
		if i >= k {
			sum -= a.sent[i-k]
		}
		if i >= k-1 {
			best = max(best, sum)
		}
	}
	if best == 0 {
		return sum / max(a.Step, a.Duration())
	}
	return best / (float64(k) * a.Step)
}
