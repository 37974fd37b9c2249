package compare

import (
	"fmt"
	"math"
	"slices"

	"github.com/rampload/rampload/report/format"
	"github.com/rampload/rampload/report/stats"
)

// shift compares the samples of one metric and keeps the raw p-value.
func (m *Measured) shift() {
	m.OldRuns, m.NewRuns = len(m.Before), len(m.After)
	if m.OldRuns == 0 || m.NewRuns == 0 {
		m.Outcome, m.Note = NotComparable, "a release has no run with a value"
		return
	}
	old, new := Values(m.Before), Values(m.After)
	o, n := stats.Median(old), stats.Median(new)
	m.Old, m.New = &o, &n
	m.OldAtLeast, m.NewAtLeast = Censored(m.Before), Censored(m.After)
	if limit, ok := comparable(m.Before, m.After); !ok && (!m.OldAtLeast || !m.NewAtLeast) {
		m.Outcome = NotComparable
		m.Note = joinNotes(m.Note, fmt.Sprintf("not comparable above %s: a release was sent no more and had no onset up to there", format.Rate(math.Round(limit))))
		return
	}
	unit := 1.0
	if m.Relative {
		if o == 0 {
			m.Outcome, m.Note = NotComparable, "the old value is 0"
			return
		}
		unit = math.Abs(o)
	}
	s := stats.CompareSamples(old, new, 0.95)
	m.Shift = number(s.Estimate / unit)
	m.ShiftLow, m.ShiftHigh = number(s.Low/unit), number(s.High/unit)
	if a, b, some := gehanScores(m.Before, m.After); some {
		s.P = stats.CompareSamples(a, b, 0.95).P
	}
	m.P = number(s.P)
	if m.OldRuns < MinRuns || m.NewRuns < MinRuns {
		m.indicate()
		return
	}
	narrow := stats.CompareSamples(old, new, 0.90)
	tolerance := m.tolerance()
	switch {
	case m.OldAtLeast && m.NewAtLeast:
		m.P = nil // what differs is how much was sent
		m.ShiftLow, m.ShiftHigh = nil, nil
		m.Outcome = Equivalent
		m.Note = joinNotes(m.Note, "reached on neither side, up to "+format.Rate(math.Round(min(slices.Min(old), slices.Min(new)))))
	case narrow.Low/unit > -tolerance && narrow.High/unit < tolerance:
		m.Outcome = Equivalent
	default:
		m.Outcome = Inconclusive // until the corrected p-value says more
		m.NeedRuns = neededRuns(old, new, unit, tolerance)
	}
}

// above reports whether a value is surely larger than another: one that is only a
// lower bound is so when it is, and none is surely larger than it.
func above(a, b Observation) bool { return !b.AtLeast && a.Value > b.Value }

// comparable reports whether most pairs of runs can be told apart or are equal: a lower
// bound says nothing about values beyond it. Else limit is the lowest bound.
func comparable(old, new []Observation) (limit float64, ok bool) {
	limit = math.Inf(1)
	open := 0
	for _, o := range old {
		for _, n := range new {
			if (o.AtLeast || n.AtLeast) && !above(o, n) && !above(n, o) {
				open++
				for _, x := range []Observation{o, n} {
					if x.AtLeast {
						limit = min(limit, x.Value)
					}
				}
			}
		}
	}
	return limit, 2*open < len(old)*len(new)
}

// gehanScores replaces values, of which some are only lower bounds, by how many others
// of both sides are surely smaller less how many are surely larger (Gehan, Biometrika
// 52:203, 1965): a rank test of these is one of censored data. some is false where no
// value is a bound.
func gehanScores(old, new []Observation) (a, b []float64, some bool) {
	all := slices.Concat(old, new)
	scores := make([]float64, len(all))
	for i, x := range all {
		some = some || x.AtLeast
		for _, y := range all {
			if above(x, y) {
				scores[i]++
			}
			if above(y, x) {
				scores[i]--
			}
		}
	}
	return scores[:len(old)], scores[len(old):], some
}

// tolerance is the shift that matters: 3 %, 3 percentage points of headroom, or
// 0.1 points of a share.
func (m *Measured) tolerance() float64 {
	switch {
	case m.Relative, m.HigherBetter:
		return Material
	}
	return 0.001
}

// indicate says what too few runs suggest. A shift counts when it is Material
// and the intervals within the runs are apart; where a run has no interval, when
// it is larger than runs usually differ by (10 %, 10 points).
func (m *Measured) indicate() {
	m.P, m.ShiftLow, m.ShiftHigh = nil, nil, nil
	if m.OldAtLeast && m.NewAtLeast {
		m.Outcome, m.Note = NoDifference, joinNotes(m.Note, "reached on neither side")
		return
	}
	worse := *m.Shift < 0
	if !m.HigherBetter {
		worse = *m.Shift > 0
	}
	apart, known := intervalsApart(m.Before, m.After)
	beyond := math.Abs(*m.Shift) > m.tolerance()
	between := m.between()
	if !between.assumed {
		z := *m.Shift / m.deviation(between)
		apart, known = math.Abs(z) > between.quantile, true
		m.Note = joinNotes(m.Note, fmt.Sprintf("z=%.1f against the spread between %s", z, between.of))
	}
	if !known {
		beyond = math.Abs(*m.Shift) > 0.10
		apart = true
	}
	if between.assumed && beyond && apart && (m.Relative || m.HigherBetter) && math.Abs(*m.Shift) <= between.quantile*m.deviation(between) {
		beyond = false // shares are told by their own intervals
		m.Note = joinNotes(m.Note, fmt.Sprintf("within what runs differ by themselves, taken as %s", format.Percent(between.sd)))
	}
	switch {
	case !beyond || !apart:
		m.Outcome = NoDifference
	case worse:
		m.Outcome = IndicativeRegression
	default:
		m.Outcome = IndicativeChange
	}
}

// intervalsApart reports whether every interval of one side lies beyond all of
// the other's; known is false when a run has none. A censored value reaches up
// without end.
func intervalsApart(a, b []Observation) (apart, known bool) {
	span := func(side []Observation) (low, high float64, ok bool) {
		low, high = math.Inf(1), math.Inf(-1)
		for _, o := range side {
			if math.IsNaN(o.Low) || math.IsNaN(o.High) {
				return 0, 0, false
			}
			low, high = min(low, o.Low), max(high, o.High)
		}
		return low, high, true
	}
	al, ah, ok1 := span(a)
	bl, bh, ok2 := span(b)
	return ah < bl || bh < al, ok1 && ok2
}

func Values(side []Observation) []float64 {
	out := make([]float64, len(side))
	for i, o := range side {
		out[i] = o.Value
	}
	return out
}

// censored reports whether the middle of a side is only a lower bound.
func Censored(side []Observation) bool {
	n := 0
	for _, o := range side {
		if o.AtLeast {
			n++
		}
	}
	return 2*n > len(side)
}

// number returns nil for what was not Measured.
func number(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}
