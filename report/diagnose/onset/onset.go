// Package onset finds where a fault class of a target begins, lasts and ends. It does
// not say why (causes).
package onset

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/words"
	"github.com/rampload/rampload/report/format"
	"github.com/rampload/rampload/report/stats"
)

// scanOrder is the order in which fault classes are scanned; where two begin at
// the same time, the first is the headline.
var scanOrder = []attack.Fault{
	attack.Reset, attack.Refused, attack.EOF, attack.BrokenPipe, attack.HTTP2Reset, attack.TLS,
	attack.Timeout, attack.Status, attack.HTTP2GoAway, attack.Protocol, attack.Unreachable, attack.DNS,
}

// settling is how long before the end of the load faults of its requests may be
// missing yet, in seconds: they come when the requests end.
const settling = 2.0

// Onsets scans every fault class of a target, headline first. A target without
// any fault has one entry: no resets, with the bound of what that proves.
func Onsets(a *evidence.Run, t *evidence.Target) []evidence.Onset {
	var keys []evidence.FaultKey
	for _, f := range scanOrder {
		for _, dial := range []bool{false, true} {
			if _, ok := t.Faults[evidence.FaultKey{Fault: f, Dial: dial}]; ok {
				keys = append(keys, evidence.FaultKey{Fault: f, Dial: dial})
			}
		}
	}
	options := scanOptions(a, len(keys))
	var out []evidence.Onset
	for _, k := range keys {
		out = append(out, scan(a, t, k, options))
	}
	out = headlineFirst(a, t, out)
	if len(out) > 0 {
		dateTogether(a, t, keys, options, &out[0])
	}
	for i, o := range out {
		if o.Status == evidence.Found || o.Status == evidence.Transient {
			out[i].Constant = ConstantUntil(a, o.At.Value)
		}
	}
	return out
}

// ConstantUntil returns the load of a run that did not change it until a time: what
// begins then comes with time, and no load is its onset. 0 for any other.
func ConstantUntil(a *evidence.Run, at float64) float64 {
	if len(a.Log.Steps) > 0 || at < 2*a.Step {
		return 0
	}
	for _, s := range a.Log.Header.Stages {
		varies := s.From != s.To || s.Kind == "burst" || s.Kind == "max"
		if s.Start < words.Seconds(at) && varies {
			return 0
		}
	}
	load, ok := a.Constant(0, at)
	if !ok {
		return 0
	}
	return load
}

// leadUp is how long faults may lead up to an onset, in seconds.
const leadUp = 5.0

// dateTogether dates the headline by all classes of faults that rise with it. A
// service that fails answers late, closes and resets connections, as chance has
// it or one after the other, and each class alone rises later and less surely
// than the failures do. A class that was common long before is another matter.
func dateTogether(a *evidence.Run, t *evidence.Target, keys []evidence.FaultKey, options stats.RiseOptions, h *evidence.Onset) {
	if h.Status != evidence.Found {
		return
	}
	split := a.Window(max(0, h.At.Low-leadUp))
	before, after := evidence.Sum(t.Attempts[:split]), evidence.Sum(t.Attempts[split:])
	count := make([]float64, a.N)
	var with []evidence.FaultKey
	for _, k := range keys {
		y := t.Faults[k]
		if evidence.Sum(y[:split])*after > 0.1*evidence.Sum(y[split:])*before {
			continue
		}
		with = append(with, k)
		for i, n := range y {
			count[i] += n
		}
	}
	own := evidence.FaultKey{Fault: h.Fault, Dial: h.Series == "dial"}
	if len(with) < 2 || !slices.Contains(with, own) {
		return
	}
	r := stats.Rates{Step: a.Step, Count: count, Exposure: t.Attempts, Load: a.Load[:a.N]}
	rise := stats.FindRise(r, options)
	if rise.Status != stats.Lasting {
		return
	}
	all := evidence.Onset{AlarmAt: a.Seconds(float64(rise.Alarm + 1))}
	if place(a, t, with, rise, &all); all.At.Value >= h.At.Value {
		return
	}
	sumRamps(a, r, &all)
	h.At, h.Load, h.EventDelay, h.AlarmAt = all.At, all.Load, all.EventDelay, min(h.AlarmAt, all.AlarmAt)
	h.Range, h.RangeLoad, h.Coverage = all.Range, all.RangeLoad, all.Coverage
	exposure, _ := t.Exposure(own)
	at := a.Window(h.At.Value)
	h.Before, h.BeforeOf = uint64(evidence.Sum(t.Faults[own][:at])), uint64(evidence.Sum(exposure[:at]))
	h.After, h.AfterOf = uint64(evidence.Sum(t.Faults[own][at:])), uint64(evidence.Sum(exposure[at:]))
	h.Note = words.Join(h.Note, "dated by all faults that began with it")
}

