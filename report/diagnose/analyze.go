package diagnose

import (
	"fmt"
	"math"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/report/runlog"
)

// Analyze draws the conclusions of a run. It is pure: it neither reads a clock
// nor changes the log, and the same log gives the same result. A log without
// load gives the verdict inconclusive, never an error.
//
// The order is that of trust: first what the generator could not do, then where
// faults begin, then what ran out when, then which of the possible causes fits
// both, and last the words.
func Analyze(log *runlog.Log) Result {
	a := newAnalysis(log)
	out := Result{Generator: a.generator()}
	a.readResources()
	cases := make([]*investigation, len(a.targets))
	for i, t := range a.targets {
		onsets := a.onsets(t)
		out.Targets = append(out.Targets, TargetResult{
			Name: t.info.Name, Onsets: onsets,
			Recovery: a.recovery(t, onsets), MinDetectable: a.minDetectable(t),
		})
		cases[i] = a.investigate(t, onsets)
	}
	a.compareTargets(cases)
	a.limitGenerator(&out.Generator, cases)
	for _, c := range cases {
		c.rank()
	}
	out.Findings = a.findings(cases, out.Generator)
	out.Resources = a.resourceVerdicts(cases, out.Generator)
	out.Warnings = a.warnings
	return out
}

// analysis is what all questions share: the log on one grid of windows.
type analysis struct {
	log       *runlog.Log
	step      float64 // seconds per window
	n         int     // windows up to the last in which requests were due
	load      []float64
	offered   []float64 // requests due, by window
	sent      []float64
	unsent    []float64
	targets   []*targetSeries
	resources []*resource
	warnings  []string
}

func newAnalysis(log *runlog.Log) *analysis {
	a := &analysis{log: log, step: log.Header.Interval.Seconds()}
	if a.step <= 0 {
		a.step = 0.25
	}
	all := 0
	for _, windows := range log.Windows {
		for _, w := range windows {
			all = max(all, int(w.Index)+1)
			if w.Scheduled > 0 {
				a.n = max(a.n, int(w.Index)+1)
			}
		}
	}
	a.offered, a.sent, a.unsent = make([]float64, all), make([]float64, all), make([]float64, all)
	for _, windows := range log.Windows {
		for _, w := range windows {
			if w.Index >= 0 {
				a.offered[w.Index] += float64(w.Scheduled)
				a.sent[w.Index] += float64(w.Sent)
				a.unsent[w.Index] += float64(w.Unsent)
			}
		}
	}
	a.load = a.loadCurve()
	for i := range log.Windows {
		info := runlog.Target{Name: fmt.Sprintf("target-%d", i+1)}
		if i < len(log.Header.Targets) {
			info = log.Header.Targets[i]
		}
		a.targets = append(a.targets, a.newTargetSeries(i, info))
	}
	if log.Trailer == nil {
		a.warnings = append(a.warnings, "the run log has no end: the run was cut off, and what was not measured is not known")
	} else if log.Truncated {
		a.warnings = append(a.warnings, "bytes at the end of the run log could not be read")
	}
	return a
}

func (a *analysis) warn(format string, args ...any) {
	a.warnings = append(a.warnings, fmt.Sprintf(format, args...))
}

// seconds returns the start of a window; a fraction lies within it.
func (a *analysis) seconds(window float64) float64 { return window * a.step }

// window returns the window of a time, within the load.
func (a *analysis) window(seconds float64) int {
	return min(max(int(math.Floor(seconds/a.step+1e-9)), 0), max(a.n-1, 0))
}

// duration is the length of the load in seconds.
func (a *analysis) duration() float64 { return float64(a.n) * a.step }

// loadAt returns the offered load at a time.
func (a *analysis) loadAt(seconds float64) float64 {
	if a.n == 0 {
		return 0
	}
	// Loads belong to the middle of their windows; between, they are linear.
	x := seconds/a.step - 0.5
	i := int(math.Floor(x))
	switch {
	case i < 0:
		return a.load[0]
	case i >= a.n-1:
		return a.load[a.n-1]
	}
	f := x - float64(i)
	return a.load[i]*(1-f) + a.load[i+1]*f
}

// maxLoad returns the highest offered load, over a second.
func (a *analysis) maxLoad() float64 {
	most := 0.0
	for _, l := range a.load[:a.n] {
		most = max(most, l)
	}
	return most
}

// achieved returns the highest load over a second that was really sent.
func (a *analysis) achieved() float64 {
	k := max(1, int(math.Round(1/a.step)))
	sum, best := 0.0, 0.0
	for i := range a.n {
		sum += a.sent[i]
		if i >= k {
			sum -= a.sent[i-k]
		}
		if i >= k-1 {
			best = max(best, sum)
		}
	}
	if best == 0 {
		return sum / max(a.step, a.duration())
	}
	return best / (float64(k) * a.step)
}

// headline returns the first of the onsets, nil without any.
func headline(onsets []Onset) *Onset {
	if len(onsets) == 0 {
		return nil
	}
	return &onsets[0]
}

// name of a fault class as people read it in a sentence.
func plural(f attack.Fault) string {
	switch f {
	case attack.Reset:
		return "resets"
	case attack.Refused:
		return "refused connections"
	case attack.EOF:
		return "connections closed instead of a response"
	case attack.BrokenPipe:
		return "writes to closed connections"
	case attack.Timeout:
		return "timeouts"
	case attack.Status:
		return "unexpected statuses"
	case attack.HTTP2Reset:
		return "stream resets"
	case attack.TLS:
		return "failed TLS handshakes"
	}
	return f.String() + " faults"
}
