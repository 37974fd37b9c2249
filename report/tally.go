package report

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report/stats"
)

// tally is the evidence of one window: events of some exposure.
type tally struct{ k, n uint64 }

func (t tally) share() float64 { return float64(t.k) / float64(t.n) }

// tallies is the evidence of a gate that counts, window by window over all of
// the gate's targets.
type tallies struct {
	windows []tally
	latency []attack.Histogram // only for a percentile
	span    int                // windows of a sliding span; 0: the whole run
	step    time.Duration      // of a window
	cluster float64            // how much less the events say than as many independent ones, at least 1
	most    float64            // the same at most: a share is proven small against this
	start   func(window int) time.Duration
}

// tallies collects the included windows. A window that is not included counts
// nothing, so that a span over it holds the rest.
func (e *evidence) tallies() tallies {
	s := e.series
	out := tallies{
		windows: make([]tally, e.end),
		start:   func(i int) time.Duration { return time.Duration(i) * s.Interval },
	}
	if e.gate.Within > 0 && s.Interval > 0 {
		out.span = max(1, int((e.gate.Within+s.Interval-1)/s.Interval))
	}
	if e.gate.Metric == profiles.GateLatency {
		out.latency = make([]attack.Histogram, e.end)
	}
	for i := range e.end {
		if !e.includes(i) {
			continue
		}
		for _, t := range e.targets {
			p := &s.Points[t][i]
			v := p.tally(e.gate)
			out.windows[i].k += v.k
			out.windows[i].n += v.n
			if out.latency != nil {
				out.latency[i] = out.latency[i].Merge(p.Latency)
			}
		}
	}
	out.step = s.Interval
	out.cluster, out.most = out.clustering()
	return out
}

// clustering measures how clustered the events are.
func (t tallies) clustering() (likely, most float64) {
	if t.step <= 0 {
		return 1, 1
	}
	y, e := make([]float64, len(t.windows)), make([]float64, len(t.windows))
	for i, w := range t.windows {
		y[i], e[i] = float64(w.k), float64(w.n)
	}
	return stats.Clustering(y, e, t.step.Seconds())
}

// bounds are the one-sided confidence bounds of the share of a tally, with the
// effective number of requests: those that fail together count as one.
func (t tallies) bounds(w tally, confidence float64) (low, high float64) {
	k, n := float64(w.k), float64(w.n)
	if w.k == 0 {
		return 0, stats.UpperShare(0, n, confidence)
	}
	return stats.LowerShare(k/t.cluster, n/t.cluster, confidence), stats.UpperShare(k/t.most, n/t.most, confidence)
}

// within is a span with how clustered events are in it: a spell that it is full of is
// what a span is judged for.
func (t tallies) within(from, to int) tallies {
	if t.span == 0 || t.cluster == 1 {
		return t
	}
	part := tallies{windows: t.windows[from:to], step: t.step}
	part.cluster, part.most = part.clustering()
	part.cluster, part.most = min(t.cluster, part.cluster), min(t.most, part.most)
	return part
}

// only returns the windows of a band of loads, as if nothing else had been sent.
func (t tallies) only(keep func(window int) bool) tallies {
	out := t
	out.windows = make([]tally, len(t.windows))
	for i, w := range t.windows {
		if keep(i) {
			out.windows[i] = w
		}
	}
	return out
}

// tally returns what a gate counts in one window: events and their exposure.
func (p *Point) tally(g profiles.Gate) tally {
	switch g.Metric {
	case profiles.GateWireResets:
		// Idle connections are reset without an attempt.
		return tally{p.WireResets, max(p.Attempts, p.WireResets)}
	case profiles.GateVisibleResets:
		return tally{p.VisibleResets, p.Requests}
	case profiles.GateFailures:
		return tally{p.Failures, p.Requests}
	case profiles.GateLatency:
		return over(p.Latency, g)
	}
	return tally{}
}

// over counts the requests that break a percentile's limit: p99 < 250 ms holds
// when at most 1 % of them take 250 ms or longer.
func over(h attack.Histogram, g profiles.Gate) tally {
	limit := g.Value * 1e6 // µs
	var t tally
	for _, b := range h {
		v := float64(b.Value)
		if v > limit || v == limit && (g.Op == profiles.Less || g.Op == profiles.GreaterOrEqual) {
			t.k += b.Count
		}
		t.n += b.Count
	}
	return t
}

// spans calls visit for every sliding span, or once for the whole run. The
// first span begins with the run.
func (t tallies) spans(visit func(from, to int, sum tally)) {
	size := t.span
	if size == 0 || size > len(t.windows) {
		size = len(t.windows)
	}
	var sum tally
	for i, w := range t.windows {
		sum.k += w.k
		sum.n += w.n
		if i >= size {
			sum.k -= t.windows[i-size].k
			sum.n -= t.windows[i-size].n
		}
		if i >= size-1 {
			visit(i-size+1, i+1, sum)
		}
	}
}

