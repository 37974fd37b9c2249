package diagnose

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/report/stats"
)

const (
	falseAlarms  = 0.01 // per run
	smallestRate = 5e-4
)

// scanOrder is the order in which fault classes are scanned; where two begin at
// the same time, the first is the headline.
var scanOrder = []attack.Fault{
	attack.Reset, attack.Refused, attack.EOF, attack.BrokenPipe, attack.HTTP2Reset, attack.TLS,
	attack.Timeout, attack.Status, attack.HTTP2GoAway, attack.Protocol, attack.Unreachable, attack.DNS,
}

// onsets scans every fault class of a target, headline first. A target without
// any fault has one entry: no resets, with the bound of what that proves.
func (a *analysis) onsets(t *targetSeries) []Onset {
	var keys []faultKey
	for _, f := range scanOrder {
		for _, dial := range []bool{false, true} {
			if _, ok := t.faults[faultKey{f, dial}]; ok {
				keys = append(keys, faultKey{f, dial})
			}
		}
	}
	options := a.scanOptions(len(keys))
	var out []Onset
	for _, k := range keys {
		out = append(out, a.scan(t, k, options))
	}
	out = a.headlineFirst(t, out)
	if len(out) > 0 {
		a.dateTogether(t, keys, options, &out[0])
	}
	for i, o := range out {
		if o.Status == Found || o.Status == Transient {
			out[i].Constant = a.constantUntil(o.At.Value)
		}
	}
	return out
}

