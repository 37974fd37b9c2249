package judge

import (
	"fmt"
	"math"
	"time"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report/format"
	"github.com/rampload/rampload/report/series"
	"github.com/rampload/rampload/report/stats"
)

// Counts judges a gate on counts, of the windows that it is about.
func Counts(g profiles.Gate, t series.Tallies) Result {
	if t.Total().N == 0 {
		what := "no request ended"
		if g.Metric == profiles.GateLatency {
			what = "no request succeeded"
		}
		return Result{Unit: UnitName(g.Unit), Result: Undecided, Reason: what + " in the windows that it is judged on"}
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
			share = t.Total().Share()
		}
		r.Value, r.Unit = &share, UnitName(profiles.UnitRatio)
		return r
	}
	r, w := judgeShare(g.Op, g.Value, t)
	v := w.sum.Share()
	r.Value, r.Unit = &v, UnitName(profiles.UnitRatio)
	r.Reason = w.describe(t, format.FinePercent(v)) + r.Reason
	return r
}

// judgeCount compares counts as they are; the reason gives the bound.
func judgeCount(g profiles.Gate, t series.Tallies) Result {
	r := Result{Unit: UnitName(profiles.UnitCount), Result: Passed}
	worst := worstSpan{}
	t.Spans(func(from, to int, sum series.Tally) {
		more := sum.K > worst.sum.K
		if g.Op == profiles.Greater || g.Op == profiles.GreaterOrEqual {
			more = sum.K < worst.sum.K
		}
		if worst.to == 0 || more {
			worst = worstSpan{from, to, sum}
		}
		if !g.Op.Holds(float64(sum.K), g.Value) {
			r.Result = Failed
		}
	})
	v := float64(worst.sum.K)
	r.Value = &v
	detail := format.FinePercent(worst.sum.Share())
	if r.Result == Passed || worst.sum.N == 0 {
		all := t.Total()
		detail = "at most " + format.Bound(ShareAtMost(all.K, all.N))
	}
	r.Reason = worst.describe(t, detail)
	return r
}

// worstSpan is the span that decides, or comes nearest to deciding.
type worstSpan struct {
	from, to int
	sum      series.Tally
}

func (w worstSpan) describe(t series.Tallies, detail string) string {
	s := fmt.Sprintf("%s of %s (%s)", format.Count(w.sum.K), format.Count(w.sum.N), detail)
	return s + w.where(t)
}

// where says which span it is, unless it is the whole run.
func (w worstSpan) where(t series.Tallies) string {
	if t.Span == 0 || w.to-w.from == len(t.Windows) {
		return ""
	}
	return fmt.Sprintf(" in the %s from %s", format.Seconds((time.Duration(w.to-w.from) * t.Step).Seconds()), format.Seconds((time.Duration(w.from) * t.Step).Seconds()))
}

// overlap is how many independent looks a sliding span takes while it moves by
// its own length: with it the error rate of a gate at its limit stays at 5 %
// (simulated, see TestGateErrorRates).
const overlap = 4

// judgeShare judges a share against its limit by confidence bounds. The reason
// is only what has to be added to the numbers.
func judgeShare(op profiles.Op, limit float64, t series.Tallies) (Result, worstSpan) {
	atMost := op == profiles.Less || op == profiles.LessOrEqual
	broken := func(t series.Tallies, k series.Tally, confidence float64) bool { // proven
		low, high := t.Bounds(k, confidence)
		switch {
		case atMost:
			return !op.Holds(low, limit)
		case op == profiles.Equal:
			return low > limit || high < limit
		}
		return !op.Holds(high, limit)
	}
	worse := func(a, b series.Tally) bool {
		if atMost || op == profiles.Equal {
			return a.Share() > b.Share()
		}
		return a.Share() < b.Share()
	}
	separate := 1.0
	if t.Span > 0 {
		separate = max(1, overlap*float64(len(t.Windows))/float64(t.Span))
	}
	var nearest, proven worstSpan
	t.Spans(func(from, to int, sum series.Tally) {
		if sum.N == 0 {
			return
		}
		w := worstSpan{from, to, sum}
		if nearest.to == 0 || worse(sum, nearest.sum) {
			nearest = w
		}
		if !op.Holds(sum.Share(), limit) && (proven.to == 0 || worse(sum, proven.sum)) && broken(t.Within(from, to), sum, 1-(1-Confidence)/separate) {
			proven = w
		}
	})
	if proven.to > 0 {
		return Result{Result: Failed}, proven
	}
	all := t.Total()
	if all.K == 0 { // no span is worse than another
		nearest = worstSpan{0, len(t.Windows), all}
	}
	low, high := t.Bounds(all, Confidence)
	bound := high
	if !atMost {
		bound = low
	}
	clean := op.Holds(nearest.sum.Share(), limit)
	proof := bound
	if least := t.Thinnest(nearest.sum); t.Span > 0 && least.N > 0 && atMost {
		// A span is proven by its own requests, not by those of the whole run.
		alone := t
		alone.Together = 1
		_, proof = alone.Bounds(least, Confidence)
		proof = max(proof, bound)
	}
	if clean && op.Holds(bound, limit) && op.Holds(proof, limit) {
		r := Result{Result: Passed}
		if atMost {
			r.Reason = ", at most " + format.Bound(high)
			if all.K == 0 && t.Together > 1 {
				r.Reason = fmt.Sprintf(", at most %s, if up to %.0f fail together %s", format.Bound(ShareAtMost(0, all.N)), t.Together, format.Bound(high))
			}
			if t.Span > 0 && all.K > 0 {
				r.Reason += " of all"
			}
		}
		return r, nearest
	}
	r := Result{Result: Undecided}
	need := stats.CleanTrials(limit, Confidence)
	inSpells := func() uint64 {
		if t.Together < 1 {
			return EnoughTogether(op, limit, 1)
		}
		return enoughOfShare(op, limit)
	}
	switch {
	case atMost && clean && all.K == 0 && all.N >= need && t.Together >= 1 && !op.Holds(bound, limit):
		r.Reason = fmt.Sprintf(": too few to tell where up to %d fail together, %s more without one would do", Together, format.Count(inSpells()-all.N))
	case atMost && clean && all.K == 0 && all.N < need:
		need = inSpells()
		r.Reason = fmt.Sprintf(": too few to tell, %s without one would do", format.Count(need))
	case t.Span > 0 && clean && op.Holds(bound, limit):
		r.Reason = fmt.Sprintf(": too few in a span to tell, up to %s in one of %s; %s in a span without one would do",
			format.Bound(proof), format.Count(t.Thinnest(nearest.sum).N), format.Count(need))
	case t.Span > 0 && !clean:
		r.Reason = ": too few in that span to tell"
	default:
		r.Reason = fmt.Sprintf(": too close to tell, between %s and %s", format.Percent(low), format.Bound(high)) + decisive(t, limit, all)
	}
	return r, nearest
}