func (t tallies) total() tally {
	var sum tally
	for _, w := range t.windows {
		sum.k += w.k
		sum.n += w.n
	}
	return sum
}

// quantile returns a percentile over windows in seconds.
func (t tallies) quantile(from, to int, q float64) *float64 {
	var h attack.Histogram
	for _, w := range t.latency[from:to] {
		h = h.Merge(w)
	}
	v, ok := h.Quantile(q)
	if !ok {
		return nil
	}
	s := float64(v) / 1e6
	return &s
}

// Counts returns what a gate counts in all windows of a series, of its targets: events and
// their exposure.
func Counts(g profiles.Gate, s *Series) (events, of uint64) {
	e := &evidence{gate: g, series: s, targets: s.index(g.Of), end: s.Len()}
	sum := e.tallies().total()
	return sum.k, sum.n
}

func judgeCounts(g profiles.Gate, t tallies) GateResult {
	if t.total().n == 0 {
		what := "no request ended"
		if g.Metric == profiles.GateLatency {
			what = "no request succeeded"
		}
		return GateResult{Unit: unitName(g.Unit), Result: GateUndecided, Reason: what + " in the windows that it is judged on"}
	}
	switch {
	case g.Metric == profiles.GateLatency:
		return judgePercentile(g, t)
	case g.Unit == profiles.UnitCount:
		return judgeCount(g, t)
	case g.Value == 0 && (g.Op == profiles.Equal || g.Op == profiles.LessOrEqual):
		r := judgeCount(g, t)
		share := 0.0
		if r.Value != nil {
			share = t.total().share()
		}
		r.Value, r.Unit = &share, unitName(profiles.UnitRatio)
		return r
	}
	r, w := judgeShare(g.Op, g.Value, t)
	v := w.sum.share()
	r.Value, r.Unit = &v, unitName(profiles.UnitRatio)
	r.Reason = w.describe(t, FormatPercent(v, 3)) + r.Reason
	return r
}

// judgeCount compares counts as they are; the reason gives the bound.
func judgeCount(g profiles.Gate, t tallies) GateResult {
	r := GateResult{Unit: unitName(profiles.UnitCount), Result: GatePassed}
	worst := worstSpan{}
	t.spans(func(from, to int, sum tally) {
		more := sum.k > worst.sum.k
		if g.Op == profiles.Greater || g.Op == profiles.GreaterOrEqual {
			more = sum.k < worst.sum.k
		}
		if worst.to == 0 || more {
			worst = worstSpan{from, to, sum}
		}
		if !g.Op.Holds(float64(sum.k), g.Value) {
			r.Result = GateFailed
		}
	})
	v := float64(worst.sum.k)
	r.Value = &v
	detail := FormatPercent(worst.sum.share(), 3)
	if r.Result == GatePassed || worst.sum.n == 0 {
		all := t.total()
		detail = "at most " + FormatBound(upperBound(all.k, all.n, confidence))
	}
	r.Reason = worst.describe(t, detail)
	return r
}

// worstSpan is the span that decides, or comes nearest to deciding.
type worstSpan struct {
	from, to int
	sum      tally
}

func (w worstSpan) describe(t tallies, detail string) string {
	s := fmt.Sprintf("%s of %s (%s)", FormatCount(w.sum.k), FormatCount(w.sum.n), detail)
	return s + w.where(t)
}

// where says which span it is, unless it is the whole run.
func (w worstSpan) where(t tallies) string {
	if t.span == 0 || w.to-w.from == len(t.windows) {
		return ""
	}
	return fmt.Sprintf(" in the %s from %s", FormatSeconds((t.start(w.to) - t.start(w.from)).Seconds()), FormatSeconds(t.start(w.from).Seconds()))
}

// overlap is how many independent looks a sliding span takes while it moves by
// its own length: with it the error rate of a gate at its limit stays at 5 %
// (simulated, see TestGateErrorRates).
const overlap = 4

