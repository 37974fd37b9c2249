package stats

import (
	"math"
	"slices"
)

// scales are the lengths in seconds of the segments that a scan compares with
// all that came before them.
var scales = [...]float64{1, 2, 4, 8, 16, 32}

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

// scanner looks for segments in which events are more frequent than before, and at whether
// that lasts.
type scanner struct{ *series }

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
func (s scanner) next(start int, h float64) (alarm, bool) {
	for t := start; t < s.n; t++ {
		if s.masked[t] || s.r.Count[t] == 0 {
			continue // an excess is greatest where a window with events ends its segment
		}
		s.fill(t + 1)
		best := alarm{}
		yt, et, at := s.sums(t + 1)
		for _, scale := range scales {
			k := t + 1 - s.r.windows(scale)
			if k < 1 || s.e[k] == 0 {
				break
			}
			if at-s.active[k] < 4 {
				continue
			}
			share := (et - s.e[k]) / et
			raw := excess(yt-s.y[k], yt, share)
			if raw < h {
				continue
			}
			d := s.dispersion(k)
			if raw < h*d {
				continue
			}
			y := s.capped(k, t)
			g := excess(y, y+s.y[k], share)
			if e := g / d; e >= h && e > best.excess {
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
func (s scanner) capped(k, t int) float64 {
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
