package saturation

import (
	"math"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/stats"
)

// movement reads a cumulative series. A total that falls wrapped or began again
// with its owner (see probe.Delta); PSI totals are time waited, and count in
// hundredths of a second.
func movement(a *evidence.Run, r *evidence.Resource) *evidence.Movement {
	m := &evidence.Movement{}
	s := r.Series
	for i := 1; i < len(s.Value); i++ {
		from, to := s.At[i-1].Seconds(), s.At[i].Seconds()
		delta, restarted := probe.Delta(s.Value[i-1], s.Value[i])
		if restarted {
			m.Restarted = append(m.Restarted, to)
		}
		if to < 0 || from > a.Duration()+1 {
			continue
		}
		m.Intervals++
		if delta > 0 {
			m.Total += delta
			m.At = append(m.At, (from+to)/2)
			m.From, m.To, m.By = append(m.From, from), append(m.To, to), append(m.By, delta)
		}
	}
	if m.Total == 0 {
		return m
	}
	first := &evidence.Saturation{At: m.At[0], Low: m.From[0], High: m.To[0], Value: m.By[0]}
	m.First, m.Start = first, first
	rise := stats.FindRise(perSecond(a, r, m), stats.RiseOptions{Alpha: evidence.FalseAlarms / float64(max(1, len(a.Log.Series))), Floor: 0})
	early := m.Between(0, evidence.ThroughoutSpan) / evidence.ThroughoutSpan
	whole := m.Total / max(a.Duration(), 1)
	switch {
	case rise.Status == stats.Lasting && rise.Before > 0:
		// It moved before, but now it moves more.
		m.Start = &evidence.Saturation{At: a.Seconds(rise.At), Low: a.Seconds(rise.NearLow), High: a.Seconds(rise.NearHigh), Value: rise.After}
	case first.At < evidence.ThroughoutSpan/2 && (rise.Status == stats.FromStart || early >= whole/2 && len(m.At) > 4):
		m.Throughout = true
	}
	return m
}

// perSecond puts a counter on the grid of windows, with time as the exposure.
func perSecond(a *evidence.Run, r *evidence.Resource, m *evidence.Movement) stats.Rates {
	unit := 1.0
	if r.Def.Unit == "µs" {
		unit = 1e4
	}
	rates := stats.Rates{Step: a.Step, Count: make([]float64, a.N), Exposure: make([]float64, a.N)}
	for i := range rates.Exposure {
		// A tick so short that no window holds as many events.
		rates.Exposure[i] = 1e9 * a.Step
	}
	for i, t := range m.At {
		if w := int(math.Floor(t / a.Step)); w >= 0 && w < a.N {
			rates.Count[w] += math.Ceil(m.By[i] / unit)
		}
	}
	return rates
}