// scanOptions divides the chance of a false alarm among the series that could
// raise one; a series without a fault cannot.
func scanOptions(a *evidence.Run, series int) stats.RiseOptions {
	return stats.RiseOptions{
		Alpha: evidence.FalseAlarms / float64(2*max(1, len(a.Targets))*max(1, series)),
		Floor: evidence.SmallestRate, Late: settling,
	}
}

// headlineFirst puts in front what was there from the start, else the earliest
// onset; of those whose intervals overlap with its, the first in the order of
// the scan.
func headlineFirst(a *evidence.Run, t *evidence.Target, onsets []evidence.Onset) []evidence.Onset {
	slices.SortStableFunc(onsets, func(x, y evidence.Onset) int {
		return cmp.Or(cmp.Compare(rankOfStatus(x.Status), rankOfStatus(y.Status)), cmp.Compare(x.At.Value, y.At.Value))
	})
	if len(onsets) == 0 || onsets[0].Status == evidence.NoOnset {
		i := slices.IndexFunc(onsets, func(o evidence.Onset) bool { return o.Fault == attack.Reset })
		if i < 0 {
			return slices.Insert(onsets, 0, evidence.Onset{
				Status: evidence.NoOnset, Fault: attack.Reset, Series: "request",
				UpperBound: stats.UpperShare(0, evidence.Sum(t.Attempts), 0.95), BeforeOf: uint64(evidence.Sum(t.Attempts)),
			})
		}
		return moveToFront(onsets, i)
	}
	if i := sameAgain(a, onsets); i > 0 {
		return moveToFront(onsets, i)
	}
	best := 0
	for i, o := range onsets {
		if o.Status == onsets[0].Status && o.At.Low <= onsets[0].At.High &&
			slices.Index(scanOrder, o.Fault) < slices.Index(scanOrder, onsets[best].Fault) {
			best = i
		}
	}
	return moveToFront(onsets, best)
}

// shownToLast is how long faults must have gone on, in seconds, to be told from an
// episode that the end of the run cut short.
const shownToLast = 5.0

// sameAgain returns the earliest episode that went away, if what seems to last is
// likely the next one, which the end of the run cut short; 0 if there is none.
func sameAgain(a *evidence.Run, onsets []evidence.Onset) int {
	last := onsets[0]
	if last.Status != evidence.Found || a.Duration()-last.At.Value >= shownToLast {
		return 0
	}
	best := 0
	for i, o := range onsets {
		if o.Status == evidence.Transient && o.At.High < last.At.Low-2 && float64(o.After) >= max(20, 0.3*float64(last.After)) &&
			(best == 0 || o.At.Value < onsets[best].At.Value) {
			best = i
		}
	}
	return best
}

func moveToFront(onsets []evidence.Onset, i int) []evidence.Onset {
	o := onsets[i]
	return slices.Insert(slices.Delete(onsets, i, i+1), 0, o)
}

