package report

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
	case profiles.GateWireResets, profiles.GateVisibleResets, profiles.GateFailures, profiles.GateLatency:
		return true
	}
	return false
}

// Struck returns the first abort condition that holds now. It is meant to be
// called after every window and costs little: it looks at spans that ended in
// the last two minutes. A condition "within 10s" is judged over full spans of
// that length only, on what was due in them; one without a span is judged over
// the whole run so far. Requests still in flight count as well ended, so a
// target that answers slowly is not taken for one that fails. Shares need at
// least 20 requests, percentiles as many as one event at that percentile takes
// and no fewer than 20; counts speak for themselves.
func Struck(abort []profiles.Gate, s *Series) (profiles.Gate, bool) {
	for _, g := range abort {
		if CanAbort(g.Metric) && struck(g, s) {
			return g, true
		}
	}
	return profiles.Gate{}, false
}

func struck(g profiles.Gate, s *Series) bool {
	targets := s.index(g.Of)
	total := s.Len()
	if len(targets) == 0 || total == 0 || s.Interval <= 0 {
		return false
	}
	span, first := total, 0
	if g.Within > 0 {
		span = max(1, int((g.Within+s.Interval-1)/s.Interval))
		first = max(0, total-span-int(lookBack/s.Interval))
	}
	if span > total {
		return false
	}
	e := &evidence{gate: g, series: s, end: total}
	t := tallies{windows: make([]tally, total-first), span: span}
	for i := range t.windows {
		if !e.includes(first + i) {
			continue
		}
		for _, target := range targets {
			p := &s.Points[target][first+i]
			v := p.tally(g)
			if g.Metric != profiles.GateLatency {
				// In flight: sent, and not ended in any way.
				v.n = max(v.n, p.Sent-min(p.Sent, p.LocalFaults)+p.Held)
			}
			t.windows[i].k += v.k
			t.windows[i].n += v.n
		}
	}
	hit := false
	t.spans(func(_, _ int, sum tally) { hit = hit || strikes(g, sum) })
	return hit
}

func strikes(g profiles.Gate, sum tally) bool {
	if g.Metric != profiles.GateLatency && g.Unit == profiles.UnitCount {
		return holds(g.Op, float64(sum.k), g.Value)
	}
	need := uint64(minAbort)
	if g.Metric == profiles.GateLatency && g.Percentile < 1 {
		need = max(need, uint64(math.Ceil(1/(1-g.Percentile)-1e-9)))
	}
	if sum.n < need {
		return false
	}
	if g.Metric == profiles.GateLatency {
		slow := sum.share() > 1-g.Percentile
		return slow == (g.Op == profiles.Greater || g.Op == profiles.GreaterOrEqual)
	}
	return holds(g.Op, sum.share(), g.Value)
}
