package series

import (
	"math"
	"time"

	"github.com/rampload/rampload/profiles"
)

// minAbort is the fewest requests from which a share or a percentile may abort a
// run: below it one unlucky request would.
const minAbort = 20

// lookBack is how far back Struck looks for spans that changed: requests that
// time out end long after they were due.
const lookBack = 2 * time.Minute

// CanAbort reports whether a metric can be judged while a run goes on: counts,
// shares and percentiles can; onsets and headrooms are known at the end.
func CanAbort(m profiles.GateMetric) bool {
	switch m {
	case profiles.GateWireResets, profiles.GateVisibleResets, profiles.GateFailures, profiles.GateLost, profiles.GateLatency:
		return true
	}
	return false
}

// Abort judges abort conditions while windows are added to a series. The zero value
// has none. It is not safe for concurrent use.
type Abort struct {
	gates  []profiles.Gate // those that can be judged
	series *Series
	past   []Tally // by gate: what was forgotten
}

// NewAbort returns the judge of conditions on a series, which the caller adds windows to.
func NewAbort(gates []profiles.Gate, s *Series) *Abort {
	a := &Abort{series: s}
	for _, g := range gates {
		if CanAbort(g.Metric) {
			a.gates = append(a.gates, g)
		}
	}
	a.past = make([]Tally, len(a.gates))
	return a
}

// Forget drops the windows of the series that no condition looks at any more: a run
// without an end takes no more memory than the longest span and two minutes do.
// What was in them stays in the sums of conditions over the whole run. What ends
// later than that after it was due counts in the oldest window that is left. Call it
// when all targets have a window.
func (a *Abort) Forget() {
	s := a.series
	if s.Interval <= 0 {
		return
	}
	keep := int((lookBack + s.Interval - 1) / s.Interval)
	for _, g := range a.gates {
		keep = max(keep, a.span(g)+int(lookBack/s.Interval))
	}
	if s.Len() < 2*keep {
		return
	}
	for i, g := range a.gates {
		for _, w := range a.windows(g, 0, s.Len()-keep) {
			a.past[i].K += w.K
			a.past[i].N += w.N
		}
	}
	s.Forget(keep)
}

// Struck returns the first abort condition that holds now. It is meant to be
// called after every window and costs little: it looks at spans that ended in
// the last two minutes. A condition "within 10s" is judged over full spans of
// that length only, on what was due in them; one without a span is judged over
// the whole run so far. Requests still in flight count as well ended, so a
// target that answers slowly is not taken for one that fails. Shares need at
// least 20 requests, percentiles as many as one event at that percentile takes
// and no fewer than 20; counts speak for themselves.
func (a *Abort) Struck() (profiles.Gate, bool) {
	for i, g := range a.gates {
		if a.struck(i, g) {
			return g, true
		}
	}
	return profiles.Gate{}, false
}

// span returns the windows of a condition's span; 0: the whole run.
func (a *Abort) span(g profiles.Gate) int {
	if g.Within <= 0 {
		return 0
	}
	return max(1, int((g.Within+a.series.Interval-1)/a.series.Interval))
}

func (a *Abort) struck(i int, g profiles.Gate) bool {
	s := a.series
	if s.Len() == 0 || s.Interval <= 0 || len(s.Judged(g)) == 0 {
		return false
	}
	span, first, past := a.span(g), 0, a.past[i]
	switch {
	case span == 0:
		span = s.Len()
	case span > s.Len():
		return false
	default:
		first = max(0, s.Len()-span-int(lookBack/s.Interval))
		past = Tally{}
	}
	t := Tallies{Windows: a.windows(g, first, s.Len()), Span: span}
	hit := false
	t.Spans(func(_, _ int, sum Tally) {
		sum.K += past.K
		sum.N += past.N
		hit = hit || strikes(g, sum)
	})
	return hit
}

// windows returns what a condition counts in windows from first up to end.
func (a *Abort) windows(g profiles.Gate, first, end int) []Tally {
	s := a.series
	var loads []float64
	if g.UpTo > 0 {
		loads = s.Loads()
	}
	targets := s.Judged(g)
	out := make([]Tally, end-first)
	for i := range out {
		if loads != nil && !Covers(g, loads[first+i], s.Interval) {
			continue
		}
		for _, target := range targets {
			p := &s.Points[target][first+i]
			v := s.Tally(g, target, first+i)
			if g.Metric != profiles.GateLatency {
				// In flight: sent, and not ended in any way.
				v.N = max(v.N, p.Sent-min(p.Sent, p.LocalFaults)+p.Held)
			}
			out[i].K += v.K
			out[i].N += v.N
		}
	}
	return out
}

func strikes(g profiles.Gate, sum Tally) bool {
	if g.Metric != profiles.GateLatency && g.Unit == profiles.UnitCount {
		return g.Op.Holds(float64(sum.K), g.Value)
	}
	need := uint64(minAbort)
	if g.Metric == profiles.GateLatency && g.Percentile < 1 {
		need = max(need, uint64(math.Ceil(1/(1-g.Percentile)-1e-9)))
	}
	if sum.N < need {
		return false
	}
	if g.Metric == profiles.GateLatency {
		slow := sum.Share() > 1-g.Percentile
		return slow == (g.Op == profiles.Greater || g.Op == profiles.GreaterOrEqual)
	}
	return g.Op.Holds(sum.Share(), g.Value)
}
