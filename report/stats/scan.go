package stats

import (
	"math"
	"slices"
)

// scales are the lengths in seconds of the segments that a scan compares with
// all that came before them.
var scales = [...]float64{1, 2, 4, 8, 16, 32}

// maxDispersion caps the correction for clustered events.
const maxDispersion = 10

// scanner holds the running sums of a series without its masked windows.
type scanner struct {
	r      Rates
	masked []bool
	n      int
	y, e   []float64 // sums over the windows before an index
	active []int
	least  float64 // smallest dispersion to assume; 0: as measured
}

func newScanner(r Rates, masked []bool) *scanner {
	s := &scanner{r: r, masked: masked, n: r.end()}
	s.y, s.e, s.active = make([]float64, s.n+1), make([]float64, s.n+1), make([]int, s.n+1)
	for i := range s.n {
		s.y[i+1], s.e[i+1], s.active[i+1] = s.y[i], s.e[i], s.active[i]
		if masked[i] {
			continue
		}
		s.y[i+1] += r.Count[i]
		s.e[i+1] += r.Exposure[i]
		if r.Count[i] > 0 {
			s.active[i+1]++
		}
	}
	return s
}

// excess returns s·KL(y/s‖π) of y events in a segment with the share π of the
// exposure, out of s events in all; 0 if there are not more than that share.
// Given s, y is binomial(s, π) whatever the rate is, so e^{-excess} bounds the
// chance of as many (Chernoff).
func excess(y, s, share float64) float64 {
	if s <= 0 || y/s <= share {
		return 0
	}
	if share <= 0 {
		return math.Inf(1)
	}
	q := y / s
	g := q * math.Log(q/share)
	if q < 1 {
		g += (1 - q) * math.Log((1-q)/(1-share))
	}
	return s * g
}

// alarm is a segment [from, to] in which events are more frequent than before.
type alarm struct {
	from, to int
	excess   float64
	raw      float64 // before the division by the dispersion
}

// next returns the first alarm whose segment ends at or after start: an excess
// of at least h, in at least four windows with events.
//
// Within a segment each window counts at most 1+⌈2·median⌉ events, so that one
// outlier among quiet windows cannot raise it, and the excess is divided by the
// dispersion of what came before. Both only lower it, so the bound of excess
// holds; whether they lower it enough for clustered events is measured.
func (s *scanner) next(start int, h float64) (alarm, bool) {
	for t := start; t < s.n; t++ {
		if s.masked[t] {
			continue
		}
		best := alarm{}
		for _, scale := range scales {
			k := t + 1 - s.r.windows(scale)
			if k < 1 || s.e[k] == 0 {
				break
			}
			if s.active[t+1]-s.active[k] < 4 {
				continue
			}
			share := (s.e[t+1] - s.e[k]) / s.e[t+1]
			if excess(s.y[t+1]-s.y[k], s.y[t+1], share) < h {
				continue
			}
			y := s.capped(k, t)
			g := excess(y, y+s.y[k], share)
			if g < h {
				continue
			}
			if e := g / s.dispersion(k); e >= h && e > best.excess {
				best = alarm{k, t, e, g}
			}
		}
		if best.excess > 0 {
			return best, true
		}
	}
	return alarm{}, false
}

// capped returns the events in [k, t] with each window's count capped.
func (s *scanner) capped(k, t int) float64 {
	counts := make([]float64, 0, t-k+1)
	for i := k; i <= t; i++ {
		if !s.masked[i] && s.r.Exposure[i] > 0 {
			counts = append(counts, s.r.Count[i])
		}
	}
	slices.Sort(counts)
	limit := 1 + math.Ceil(2*median(counts))
	y := 0.0
	for _, c := range counts {
		y += min(c, limit)
	}
	return y
}

// dispersion returns how clustered events are before window k.
func (s *scanner) dispersion(k int) float64 {
	if s.y[k] < 2 {
		return max(1, s.least)
	}
	d := max(1, s.least, Dispersion(s.r, s.masked, 0, k, 1), Dispersion(s.r, s.masked, 0, k, 5))
	return min(d, maxDispersion)
}

// rate returns events, exposure and active windows in [from, to).
func (s *scanner) rate(from, to int) (y, e float64, active int) {
	from, to = min(max(from, 0), s.n), min(max(to, 0), s.n)
	if to <= from {
		return 0, 0, 0
	}
	return s.y[to] - s.y[from], s.e[to] - s.e[from], s.active[to] - s.active[from]
}

// all returns events and exposure in [from, to), masked windows included: what a
// reader counts.
func (s *scanner) all(from, to int) (y, e float64) {
	for i := max(from, 0); i < min(to, s.n); i++ {
		y += s.r.Count[i]
		e += s.r.Exposure[i]
	}
	return y, e
}
