package report

import (
	"fmt"
	"math"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report/format"
	"github.com/rampload/rampload/report/judge"
	"github.com/rampload/rampload/report/series"
)

// Judged is the evidence that gates are judged on.
type Judged struct {
	Series *Series
	// Onsets holds the onsets of all fault classes of each target by name. A
	// target without any was not scanned.
	Onsets map[string][]Onset
	// Headrooms holds the readings of every resource with a limit.
	Headrooms []Headroom
	// LimitedAt is when this machine became the limit; nil: it did not. What came
	// later proves nothing about a target.
	LimitedAt     *time.Duration
	LimitedReason string
	// CutShort says why the run ended before its schedule did; empty: it did not.
	CutShort string
	// Alone is set of one load of a search: failures are taken to come alone, for loads
	// beside it are tried too.
	Alone bool
}

// Headroom is what was left of one resource over time.
type Headroom struct {
	Name, Host, Process, Instance string

	At   []time.Duration // since the load began, ascending
	Free []float64       // share of the limit that was left, below 0 when it was overrun
}

// Judge judges every gate. A gate is passed when the run proves that it holds,
// failed when it proves that it does not, and undecided otherwise:
//
//   - Counts ("wire-resets == 0") hold or not as they were counted, and the
//     reason gives the bound that such a count proves.
//   - Shares ("failures < 0.1%") pass when the 95 % upper Clopper-Pearson bound is
//     within the limit and fail when the lower bound is beyond it. Between the two
//     there is too little data. Failures that come in clusters count as fewer ones of
//     fewer requests (see [stats.Clustering]); where none fails, or too few to tell, they
//     are taken to come in clusters of up to [judge.Together]. A limit of 0 % is failed by a single event.
//   - Percentiles ("p99 < 250ms") are shares too: at most 1 % of requests may
//     take longer.
//   - "within 10s" looks at every span of that length. It fails when the bound of
//     a span, corrected for the number of spans (Bonferroni), is beyond
//     the limit; it passes when the bound of the worst span is within it.
//   - "up to 1500/s" takes the requests due in windows offered at most that load
//     (and one request more for rounding), and passes only when 98 % of it was
//     sent over a second, and when the windows of the top tenth of it pass as well. What happens when nothing is due any more, at the end,
//     counts at the last load.
//   - "onset > 1500/s" compares the lowest lower end of the intervals of all
//     onsets of all fault classes, of those that passed and of periodic ones too:
//     what began at a load began there, even if it went away. Without an onset it
//     passes only when that load was sent, and when a rise to 1 % that began there
//     would have been found in 95 of 100 such runs (simulated).
//   - "crosses(0.1%) > 1500/s" takes the load at which the share of failed requests
//     passes 0.1 % (see [Series.Crossing]) of the target where it is lowest. It passes
//     when the lower end of the interval, and fails when the upper end, is on that side.
//   - "headroom(open-files) > 20%" takes the smallest reading. It passes only when
//     readings were there all the time (no gap of more than 3 s).
//
// Gates against a baseline are undecided until [Report.HoldAgainst] has one.
//
// Nothing that came after this machine became the limit counts. A run that was
// cut short, or limited before the load that a gate asks for, fails gates but
// passes none that needed the rest.
func Judge(gates []profiles.Gate, in Judged) []GateResult {
	if in.Series == nil {
		in.Series = new(Series)
	}
	out := make([]GateResult, len(gates))
	for i, g := range gates {
		out[i] = judgeOne(g, in)
		out[i].Expr = g.Text
	}
	return out
}

func judgeOne(g profiles.Gate, in Judged) GateResult {
	if g.Baseline > 0 {
		return GateResult{Unit: judge.UnitName(g.Unit), Result: GateUndecided, Reason: noBaseline}
	}
	e := newEvidence(g, in)
	var r GateResult
	switch g.Metric {
	case profiles.GateHeadroom:
		r = judgeHeadroom(g, e, in.Headrooms)
	case profiles.GateOnset:
		return judgeOnset(g, e, in)
	case profiles.GateCrosses:
		return judgeCrossing(g, e)
	default:
		if len(e.targets) == 0 && g.Metric == profiles.GateLost && g.Of == "" {
			return GateResult{Unit: judge.UnitName(g.Unit), Result: GateUndecided, Reason: "no target has a completion"}
		}
		if len(e.targets) == 0 {
			return GateResult{Unit: judge.UnitName(g.Unit), Result: GateUndecided, Reason: fmt.Sprintf("no target is named %q", g.Of)}
		}
		r = e.judgeBands(g)
		if unknown := in.Series.Unknown(g, e.includes); unknown > 0 && r.Result == GatePassed {
			r = e.doubt(r, unknown)
		}
	}
	if r.Result == GatePassed && e.missing != "" {
		r.Result = GateUndecided
		r.Reason = e.missing + "; so far " + r.Reason
	}
	return r
}

// doubt takes back a pass where those of whom nothing is known may break it.
func (e *evidence) doubt(r GateResult, unknown uint64) GateResult {
	sum := e.tallies().Total()
	worst := float64(sum.K + unknown)
	if e.gate.Unit == profiles.UnitRatio {
		worst /= float64(max(sum.N, sum.K+unknown))
	}
	if e.gate.Op.Holds(worst, e.gate.Value) {
		return r
	}
	r.Result = GateUndecided
	r.Reason = fmt.Sprintf("of %s transactions nobody knows what became; of the others %s", format.Count(unknown), r.Reason)
	return r
}

// topBand is from which share of the load that a gate names on a window belongs to
// that load, and peakBand the same for the very top of it.
const topBand, peakBand = 0.9, 0.97