// rankOfStatus orders outcomes by how much they say.
func rankOfStatus(s evidence.OnsetStatus) int {
	return slices.Index([]evidence.OnsetStatus{evidence.LeftCensored, evidence.Found, evidence.Transient, evidence.Periodic, evidence.NoOnset}, s)
}

func scan(a *evidence.Run, t *evidence.Target, k evidence.FaultKey, options stats.RiseOptions) evidence.Onset {
	exposure, name := t.Exposure(k)
	r := stats.Rates{Step: a.Step, Count: t.Faults[k], Exposure: exposure, Load: a.Load[:a.N]}
	rise := stats.FindRise(r, options)
	out := evidence.Onset{
		Fault: k.Fault, Series: name,
		Before: uint64(rise.Before), BeforeOf: uint64(rise.BeforeOf),
		After: uint64(rise.After), AfterOf: uint64(rise.AfterOf),
	}
	for _, b := range rise.Bursts {
		out.Bursts = append(out.Bursts, evidence.Burst{At: words.Seconds(a.Seconds(float64(b.Window))), Count: uint64(b.Count)})
	}
	if rise.Alarm >= 0 {
		out.AlarmAt = a.Seconds(float64(rise.Alarm + 1))
	}
	total, all := evidence.Sum(r.Count), evidence.Sum(exposure)
	switch rise.Status {
	case stats.NoRise:
		out.Status = evidence.NoOnset
		out.UpperBound = stats.UpperShare(total, all, 0.95)
		out.Before, out.BeforeOf = uint64(total), uint64(all)
		bursts(a, t, k, r, rise, &out)
	case stats.FromStart:
		out.Status = evidence.LeftCensored
		out.At = evidence.Span{Value: 0, Low: 0, High: a.Step}
		out.Load = evidence.Span{Value: a.LoadAt(0), Low: 0, High: a.LoadAt(0)}
		out.Note = "present from the first windows on: the onset is at or below the starting load"
	case stats.Recurring:
		out.Status = evidence.Periodic
		place(a, t, []evidence.FaultKey{k}, rise, &out)
		out.Note = fmt.Sprintf("bursts about every %s, as idle timeouts or restarts on a clock make them", format.Seconds(rise.Period))
	case stats.Episode:
		out.Status = evidence.Transient
		place(a, t, []evidence.FaultKey{k}, rise, &out)
		out.Note = episodes(a, rise)
	case stats.Lasting:
		out.Status = evidence.Found
		place(a, t, []evidence.FaultKey{k}, rise, &out)
		sumRamps(a, r, &out)
		switch {
		case rise.Slow:
			out.Slow = true
			out.Note = "grows slowly, without a point at which it begins"
		case rise.Hinge:
			out.Note = "grows with the load above the onset"
		}
		if c := rise.Coverage(); c < fairCoverage {
			out.Note = words.Join(out.Note, fmt.Sprintf("for failures that come in clusters and grow the interval holds about %.0f%%, not 95%%", 100*c))
		}
		for _, w := range rise.Warnings {
			out.Note = words.Join(out.Note, w)
		}
		if n := len(rise.Episodes); n > 0 {
			out.Note = words.Join(out.Note, fmt.Sprintf("%s before it", format.Counted(float64(n), "episode")))
		}
	}
	return out
}

// fairCoverage is what an interval of 95 % holds at least, or what it holds is told.
const fairCoverage = 0.93

// bursts makes a transient of isolated bursts that are too many to be nothing.
func bursts(a *evidence.Run, t *evidence.Target, k evidence.FaultKey, r stats.Rates, rise stats.Rise, out *evidence.Onset) {
	n := 0.0
	for _, b := range rise.Bursts {
		n += b.Count
	}
	if n < 10 || n < evidence.Sum(r.Count)/2 {
		return
	}
	out.Status = evidence.Transient
	first := rise.Bursts[0].Window
	rise.At, rise.Low, rise.High = float64(first), float64(first-1), float64(first+1)
	rise.NearLow, rise.NearHigh = rise.Low, rise.High
	rise.Before, rise.BeforeOf = evidence.Sum(r.Count[:first]), evidence.Sum(r.Exposure[:first])
	rise.After, rise.AfterOf = evidence.Sum(r.Count[first:]), evidence.Sum(r.Exposure[first:])
	out.Before, out.BeforeOf = uint64(rise.Before), uint64(rise.BeforeOf)
	out.After, out.AfterOf = uint64(rise.After), uint64(rise.AfterOf)
	place(a, t, []evidence.FaultKey{k}, rise, out)
	out.Note = Outages(a, rise)
}