// judgeShare judges a share against its limit by confidence bounds. The reason
// is only what has to be added to the numbers.
func judgeShare(op profiles.Op, limit float64, t tallies) (GateResult, worstSpan) {
	atMost := op == profiles.Less || op == profiles.LessOrEqual
	broken := func(t tallies, k tally, confidence float64) bool { // proven
		low, high := t.bounds(k, confidence)
		switch {
		case atMost:
			return !op.Holds(low, limit)
		case op == profiles.Equal:
			return low > limit || high < limit
		}
		return !op.Holds(high, limit)
	}
	worse := func(a, b tally) bool {
		if atMost || op == profiles.Equal {
			return a.share() > b.share()
		}
		return a.share() < b.share()
	}
	separate := 1.0
	if t.span > 0 {
		separate = max(1, overlap*float64(len(t.windows))/float64(t.span))
	}
	var nearest, proven worstSpan
	t.spans(func(from, to int, sum tally) {
		if sum.n == 0 {
			return
		}
		w := worstSpan{from, to, sum}
		if nearest.to == 0 || worse(sum, nearest.sum) {
			nearest = w
		}
		if !op.Holds(sum.share(), limit) && (proven.to == 0 || worse(sum, proven.sum)) && broken(t.within(from, to), sum, 1-(1-confidence)/separate) {
			proven = w
		}
	})
	if proven.to > 0 {
		return GateResult{Result: GateFailed}, proven
	}
	all := t.total()
	if all.k == 0 { // no span is worse than another
		nearest = worstSpan{0, len(t.windows), all}
	}
	low, high := t.bounds(all, confidence)
	bound := high
	if !atMost {
		bound = low
	}
	clean := op.Holds(nearest.sum.share(), limit)
	proof := bound
	if least := t.thinnest(nearest); t.span > 0 && least.n > 0 && atMost {
		// A span is proven by its own requests, not by those of the whole run.
		_, proof = t.bounds(least, confidence)
		proof = max(proof, bound)
	}
	if clean && op.Holds(bound, limit) && op.Holds(proof, limit) {
		r := GateResult{Result: GatePassed}
		if atMost {
			r.Reason = ", at most " + FormatBound(high)
			if t.span > 0 && all.k > 0 {
				r.Reason += " of all"
			}
		}
		return r, nearest
	}
	r := GateResult{Result: GateUndecided}
	need := stats.CleanTrials(limit, confidence)
	switch {
	case atMost && clean && all.k == 0 && all.n < need:
		r.Reason = fmt.Sprintf(": too few to tell, %s without one would do", FormatCount(need))
	case t.span > 0 && clean && op.Holds(bound, limit):
		r.Reason = fmt.Sprintf(": too few in a span to tell, up to %s in one of %s; %s in a span without one would do",
			FormatBound(proof), FormatCount(t.thinnest(nearest).n), FormatCount(need))
	case t.span > 0 && !clean:
		r.Reason = ": too few in that span to tell"
	default:
		r.Reason = fmt.Sprintf(": too close to tell, between %s and %s", FormatPercent(low, 2), FormatBound(high)) + t.decide(limit, all)
	}
	return r, nearest
}

// thinnest returns the span that proves least: the one nearest to the limit, or, with
// nothing in any, that with the fewest requests among the full ones.
func (t tallies) thinnest(nearest worstSpan) tally {
	if nearest.sum.k > 0 || t.span == 0 {
		return nearest.sum
	}
	var counts []uint64
	t.spans(func(_, _ int, sum tally) {
		if sum.n > 0 {
			counts = append(counts, sum.n)
		}
	})
	if len(counts) == 0 {
		return tally{}
	}
	slices.Sort(counts)
	return tally{n: counts[len(counts)/2]}
}

// decide says what more requests like these would decide, and why more than their
// number tells.
func (t tallies) decide(limit float64, all tally) string {
	s := ""
	if t.cluster >= 1.5 {
		s = fmt.Sprintf("; they come in clusters, as %s independent ones of %s", FormatNumber(math.Ceil(float64(all.k)/t.cluster)), FormatCount(uint64(float64(all.n)/t.cluster)))
	}
	p := all.share()
	if all.n == 0 || p == limit || limit <= 0 {
		return s
	}
	// Normal approximation: the bound of the share meets the limit.
	const z = 1.645
	need := t.most * z * z * max(p, limit) * (1 - min(p, limit)) / ((p - limit) * (p - limit))
	if more := need - float64(all.n); more > 0 && need < 1e9 {
		s += fmt.Sprintf("; about %s requests more at this share would decide", FormatNumber(significantUp(more)))
	}
	return s
}

// significantUp rounds up to two significant digits.
func significantUp(v float64) float64 {
	unit := math.Pow(10, math.Floor(math.Log10(v))-1)
	return math.Ceil(v/unit) * unit
}

// judgePercentile judges a percentile by the share of requests that take longer.
func judgePercentile(g profiles.Gate, t tallies) GateResult {
	op := profiles.LessOrEqual
	if g.Op == profiles.Greater || g.Op == profiles.GreaterOrEqual {
		op = profiles.Greater
	}
	r, w := judgeShare(op, 1-g.Percentile, t)
	r.Unit = unitName(profiles.UnitDuration)
	r.Value = t.quantile(w.from, w.to, g.Percentile)
	value := "-"
	if r.Value != nil {
		value = FormatSeconds(*r.Value)
	}
	s := fmt.Sprintf("%s; %s of %s took longer", value, FormatCount(w.sum.k), FormatCount(w.sum.n))
	s += w.where(t)
	if r.Result == GateUndecided {
		if low, high := t.bounds(w.sum, confidence); math.Abs(high-low) > 0 {
			s += fmt.Sprintf(": too few to tell, a share between %s and %s", FormatPercent(low, 2), FormatBound(high))
			if t.cluster >= 1.5 {
				s += "; slow requests come together"
			}
		}
		if need := stats.CleanTrials(1-g.Percentile, confidence); w.sum.k == 0 && w.sum.n < need {
			s += fmt.Sprintf("; %s requests would do", FormatCount(need))
		}
	}
	r.Reason = s
	return r
}
