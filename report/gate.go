package report

import (
	"fmt"
	"math"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
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
//     there is too little data. A limit of 0 % is failed by a single event.
//   - Percentiles ("p99 < 250ms") are shares too: at most 1 % of requests may
//     take longer.
//   - "within 10s" looks at every span of that length. It fails when the bound of
//     a span, corrected for the number of spans (Bonferroni), is beyond
//     the limit; it passes when no span is above the limit as counted and the
//     bound over all of them is within it.
//   - "up to 1500/s" takes the requests due in windows offered at most that load
//     (and one request more for rounding), and passes only when 98 % of it was
//     sent over a second. What happens when nothing is due any more, at the end,
//     counts at the last load.
//   - "onset > 1500/s" compares the lowest lower end of the intervals of all
//     onsets of all fault classes, of those that passed and of periodic ones too:
//     what began at a load began there, even if it went away. Without an onset it
//     passes only when that load was sent.
//   - "headroom(open-files) > 20%" takes the smallest reading. It passes only when
//     readings were there all the time (no gap of more than 3 s).
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
	e := newEvidence(g, in)
	var r GateResult
	switch g.Metric {
	case profiles.GateHeadroom:
		r = judgeHeadroom(g, e, in.Headrooms)
	case profiles.GateOnset:
		return judgeOnset(g, e, in)
	default:
		if len(e.targets) == 0 {
			return GateResult{Unit: unitName(g.Unit), Result: GateUndecided, Reason: fmt.Sprintf("no target is named %q", g.Of)}
		}
		r = judgeCounts(g, e.tallies())
	}
	if r.Result == GatePassed && e.missing != "" {
		r.Result = GateUndecided
		r.Reason = e.missing + "; so far " + r.Reason
	}
	return r
}

// evidence is the part of a run that one gate is judged on.
type evidence struct {
	gate    profiles.Gate
	series  *Series
	targets []int
	end     int    // windows from here on are no evidence
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
	e := &evidence{gate: g, series: in.Series, end: in.Series.Len()}
	if g.Metric != profiles.GateHeadroom {
		e.targets = in.Series.index(g.Of)
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
	if g.Metric == profiles.GateOnset {
		want = g.Value
	}
	if want > 0 {
		if sent := in.Series.achieved(e.end); sent < attack.FairShare*want {
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
	return e.gate.UpTo <= 0 || Covers(e.gate, e.load(window), e.series.Interval)
}

// Covers reports whether a gate is judged on windows of this length that are
// offered this load, in requests per second over all targets.
func Covers(g profiles.Gate, load float64, interval time.Duration) bool {
	if g.UpTo <= 0 || interval <= 0 {
		return true
	}
	return load <= g.UpTo+1/interval.Seconds()+1e-6
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
		if holds(g.Op, lowest, g.Value) {
			r.Result = GatePassed
		}
		return r
	}
	sent := in.Series.achieved(e.end)
	r.Reason = "no onset up to " + FormatRate(math.Round(sent))
	switch {
	case e.missing != "":
		r.Reason = e.missing + "; so far no onset"
	case g.Op == profiles.Greater || g.Op == profiles.GreaterOrEqual:
		r.Result = GatePassed
	default:
		r.Result = GateFailed // an onset was asked for, and there is none at that load
	}
	return r
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
	if !holds(g.Op, least, g.Value) {
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

func holds(op profiles.Op, a, b float64) bool {
	switch op {
	case profiles.Less:
		return a < b
	case profiles.LessOrEqual:
		return a <= b
	case profiles.Greater:
		return a > b
	case profiles.GreaterOrEqual:
		return a >= b
	}
	return a == b
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