// apart is how long nothing fails between two outages, in seconds.
const apart = 2.0

// Outages words isolated bursts; those that follow each other are one outage.
func Outages(a *evidence.Run, rise stats.Rise) string {
	n, longest, from := 0.0, 0.0, 0.0
	for i, b := range rise.Bursts {
		at := a.Seconds(float64(b.Window))
		if i == 0 || at-a.Seconds(float64(rise.Bursts[i-1].Window)) > apart {
			n++
			from = at
		}
		longest = max(longest, at+a.Step-from)
	}
	if n == 1 {
		return "one outage of " + format.Seconds(longest)
	}
	return fmt.Sprintf("%s, the longest %s", format.Counted(n, "outage"), format.Seconds(longest))
}

// episodes words rises that went away.
func episodes(a *evidence.Run, rise stats.Rise) string {
	const ended = "that ended although the load did not fall"
	longest := 0.0
	for _, e := range rise.Episodes {
		longest = max(longest, a.Seconds(float64(e.To-e.From)))
	}
	switch n := len(rise.Episodes); n {
	case 0:
		return "an episode " + ended
	case 1:
		return fmt.Sprintf("an episode of %s %s", format.Seconds(longest), ended)
	default:
		return fmt.Sprintf("%s, the longest %s, %s", format.Counted(float64(n), "episode"), format.Seconds(longest), ended)
	}
}

// place sets time and load of a rise of some series. Where faults before it are
// rare, the first one tells when in its window it began.
func place(a *evidence.Run, t *evidence.Target, keys []evidence.FaultKey, rise stats.Rise, out *evidence.Onset) {
	at, window := a.Seconds(rise.At), math.Floor(rise.At)
	background := rise.Before / max(1, rise.BeforeOf) * t.Attempts[min(int(window), a.N-1)]
	due, shift, ok := firstFault(a, t, keys, a.Seconds(window), a.Seconds(window+2))
	if ok && background < 0.25 && due < a.Seconds(window+1) {
		at = due
	}
	span := func(low, high float64) evidence.Span {
		return evidence.Span{Value: at, Low: min(max(0, a.Seconds(low)), at), High: max(min(a.Duration(), a.Seconds(high)), at)}
	}
	out.At, out.Range = span(rise.NearLow, rise.NearHigh), new(span(rise.Low, rise.High))
	out.Coverage = rise.Coverage()
	out.EventDelay = shift
	out.Load, out.RangeLoad = loadSpan(a, out.At), new(loadSpan(a, *out.Range))
}

func loadSpan(a *evidence.Run, at evidence.Span) evidence.Span {
	l, x, y := a.LoadAt(at.Value), a.LoadAt(at.Low), a.LoadAt(at.High)
	return evidence.Span{Value: l, Low: min(l, x, y), High: max(l, x, y)}
}