// judgeBands judges all windows of a gate together and, of a gate "up to" a load, those
// near that load on their own: what a service does there is not to be averaged away by
// what it did at lower loads.
func (e *evidence) judgeBands(g profiles.Gate) GateResult {
	t := e.tallies()
	r := judge.Counts(g, t)
	if g.UpTo <= 0 || r.Result == GateFailed || e.missing != "" {
		return r
	}
	for _, part := range []float64{topBand, peakBand} {
		from := part * g.UpTo
		band := t.Only(func(i int) bool { return e.includes(i) && e.load(i) >= from })
		band.Cluster, band.Most = band.Clustering()
		band.Cluster, band.Most = max(t.Cluster, band.Cluster), max(t.Most, band.Most)
		band.Together = 0 // the whole has proven that
		b := judge.Counts(g, band)
		near := " near " + format.Rate(g.UpTo)
		switch {
		case b.Result == GateFailed:
			b.Reason += near
			return b
		case part == topBand && b.Result == GateUndecided && r.Result == GatePassed:
			b.Reason = fmt.Sprintf("from %s to %s: %s", format.Rate(math.Round(from)), format.Rate(g.UpTo), b.Reason)
			if hold := missingAt(g, band.Total()); hold != "" {
				b.Reason += "; " + hold
			}
			return b
		}
	}
	return r
}

// missingAt says for how long a load must be held for a gate without a single event.
func missingAt(g profiles.Gate, had series.Tally) string {
	need := judge.Enough(g)
	if g.Metric != profiles.GateLatency {
		need = judge.EnoughTogether(g.Op, g.Value, 1)
	}
	if had.K > 0 || need <= had.N {
		return ""
	}
	return "hold " + format.Rate(g.UpTo) + " for " + format.Seconds(math.Ceil(float64(need)/g.UpTo))
}

// evidence is the part of a run that one gate is judged on.
type evidence struct {
	gate    profiles.Gate
	series  *Series
	targets []int
	end     int    // windows from here on are no evidence
	alone   bool   // see Judged
	missing string // why even a clean record proves nothing; empty: it does
	loads   []float64
}

// load returns the load that a window counts at.
func (e *evidence) load(window int) float64 {
	if e.loads == nil {
		e.loads = e.series.Loads()
	}
	return e.loads[window]
}

func newEvidence(g profiles.Gate, in Judged) *evidence {
	e := &evidence{gate: g, series: in.Series, end: in.Series.Len(), alone: in.Alone}
	if g.Metric != profiles.GateHeadroom {
		e.targets = in.Series.Judged(g)
	}
	limited := ""
	if in.LimitedAt != nil {
		if in.Series.Interval > 0 {
			e.end = min(e.end, max(0, int(*in.LimitedAt/in.Series.Interval)))
		}
		limited = "this machine was the limit from " + format.Seconds(in.LimitedAt.Seconds()) + " on"
		if in.LimitedReason != "" {
			limited += " (" + in.LimitedReason + ")"
		}
	}
	want := g.UpTo
	if g.Metric == profiles.GateOnset || g.Metric == profiles.GateCrosses {
		want = g.Value
	}
	if want > 0 {
		if sent := in.Series.Achieved(e.end); sent < attack.FairShare*want {
			e.missing = fmt.Sprintf("%s was not reached: at most %s was sent", format.Rate(want), format.Rate(math.Round(sent)))
			switch {
			case limited != "":
				e.missing += ", " + limited
			case in.CutShort != "":
				e.missing += ", " + in.CutShort
			}
		}
		return e
	}
	if limited != "" {
		e.missing = limited
	} else {
		e.missing = in.CutShort
	}
	return e
}

// includes reports whether a window counts at most at the gate's load. One
// request more than the load asks for is rounding: the schedule has whole
// requests.
func (e *evidence) includes(window int) bool {
	if window < 0 || window >= e.end {
		return false
	}
	return e.gate.UpTo <= 0 || series.Covers(e.gate, e.load(window), e.series.Interval)
}

// tallies collects the included windows. A window that is not included counts
// nothing, so that a span over it holds the rest.
func (e *evidence) tallies() series.Tallies {
	s := e.series
	out := series.Tallies{
		Windows: make([]series.Tally, e.end),
	}
	if e.gate.Within > 0 && s.Interval > 0 {
		out.Span = max(1, int((e.gate.Within+s.Interval-1)/s.Interval))
	}
	if e.gate.Metric == profiles.GateLatency {
		out.Latency = make([]attack.Histogram, e.end)
	}
	for i := range e.end {
		if !e.includes(i) {
			continue
		}
		for _, t := range e.targets {
			p := &s.Points[t][i]
			v := s.Tally(e.gate, t, i)
			out.Windows[i].K += v.K
			out.Windows[i].N += v.N
			if out.Latency != nil {
				out.Latency[i] = out.Latency[i].Merge(p.Latency)
			}
		}
	}
	out.Step = s.Interval
	if !e.alone && e.gate.Metric != profiles.GateLatency && e.gate.Unit == profiles.UnitRatio {
		out.Together = judge.OfTogether(out.Total().N)
	}
	if out.Latency != nil {
		out.Together = out.SlowTogether()
	}
	out.Cluster, out.Most = out.Clustering()
	return out
}

// Counts returns what a gate counts in all windows of a series, of its targets: events and
// their exposure.
func Counts(g profiles.Gate, s *Series) (events, of uint64) {
	e := &evidence{gate: g, series: s, targets: s.Judged(g), end: s.Len()}
	sum := e.tallies().Total()
	return sum.K, sum.N
}
