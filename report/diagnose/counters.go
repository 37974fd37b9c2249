package diagnose

import (
	"math"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/stats"
)

// movement is how a cumulative counter moved during the load.
type movement struct {
	total      float64
	at         []float64 // middle of each interval in which it grew
	from, to   []float64 // the interval
	by         []float64
	first      *saturation // when it moved at all
	start      *saturation // when it began to move and went on; nil: it never moved
	throughout bool        // moved from the start at no lower a rate
	restarted  []float64   // times at which it went backwards
	intervals  int
}

// between returns by how much a counter grew in a span of time.
func (m *movement) between(from, to float64) float64 {
	n := 0.0
	for i, t := range m.to {
		if t > from && m.from[i] < to {
			n += m.by[i]
		}
	}
	return n
}

// movement reads a cumulative series. A total that falls wrapped or began again
// with its owner (see probe.Delta); PSI totals are time waited, and count in
// hundredths of a second.
func (a *analysis) movement(r *resource) *movement {
	m := &movement{}
	s := r.series
	for i := 1; i < len(s.Value); i++ {
		from, to := s.At[i-1].Seconds(), s.At[i].Seconds()
		delta, restarted := probe.Delta(s.Value[i-1], s.Value[i])
		if restarted {
			m.restarted = append(m.restarted, to)
		}
		if to < 0 || from > a.duration()+1 {
			continue
		}
		m.intervals++
		if delta > 0 {
			m.total += delta
			m.at = append(m.at, (from+to)/2)
			m.from, m.to, m.by = append(m.from, from), append(m.to, to), append(m.by, delta)
		}
	}
	if m.total == 0 {
		return m
	}
	first := &saturation{at: m.at[0], low: m.from[0], high: m.to[0], value: m.by[0]}
	m.first, m.start = first, first
	rise := stats.FindRise(a.perSecond(r, m), stats.RiseOptions{Alpha: falseAlarms / float64(max(1, len(a.log.Series))), Floor: 0})
	early := m.between(0, throughoutSpan) / throughoutSpan
	whole := m.total / max(a.duration(), 1)
	switch {
	case rise.Status == stats.Lasting && rise.Before > 0:
		// It moved before, but now it moves more.
		m.start = &saturation{at: a.seconds(rise.At), low: a.seconds(rise.Low), high: a.seconds(rise.High), value: rise.After}
	case first.at < throughoutSpan/2 && (rise.Status == stats.FromStart || early >= whole/2 && len(m.at) > 4):
		m.throughout = true
	}
	return m
}

// perSecond puts a counter on the grid of windows, with time as the exposure.
func (a *analysis) perSecond(r *resource, m *movement) stats.Rates {
	unit := 1.0
	if r.def.Unit == "µs" {
		unit = 1e4
	}
	rates := stats.Rates{Step: a.step, Count: make([]float64, a.n), Exposure: make([]float64, a.n)}
	for i := range rates.Exposure {
		// A tick so short that no window holds as many events.
		rates.Exposure[i] = 1e9 * a.step
	}
	for i, t := range m.at {
		if w := int(math.Floor(t / a.step)); w >= 0 && w < a.n {
			rates.Count[w] += math.Ceil(m.by[i] / unit)
		}
	}
	return rates
}