// firstFault returns when the first fault of some series in [from, to) was due, and
// how long after being due faults there happened: a timeout happens when its
// attempt begins to wait, anything else when it ends.
func firstFault(a *evidence.Run, t *evidence.Target, keys []evidence.FaultKey, from, to float64) (due, shift float64, ok bool) {
	due = math.Inf(1)
	var shifts []float64
	for i := range a.Log.Failures {
		f := &a.Log.Failures[i].Attempt
		if int(f.Target) != t.Index || f.Phase == attack.PhaseIdle || !slices.Contains(keys, evidence.FaultKey{Fault: f.Fault, Dial: f.Phase <= attack.PhaseTLS}) {
			continue
		}
		d := f.Due.Seconds()
		if d < from-1e-9 || d >= to {
			continue
		}
		due = min(due, d)
		happened := f.End.Seconds()
		if f.Fault == attack.Timeout {
			happened = f.Start.Seconds()
		}
		shifts = append(shifts, max(0, happened-d))
	}
	if len(shifts) == 0 {
		return 0, 0, false
	}
	return due, stats.Median(shifts), true
}

// sumRamps settles the onset load from all ramps over it, if there are several:
// their likelihoods add up over load, not over time.
func sumRamps(a *evidence.Run, r stats.Rates, out *evidence.Onset) {
	var ramps []stats.Rates
	low, high := math.Inf(1), math.Inf(-1)
	for _, s := range risingSegments(a) {
		if a.Load[s[0]] >= out.Load.Value || a.Load[s[1]-1] <= out.Load.Value {
			continue
		}
		low, high = min(low, a.Load[s[0]]), max(high, a.Load[s[1]-1])
		ramps = append(ramps, stats.Rates{
			Step: a.Step, Count: r.Count[s[0]:s[1]], Exposure: r.Exposure[s[0]:s[1]], Load: r.Load[s[0]:s[1]],
		})
	}
	if len(ramps) < 2 {
		return
	}
	const points = 200
	grid := make([]float64, points+1)
	for i := range grid {
		grid[i] = low + (high-low)*float64(i)/points
	}
	if p, ok := stats.ProfileLoad(ramps, grid); ok {
		out.Load = evidence.Span{Value: p.At, Low: p.Low, High: p.High}
		out.Note = words.Join(out.Note, fmt.Sprintf("load from %d ramps together", len(ramps)))
	}
}

// risingSegments returns the stretches of windows [from, to) in which the load
// does not fall and grows by at least a tenth, of 3 s and more.
func risingSegments(a *evidence.Run) [][2]int {
	var out [][2]int
	from := 0
	for i := 1; i <= a.N; i++ {
		if i < a.N && a.Load[i] >= 0.999*a.Load[i-1] {
			continue
		}
		if float64(i-from)*a.Step >= 3 && a.Load[i-1] > 1.1*a.Load[from] {
			out = append(out, [2]int{from, i})
		}
		from = i
	}
	return out
}

// Recovery returns the load on a way down at which the faults of the headline
// ended: the last fault before at least 2 s and 20 attempts without any, at a
// load that was falling.
func Recovery(a *evidence.Run, t *evidence.Target, onsets []evidence.Onset) *evidence.Span {
	h := evidence.Headline(onsets)
	if h == nil || h.Status != evidence.Found && h.Status != evidence.LeftCensored || len(a.Log.Steps) > 0 {
		return nil // a search goes up and down as it likes
	}
	last := -1
	for i := range a.N {
		if t.FaultsOf(h.Fault, i) > 0 {
			last = i
		}
	}
	peak := 0
	for i := range a.N {
		if a.Load[i] > a.Load[peak] {
			peak = i
		}
	}
	clean := evidence.Sum(t.Attempts[min(last+1, a.N):])
	if last <= peak || float64(a.N-1-last)*a.Step < 2 || clean < 20 || a.Load[last] > 0.98*a.Load[peak] {
		return nil
	}
	at := float64(last)*a.Step + a.Step/2
	s := loadSpan(a, evidence.Span{Value: at, Low: at - a.Step, High: at + a.Step})
	return &s
}

// MinDetectable is the smallest share of faults that would have been seen had it
// begun at the end of the load.
func MinDetectable(a *evidence.Run, t *evidence.Target) float64 {
	r := stats.Rates{Step: a.Step, Count: make([]float64, a.N), Exposure: t.Attempts}
	return stats.MinDetectable(r, scanOptions(a, 1))
}
