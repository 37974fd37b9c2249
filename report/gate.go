package report

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report/series"
	"github.com/rampload/rampload/report/stats"
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
//     are taken to come in clusters of up to [Together]. A limit of 0 % is failed by a single event.
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
		out[i] = judge(g, in)
		out[i].Expr = g.Text
	}
	return out
}

func judge(g profiles.Gate, in Judged) GateResult {
	if g.Baseline > 0 {
		return GateResult{Unit: unitName(g.Unit), Result: GateUndecided, Reason: noBaseline}
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
			return GateResult{Unit: unitName(g.Unit), Result: GateUndecided, Reason: "no target has a completion"}
		}
		if len(e.targets) == 0 {
			return GateResult{Unit: unitName(g.Unit), Result: GateUndecided, Reason: fmt.Sprintf("no target is named %q", g.Of)}
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
	r.Reason = fmt.Sprintf("of %s transactions nobody knows what became; of the others %s", FormatCount(unknown), r.Reason)
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
	r := judgeCounts(g, t)
	if g.UpTo <= 0 || r.Result == GateFailed || e.missing != "" {
		return r
	}
	for _, part := range []float64{topBand, peakBand} {
		from := part * g.UpTo
		band := t.Only(func(i int) bool { return e.includes(i) && e.load(i) >= from })
		band.Cluster, band.Most = band.Clustering()
		band.Cluster, band.Most = max(t.Cluster, band.Cluster), max(t.Most, band.Most)
		band.Together = 0 // the whole has proven that
		b := judgeCounts(g, band)
		near := " near " + FormatRate(g.UpTo)
		switch {
		case b.Result == GateFailed:
			b.Reason += near
			return b
		case part == topBand && b.Result == GateUndecided && r.Result == GatePassed:
			b.Reason = fmt.Sprintf("from %s to %s: %s", FormatRate(math.Round(from)), FormatRate(g.UpTo), b.Reason)
			if hold := missingAt(g, band.Total()); hold != "" {
				b.Reason += "; " + hold
			}
			return b
		}
	}
	return r
}

// missingAt says for how long a load must be held for a gate without a single event.
func missingAt(g profiles.Gate, had tally) string {
	need := Enough(g)
	if g.Metric != profiles.GateLatency {
		need = enough(g.Op, g.Value, 1)
	}
	if had.K > 0 || need <= had.N {
		return ""
	}
	return "hold " + FormatRate(g.UpTo) + " for " + FormatSeconds(math.Ceil(float64(need)/g.UpTo))
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
		limited = "this machine was the limit from " + FormatSeconds(in.LimitedAt.Seconds()) + " on"
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
			e.missing = fmt.Sprintf("%s was not reached: at most %s was sent", FormatRate(want), FormatRate(math.Round(sent)))
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

func judgeOnset(g profiles.Gate, e *evidence, in Judged) GateResult {
	r := GateResult{Unit: unitName(profiles.UnitRate), Result: GateUndecided}
	if len(e.targets) == 0 {
		r.Reason = fmt.Sprintf("no target is named %q", g.Of)
		return r
	}
	lowest, where := math.Inf(1), Onset{}
	target := ""
	for _, t := range e.targets {
		name := in.Series.Names[t]
		if len(in.Onsets[name]) == 0 {
			r.Reason = name + " was not scanned for an onset"
			return r
		}
		for _, o := range in.Onsets[name] {
			if o.Status == OnsetNone {
				continue
			}
			if in.LimitedAt != nil && o.AtS != nil && *o.AtS >= in.LimitedAt.Seconds() {
				continue // it may be this machine's own doing
			}
			low := 0.0
			if o.LoadLowRPS != nil {
				low = *o.LoadLowRPS
			} else if o.LoadRPS != nil && o.Status != OnsetFromStart {
				low = *o.LoadRPS
			}
			if low < lowest {
				lowest, where, target = low, o, name
			}
		}
	}
	if target != "" {
		r.Value = &lowest
		r.Reason = describeOnset(target, where)
		r.Result = GateFailed
		if g.Op.Holds(lowest, g.Value) {
			r.Result = GatePassed
		}
		return r
	}
	sent := in.Series.Achieved(e.end)
	r.Reason = "no onset up to " + FormatRate(math.Round(sent))
	switch {
	case e.missing != "":
		r.Reason = e.missing + "; so far no onset"
	case g.Op == profiles.Greater || g.Op == profiles.GreaterOrEqual:
		if why := e.unseen(in); why != "" {
			r.Reason += ", but " + why
			return r
		}
		r.Result = GatePassed
		r.Reason += "; a rise to " + FormatPercent(materialRise, 2) + " at " + FormatRate(g.Value) + " would have been found"
	default:
		r.Result = GateFailed // an onset was asked for, and there is none at that load
	}
	return r
}

// materialRise is the share of failures whose onset must have been found for "no
// onset" to prove anything.
const materialRise = 0.01

// holds that are tried, in seconds, for how long a load must be held.
var holdsToTry = []int{5, 10, 20, 30, 60, 120, 300, 600}

// unseen says why a rise to the material share at the gate's load might not have been
// found on one of its targets, and for how long to hold the load; empty: it would have.
func (e *evidence) unseen(in Judged) string {
	for _, t := range e.targets {
		r := e.rates(t)
		from := slices.IndexFunc(r.Load, func(l float64) bool { return l >= attack.FairShare*e.gate.Value })
		o := in.onsetOptions()
		if from >= 1 && stats.Finds(r, o, from, materialRise, stats.PowerWanted) {
			continue
		}
		name := ""
		if len(e.series.Names) > 1 {
			name = " on " + e.series.Names[t]
		}
		why := fmt.Sprintf("a rise to %s at %s%s might have been missed", FormatPercent(materialRise, 2), FormatRate(e.gate.Value), name)
		if from < 1 {
			return why + ": begin at a lower load"
		}
		each := r.Exposure[from]
		for i := from; i < len(r.Exposure); i++ {
			each = max(each, r.Exposure[i])
		}
		done := 0
		for _, seconds := range holdsToTry {
			for windows := int(float64(seconds) / r.Step); done < windows; done++ {
				r.Count, r.Exposure = append(r.Count, 0), append(r.Exposure, each)
				r.Load = append(r.Load, max(e.gate.Value, r.Load[from]))
			}
			if stats.Finds(r, o, from, materialRise, stats.PowerWanted) {
				return fmt.Sprintf("%s: hold %s for %s more, %s requests", why, FormatRate(e.gate.Value),
					FormatSeconds(float64(seconds)), FormatNumber(math.Ceil(float64(done)*each)))
			}
		}
		return why + ": it has too few requests for an onset; gate on failures instead"
	}
	return ""
}

// rates are the failures of a target by window.
func (e *evidence) rates(target int) stats.Rates {
	r := stats.Rates{Step: e.series.Interval.Seconds()}
	for i := range e.end {
		p := &e.series.Points[target][i]
		r.Count = append(r.Count, float64(min(p.Failures, p.Requests)))
		r.Exposure = append(r.Exposure, float64(p.Requests))
		r.Load = append(r.Load, e.load(i))
	}
	return r
}

// onsetOptions are those of the scan for one fault class of each target.
func (in Judged) onsetOptions() stats.RiseOptions {
	return stats.RiseOptions{Alpha: 0.01 / float64(2*max(1, len(in.Series.Names))), Floor: 5e-4}
}

func describeOnset(target string, o Onset) string {
	if o.Status == OnsetFromStart {
		return target + ": " + o.Fault + " from the start of the load"
	}
	s := target + ": " + o.Fault
	switch o.Status {
	case OnsetPassing:
		s += " (passing)"
	case OnsetPeriodic:
		s += " (in bursts)"
	}
	if o.LoadRPS != nil {
		s += " from " + FormatRate(math.Round(*o.LoadRPS))
	}
	if o.LoadLowRPS != nil && o.LoadHighRPS != nil {
		s += fmt.Sprintf(" (%s to %s)", FormatNumber(math.Round(*o.LoadLowRPS)), FormatNumber(math.Round(*o.LoadHighRPS)))
	}
	return s
}

// maxGap is the longest time without a reading over which a headroom still
// counts as watched: 12 readings at the usual rate.
const maxGap = 3 * time.Second

func judgeHeadroom(g profiles.Gate, e *evidence, all []Headroom) GateResult {
	r := GateResult{Unit: unitName(profiles.UnitRatio), Result: GateUndecided}
	type place struct{ host, process string }
	seen, order := map[place][]time.Duration{}, []place(nil)
	least, where, when := math.Inf(1), Headroom{}, time.Duration(0)
	for _, h := range all {
		if h.Name != g.Of {
			continue
		}
		p := place{h.Host, h.Process}
		for i, at := range h.At {
			if !e.watches(at) {
				continue
			}
			if seen[p] == nil {
				order = append(order, p)
			}
			seen[p] = append(seen[p], at)
			if h.Free[i] < least {
				least, where, when = h.Free[i], h, at
			}
		}
	}
	if math.IsInf(least, 1) {
		r.Reason = g.Of + " was not measured"
		return r
	}
	r.Value = &least
	r.Reason = fmt.Sprintf("%s left of %s at %s", FormatPercent(least, 3), nameOf(where), FormatSeconds(when.Seconds()))
	if !g.Op.Holds(least, g.Value) {
		r.Result = GateFailed
		return r
	}
	r.Result = GatePassed
	for _, p := range order {
		if from, gap := e.longestGap(seen[p]); gap > maxGap {
			r.Result = GateUndecided
			r.Reason = fmt.Sprintf("not seen on %s for %s from %s; else %s", nameOf(Headroom{Host: p.host, Process: p.process}),
				FormatSeconds(gap.Seconds()), FormatSeconds(from.Seconds()), r.Reason)
			break
		}
	}
	return r
}

// watches reports whether a reading at a time belongs to the gate's windows.
func (e *evidence) watches(at time.Duration) bool {
	if e.series.Interval <= 0 || at < 0 {
		return false
	}
	i := int(at / e.series.Interval)
	if e.gate.UpTo <= 0 && e.end == e.series.Len() && i >= e.end {
		return true // cool-down
	}
	return e.includes(i)
}

// longestGap returns the longest stretch of the gate's windows without a
// reading, and where it begins. Times need not be in order.
func (e *evidence) longestGap(times []time.Duration) (from, longest time.Duration) {
	read := make([]bool, e.end)
	for _, at := range times {
		if i := int(at / e.series.Interval); i < e.end {
			read[i] = true
		}
	}
	run := 0
	for i := range e.end {
		if read[i] || !e.includes(i) {
			run = 0
			continue
		}
		run++
		if gap := time.Duration(run) * e.series.Interval; gap > longest {
			from, longest = time.Duration(i+1-run)*e.series.Interval, gap
		}
	}
	return from, longest
}

// nameOf says which resource: "open-files of payments on orders-1".
func nameOf(h Headroom) string {
	s := h.Name
	if h.Process != "" {
		if s != "" {
			s += " of "
		}
		s += h.Process
	}
	if h.Instance != "" {
		s += " " + h.Instance
	}
	if s != "" {
		s += " on "
	}
	return s + h.Host
}

func unitName(u profiles.Unit) string {
	switch u {
	case profiles.UnitRatio:
		return "ratio"
	case profiles.UnitRate:
		return "rps"
	case profiles.UnitDuration:
		return "seconds"
	}
	return "count"
}