// constantUntil returns the load of a run that did not change it until a time: what
// begins then comes with time, and no load is its onset. 0 for any other.
func (a *analysis) constantUntil(at float64) float64 {
	if len(a.log.Steps) > 0 || at < 2*a.step {
		return 0
	}
	for _, s := range a.log.Header.Stages {
		varies := s.From != s.To || s.Kind == "burst" || s.Kind == "max"
		if s.Start < seconds(at) && varies {
			return 0
		}
	}
	load, ok := a.constant(0, at)
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
func (a *analysis) dateTogether(t *targetSeries, keys []faultKey, options stats.RiseOptions, h *Onset) {
	if h.Status != Found {
		return
	}
	split := a.window(max(0, h.At.Low-leadUp))
	before, after := sum(t.attempts[:split]), sum(t.attempts[split:])
	count := make([]float64, a.n)
	var with []faultKey
	for _, k := range keys {
		y := t.faults[k]
		if sum(y[:split])*after > 0.1*sum(y[split:])*before {
			continue
		}
		with = append(with, k)
		for i, n := range y {
			count[i] += n
		}
	}
	own := faultKey{h.Fault, h.Series == "dial"}
	if len(with) < 2 || !slices.Contains(with, own) {
		return
	}
	r := stats.Rates{Step: a.step, Count: count, Exposure: t.attempts, Load: a.load[:a.n]}
	rise := stats.FindRise(r, options)
	if rise.Status != stats.Lasting {
		return
	}
	all := Onset{AlarmAt: a.seconds(float64(rise.Alarm + 1))}
	if a.place(t, with, rise, &all); all.At.Value >= h.At.Value {
		return
	}
	a.sumRamps(r, &all)
	h.At, h.Load, h.EventDelay, h.AlarmAt = all.At, all.Load, all.EventDelay, min(h.AlarmAt, all.AlarmAt)
	exposure, _ := t.exposure(own)
	at := a.window(h.At.Value)
	h.Before, h.BeforeOf = uint64(sum(t.faults[own][:at])), uint64(sum(exposure[:at]))
	h.After, h.AfterOf = uint64(sum(t.faults[own][at:])), uint64(sum(exposure[at:]))
	h.Note = join(h.Note, "dated by all faults that began with it")
}

// scanOptions divides the chance of a false alarm among the series that could
// raise one; a series without a fault cannot.
func (a *analysis) scanOptions(series int) stats.RiseOptions {
	return stats.RiseOptions{
		Alpha: falseAlarms / float64(2*max(1, len(a.targets))*max(1, series)),
		Floor: smallestRate,
	}
}

// headlineFirst puts in front what was there from the start, else the earliest
// onset; of those whose intervals overlap with its, the first in the order of
// the scan.
func (a *analysis) headlineFirst(t *targetSeries, onsets []Onset) []Onset {
	slices.SortStableFunc(onsets, func(x, y Onset) int {
		return cmp.Or(cmp.Compare(rankOfStatus(x.Status), rankOfStatus(y.Status)), cmp.Compare(x.At.Value, y.At.Value))
	})
	if len(onsets) == 0 || onsets[0].Status == NoOnset {
		i := slices.IndexFunc(onsets, func(o Onset) bool { return o.Fault == attack.Reset })
		if i < 0 {
			return slices.Insert(onsets, 0, Onset{
				Status: NoOnset, Fault: attack.Reset, Series: "request",
				UpperBound: stats.UpperShare(0, sum(t.attempts), 0.95), BeforeOf: uint64(sum(t.attempts)),
			})
		}
		return moveToFront(onsets, i)
	}
	if i := a.sameAgain(onsets); i > 0 {
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
func (a *analysis) sameAgain(onsets []Onset) int {
	last := onsets[0]
	if last.Status != Found || a.duration()-last.At.Value >= shownToLast {
		return 0
	}
	best := 0
	for i, o := range onsets {
		if o.Status == Transient && o.At.High < last.At.Low-2 && float64(o.After) >= max(20, 0.3*float64(last.After)) &&
			(best == 0 || o.At.Value < onsets[best].At.Value) {
			best = i
		}
	}
	return best
}

func moveToFront(onsets []Onset, i int) []Onset {
	o := onsets[i]
	return slices.Insert(slices.Delete(onsets, i, i+1), 0, o)
}

// rankOfStatus orders outcomes by how much they say.
func rankOfStatus(s OnsetStatus) int {
	return slices.Index([]OnsetStatus{LeftCensored, Found, Transient, Periodic, NoOnset}, s)
}

func (a *analysis) scan(t *targetSeries, k faultKey, options stats.RiseOptions) Onset {
	exposure, name := t.exposure(k)
	r := stats.Rates{Step: a.step, Count: t.faults[k], Exposure: exposure, Load: a.load[:a.n]}
	rise := stats.FindRise(r, options)
	out := Onset{
		Fault: k.fault, Series: name,
		Before: uint64(rise.Before), BeforeOf: uint64(rise.BeforeOf),
		After: uint64(rise.After), AfterOf: uint64(rise.AfterOf),
	}
	for _, b := range rise.Bursts {
		out.Bursts = append(out.Bursts, Burst{seconds(a.seconds(float64(b.Window))), uint64(b.Count)})
	}
	if rise.Alarm >= 0 {
		out.AlarmAt = a.seconds(float64(rise.Alarm + 1))
	}
	total, all := sum(r.Count), sum(exposure)
	switch rise.Status {
	case stats.NoRise:
		out.Status = NoOnset
		out.UpperBound = stats.UpperShare(total, all, 0.95)
		out.Before, out.BeforeOf = uint64(total), uint64(all)
		a.bursts(t, k, r, rise, &out)
	case stats.FromStart:
		out.Status = LeftCensored
		out.At = Span{0, 0, a.step}
		out.Load = Span{a.loadAt(0), 0, a.loadAt(0)}
		out.Note = "present from the first windows on: the onset is at or below the starting load"
	case stats.Recurring:
		out.Status = Periodic
		a.place(t, []faultKey{k}, rise, &out)
		out.Note = fmt.Sprintf("bursts about every %s, as idle timeouts or restarts on a clock make them", wordSeconds(rise.Period))
	case stats.Episode:
		out.Status = Transient
		a.place(t, []faultKey{k}, rise, &out)
		out.Note = a.episodes(rise)
	case stats.Lasting:
		out.Status = Found
		a.place(t, []faultKey{k}, rise, &out)
		a.sumRamps(r, &out)
		if rise.Hinge {
			out.Note = "grows with the load above the onset"
		}
		for _, w := range rise.Warnings {
			out.Note = join(out.Note, w)
		}
		if n := len(rise.Episodes); n > 0 {
			out.Note = join(out.Note, fmt.Sprintf("%s before it", count(float64(n), "episode")))
		}
	}
	return out
}

// bursts makes a transient of isolated bursts that are too many to be nothing.
func (a *analysis) bursts(t *targetSeries, k faultKey, r stats.Rates, rise stats.Rise, out *Onset) {
	n := 0.0
	for _, b := range rise.Bursts {
		n += b.Count
	}
	if n < 10 || n < sum(r.Count)/2 {
		return
	}
	out.Status = Transient
	first := rise.Bursts[0].Window
	rise.At, rise.Low, rise.High = float64(first), float64(first-1), float64(first+1)
	rise.Before, rise.BeforeOf = sum(r.Count[:first]), sum(r.Exposure[:first])
	rise.After, rise.AfterOf = sum(r.Count[first:]), sum(r.Exposure[first:])
	out.Before, out.BeforeOf = uint64(rise.Before), uint64(rise.BeforeOf)
	out.After, out.AfterOf = uint64(rise.After), uint64(rise.AfterOf)
	a.place(t, []faultKey{k}, rise, out)
	out.Note = a.outages(rise)
}

// apart is how long nothing fails between two outages, in seconds.
const apart = 2.0

// outages words isolated bursts; those that follow each other are one outage.
func (a *analysis) outages(rise stats.Rise) string {
	n, longest, from := 0.0, 0.0, 0.0
	for i, b := range rise.Bursts {
		at := a.seconds(float64(b.Window))
		if i == 0 || at-a.seconds(float64(rise.Bursts[i-1].Window)) > apart {
			n++
			from = at
		}
		longest = max(longest, at+a.step-from)
	}
	if n == 1 {
		return "one outage of " + wordSeconds(longest)
	}
	return fmt.Sprintf("%s, the longest %s", count(n, "outage"), wordSeconds(longest))
}

// episodes words rises that went away.
func (a *analysis) episodes(rise stats.Rise) string {
	const ended = "that ended although the load did not fall"
	longest := 0.0
	for _, e := range rise.Episodes {
		longest = max(longest, a.seconds(float64(e.To-e.From)))
	}
	switch n := len(rise.Episodes); n {
	case 0:
		return "an episode " + ended
	case 1:
		return fmt.Sprintf("an episode of %s %s", wordSeconds(longest), ended)
	default:
		return fmt.Sprintf("%s, the longest %s, %s", count(float64(n), "episode"), wordSeconds(longest), ended)
	}
}

// place sets time and load of a rise of some series. Where faults before it are
// rare, the first one tells when in its window it began.
func (a *analysis) place(t *targetSeries, keys []faultKey, rise stats.Rise, out *Onset) {
	at, window := a.seconds(rise.At), math.Floor(rise.At)
	background := rise.Before / max(1, rise.BeforeOf) * t.attempts[min(int(window), a.n-1)]
	due, shift, ok := a.firstFault(t, keys, a.seconds(window), a.seconds(window+2))
	if ok && background < 0.25 && due < a.seconds(window+1) {
		at = due
	}
	low, high := max(0, a.seconds(rise.Low)), min(a.duration(), a.seconds(rise.High))
	out.At = Span{at, min(low, at), max(high, at)}
	out.EventDelay = shift
	out.Load = a.loadSpan(out.At)
}

func (a *analysis) loadSpan(at Span) Span {
	l, x, y := a.loadAt(at.Value), a.loadAt(at.Low), a.loadAt(at.High)
	return Span{l, min(l, x, y), max(l, x, y)}
}

// firstFault returns when the first fault of some series in [from, to) was due, and
// how long after being due faults there happened: a timeout happens when its
// attempt begins to wait, anything else when it ends.
func (a *analysis) firstFault(t *targetSeries, keys []faultKey, from, to float64) (due, shift float64, ok bool) {
	due = math.Inf(1)
	var shifts []float64
	for i := range a.log.Failures {
		f := &a.log.Failures[i].Attempt
		if int(f.Target) != t.index || f.Phase == attack.PhaseIdle || !slices.Contains(keys, faultKey{f.Fault, f.Phase <= attack.PhaseTLS}) {
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
func (a *analysis) sumRamps(r stats.Rates, out *Onset) {
	var ramps []stats.Rates
	low, high := math.Inf(1), math.Inf(-1)
	for _, s := range a.risingSegments() {
		if a.load[s[0]] >= out.Load.Value || a.load[s[1]-1] <= out.Load.Value {
			continue
		}
		low, high = min(low, a.load[s[0]]), max(high, a.load[s[1]-1])
		ramps = append(ramps, stats.Rates{
			Step: a.step, Count: r.Count[s[0]:s[1]], Exposure: r.Exposure[s[0]:s[1]], Load: r.Load[s[0]:s[1]],
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
		out.Load = Span{p.At, p.Low, p.High}
		out.Note = join(out.Note, fmt.Sprintf("load from %d ramps together", len(ramps)))
	}
}

// risingSegments returns the stretches of windows [from, to) in which the load
// does not fall and grows by at least a tenth, of 3 s and more.
func (a *analysis) risingSegments() [][2]int {
	var out [][2]int
	from := 0
	for i := 1; i <= a.n; i++ {
		if i < a.n && a.load[i] >= 0.999*a.load[i-1] {
			continue
		}
		if float64(i-from)*a.step >= 3 && a.load[i-1] > 1.1*a.load[from] {
			out = append(out, [2]int{from, i})
		}
		from = i
	}
	return out
}

// recovery returns the load on a way down at which the faults of the headline
// ended: the last fault before at least 2 s and 20 attempts without any, at a
// load that was falling.
func (a *analysis) recovery(t *targetSeries, onsets []Onset) *Span {
	h := headline(onsets)
	if h == nil || h.Status != Found && h.Status != LeftCensored || len(a.log.Steps) > 0 {
		return nil // a search goes up and down as it likes
	}
	last := -1
	for i := range a.n {
		if t.faultsOf(h.Fault, i) > 0 {
			last = i
		}
	}
	peak := 0
	for i := range a.n {
		if a.load[i] > a.load[peak] {
			peak = i
		}
	}
	clean := sum(t.attempts[min(last+1, a.n):])
	if last <= peak || float64(a.n-1-last)*a.step < 2 || clean < 20 || a.load[last] > 0.98*a.load[peak] {
		return nil
	}
	at := float64(last)*a.step + a.step/2
	s := a.loadSpan(Span{at, at - a.step, at + a.step})
	return &s
}

func (t *targetSeries) faultsOf(f attack.Fault, window int) float64 {
	n := 0.0
	for _, dial := range []bool{false, true} {
		if v := t.faults[faultKey{f, dial}]; v != nil {
			n += v[window]
		}
	}
	return n
}

// minDetectable is the smallest share of faults that would have been seen had it
// begun at the end of the load.
func (a *analysis) minDetectable(t *targetSeries) float64 {
	r := stats.Rates{Step: a.step, Count: make([]float64, a.n), Exposure: t.attempts}
	return stats.MinDetectable(r, a.scanOptions(1))
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
