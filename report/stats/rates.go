package stats

import (
	"cmp"
	"math"
	"slices"
)

// Rates is a series of event counts with the exposures in which they could
// happen, in consecutive windows of one length. Count never exceeds Exposure
// when events are shares of trials; for a process in time the exposure is in
// seconds and must be set to a finer unit than the events (see [FindRise]).
type Rates struct {
	Step     float64   // seconds per window
	Count    []float64 // events
	Exposure []float64 // trials; windows with 0 tell nothing
	Load     []float64 // what drives the rate, nil if nothing is known to
}

// coarsest is the longest window, in seconds, that a second means a second in. A series of
// longer ones, of a very long run, is looked at in steps of its own: a second then means a
// window.
const coarsest = 1.0

// atOwnPace returns the series as if its windows were no longer than the coarsest, and by
// how much they are.
func (r Rates) atOwnPace() (Rates, float64) {
	pace := max(1, r.Step/coarsest)
	r.Step /= pace
	return r, pace
}

func (r Rates) windows(seconds float64) int {
	return max(1, int(math.Round(seconds/r.Step)))
}

// end returns the number of windows up to the last with an exposure.
func (r Rates) end() int {
	for i := len(r.Exposure); i > 0; i-- {
		if r.Exposure[i-1] > 0 {
			return i
		}
	}
	return 0
}

// Burst is an isolated burst of events, in one window.
type Burst struct {
	Window int
	Count  float64
}

// burstReach is how far to each side a burst is held against its surroundings.
const burstReach = 2.0 // seconds

// MaskBursts finds windows whose count cannot come from the rate around them: at
// least 4 events, and P(Poisson(m) >= count) < 1e-4/n with m the exposure times
// the larger of the running median and the mean of the lower three quarters of
// the rates within 2 s, plus 0.25. A median filter keeps the edges of steps and
// ramps, so the start of a lasting rise is not masked; neither is one so close
// to the end that its duration is unknown.
func MaskBursts(r Rates) (masked []bool, bursts []Burst) {
	n := r.end()
	masked = make([]bool, len(r.Count))
	reach := r.windows(burstReach)
	limit := 1e-4 / float64(max(n, 1))
	var rates []float64
	for t := range n {
		if r.Count[t] < 4 || r.Exposure[t] <= 0 {
			continue
		}
		rates = rates[:0]
		after := 0
		for i := max(0, t-reach); i <= min(n-1, t+reach); i++ {
			if r.Exposure[i] > 0 {
				rates = append(rates, r.Count[i]/r.Exposure[i])
				if i > t {
					after++
				}
			}
		}
		if after < 3 {
			continue
		}
		m := r.Exposure[t] * max(surroundings(rates), tail(r, t, min(n-1, t+reach), reach))
		if PoissonTail(m+0.25, r.Count[t]) < limit {
			masked[t] = true
			bursts = append(bursts, Burst{t, r.Count[t]})
		}
	}
	return masked, bursts
}

// surroundings returns the larger of the median and the mean of the lower three
// quarters; it sorts the rates in place.
func surroundings(rates []float64) float64 {
	slices.Sort(rates)
	keep := max(1, len(rates)*3/4)
	sum := 0.0
	for _, v := range rates[:keep] {
		sum += v
	}
	return max(median(rates), sum/float64(keep))
}

// tail returns the median rate from t on when the series ends within reach: what
// starts there and lasts to the end is no burst. Else it is 0.
func tail(r Rates, t, last, reach int) float64 {
	if last-t >= reach {
		return 0
	}
	var rates []float64
	for i := t; i <= last; i++ {
		if r.Exposure[i] > 0 {
			rates = append(rates, r.Count[i]/r.Exposure[i])
		}
	}
	slices.Sort(rates)
	return median(rates)
}

// Regular reports whether bursts come at regular intervals: at least four
// clusters (bursts within a second are one) whose intervals have a coefficient
// of variation below 0.2. The period is in seconds.
func Regular(bursts []Burst, step float64) (period float64, regular bool) {
	var starts []float64
	last := math.Inf(-1)
	sorted := slices.SortedFunc(slices.Values(bursts), func(a, b Burst) int { return cmp.Compare(a.Window, b.Window) })
	for _, b := range sorted {
		at := float64(b.Window) * step
		if at-last > 1 {
			starts = append(starts, at)
		}
		last = at
	}
	if len(starts) < 4 {
		return 0, false
	}
	gaps := differences(starts)
	mean, variation := meanCV(gaps)
	return mean, variation < 0.2
}

func meanCV(v []float64) (mean, cv float64) {
	for _, x := range v {
		mean += x
	}
	mean /= float64(len(v))
	ss := 0.0
	for _, x := range v {
		ss += (x - mean) * (x - mean)
	}
	if len(v) < 2 || mean == 0 {
		return mean, 0
	}
	return mean, math.Sqrt(ss/float64(len(v)-1)) / math.Abs(mean)
}

// dispersionOf returns Pearson's dispersion of counts around one common rate, in
// blocks of the given length over the windows [from, to) that are not masked:
// Σ(y−p̂N)²/(p̂(1−p̂)N) per degree of freedom. It is 1 for a binomial series and
// grows with the size of clusters. Without two blocks or any event it is 1.
func dispersionOf(r Rates, masked []bool, from, to int, blockSeconds float64) float64 {
	size := r.windows(blockSeconds)
	var y, n float64
	for i := from; i < to; i++ {
		if !masked[i] {
			y += r.Count[i]
			n += r.Exposure[i]
		}
	}
	if y == 0 || n == 0 {
		return 1
	}
	p := y / n
	spread := p * max(0.05, 1-p)
	var chi2, blocks float64
	for start := from; start < to; start += size {
		var by, bn float64
		for i := start; i < min(to, start+size); i++ {
			if !masked[i] {
				by += r.Count[i]
				bn += r.Exposure[i]
			}
		}
		if bn > 0 {
			chi2 += (by - p*bn) * (by - p*bn) / (spread * bn)
			blocks++
		}
	}
	if blocks < 2 {
		return 1
	}
	return chi2 / (blocks - 1)
}