// decisive says what more requests like these would decide, and why more than their
// number tells.
func decisive(t series.Tallies, limit float64, all series.Tally) string {
	s := ""
	if t.Cluster >= 1.5 {
		s = fmt.Sprintf("; they come in clusters, as %s independent ones of %s", format.Number(math.Ceil(float64(all.K)/t.Cluster)), format.Count(uint64(float64(all.N)/t.Cluster)))
	}
	p := all.Share()
	if all.N == 0 || p == limit || limit <= 0 {
		return s
	}
	// Normal approximation: the bound of the share meets the limit.
	const z = 1.645
	need := t.Most * z * z * max(p, limit) * (1 - min(p, limit)) / ((p - limit) * (p - limit))
	if more := need - float64(all.N); more > 0 && need < 1e9 {
		s += fmt.Sprintf("; about %s requests more at this share would decide", format.Number(format.RoundUp(more)))
	}
	return s
}

// judgePercentile judges a percentile by the share of requests that take longer.
func judgePercentile(g profiles.Gate, t series.Tallies) Result {
	op := profiles.LessOrEqual
	if g.Op == profiles.Greater || g.Op == profiles.GreaterOrEqual {
		op = profiles.Greater
	}
	r, w := judgeShare(op, 1-g.Percentile, t)
	r.Unit = UnitName(profiles.UnitDuration)
	r.Value = t.Quantile(w.from, w.to, g.Percentile)
	r.Low, r.High = t.QuantileBounds(w.from, w.to, g.Percentile, Confidence)
	value := "-"
	if r.Value != nil {
		value = format.Seconds(*r.Value)
		value += within(value, r.Low, r.High)
	}
	s := fmt.Sprintf("%s; %s of %s took longer", value, format.Count(w.sum.K), format.Count(w.sum.N))
	s += w.where(t)
	if r.Result == Undecided {
		if low, high := t.Bounds(w.sum, Confidence); math.Abs(high-low) > 0 {
			s += fmt.Sprintf(": too few to tell, a share between %s and %s", format.Percent(low), format.Bound(high))
			if t.Cluster >= 1.5 {
				s += "; slow requests come together"
			}
		}
		if need := EnoughTogether(profiles.LessOrEqual, 1-g.Percentile, t.Together); w.sum.K == 0 && w.sum.N < need {
			s += fmt.Sprintf("; %s requests would do", format.Count(need))
		}
	}
	r.Reason = s
	return r
}

// within says between what a latency lies, in seconds; nothing where that reads like the
// latency itself.
func within(value string, low, high *float64) string {
	from, to := "", ""
	if low != nil {
		from = format.Seconds(*low)
	}
	if high != nil {
		to = format.Seconds(*high)
	}
	switch {
	case from != "" && to != "" && (from != value || to != value):
		return fmt.Sprintf(" (%s to %s)", from, to)
	case from == "" && to != "" && to != value:
		return fmt.Sprintf(" (at most %s)", to)
	case from != "" && to == "" && from != value:
		return fmt.Sprintf(" (at least %s)", from)
	}
	return ""
}
