package compare

import (
	"fmt"
	"math"

	"github.com/rampload/rampload/report/stats"
	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/stat"
)

// alpha is the family-wise error rate of the primary metrics and the false
// discovery rate of the others.
const alpha = 0.05

// Judge tells in which metrics two releases differ; indicative is set where too few runs
// could prove it. The values stay as they are.
func Judge(all []Measured, indicative bool) []Metric {
	out := make([]Metric, len(all))
	primary := 0
	for i := range all {
		if all[i].shift(); all[i].Primary && all[i].Shift != nil {
			primary++
		}
	}
	for i := range all {
		all[i].Power = all[i].power(primary)
		out[i] = all[i].Metric
	}
	decide(out, indicative)
	return out
}

// decide corrects the p-values of proven comparisons and turns them into
// outcomes.
func decide(metrics []Metric, indicative bool) {
	if indicative {
		return
	}
	for _, family := range []struct {
		primary bool
		adjust  func([]float64) []float64
	}{{true, stats.Holm}, {false, stats.BH}} {
		var p []float64
		var of []int
		for i, m := range metrics {
			if m.Primary == family.primary && m.P != nil {
				p, of = append(p, *m.P), append(of, i)
			}
		}
		for k, adjusted := range family.adjust(p) {
			m := &metrics[of[k]]
			m.P = &adjusted
			m.prove(len(of))
		}
	}
}

// prove turns a corrected p-value into an outcome. family is how many metrics
// were tested together.
func (m *Metric) prove(family int) {
	if m.Shift == nil || m.P == nil || m.Outcome == NotComparable {
		return
	}
	tolerance := (&Measured{Metric: *m}).tolerance()
	if *m.P < alpha && math.Abs(*m.Shift) > tolerance {
		m.NeedRuns = 0
		if (*m.Shift > 0) == m.HigherBetter {
			m.Outcome = Improvement
		} else {
			m.Outcome = Regression
		}
		return
	}
	if m.Outcome == Inconclusive && m.Primary && minimalP(m.OldRuns, m.NewRuns)*float64(family) >= alpha {
		m.NeedRuns = max(m.NeedRuns, runsFor(family))
		m.Note = joinNotes(m.Note, fmt.Sprintf("%d metrics are tested together, which takes %d runs of each release", family, runsFor(family)))
	}
}

// minimalP is the smallest p-value that the Mann-Whitney test can give: 2 over
// the number of ways to choose the runs of one side.
func minimalP(a, b int) float64 {
	return 2 / math.Exp(logChoose(a+b, a))
}

func logChoose(n, k int) float64 {
	lg := func(x int) float64 { v, _ := math.Lgamma(float64(x + 1)); return v }
	return lg(n) - lg(k) - lg(n-k)
}

// runsFor is how many runs of each side let one of a family of metrics pass
// Holm's correction.
func runsFor(family int) int {
	n := MinRuns
	for minimalP(n, n)*float64(family) >= alpha {
		n++
	}
	return n
}

// neededRuns estimates how many runs of each side show a shift of the size that
// was seen, or of the tolerance, with 80 % power: the two-sample formula, and
// 5 % more for the Mann-Whitney test (its efficiency is 3/π under normality).
func neededRuns(old, new []float64, unit, tolerance float64) int {
	spread := math.Sqrt((stat.Variance(old, nil)+stat.Variance(new, nil))/2) / unit
	shift := math.Abs(stat.Mean(new, nil)-stat.Mean(old, nil)) / unit
	z := mathext.NormalQuantile(1-alpha/2) + mathext.NormalQuantile(0.8)
	n := 2 * z * z * spread * spread / math.Pow(max(shift, tolerance), 2) * math.Pi / 3
	return max(int(math.Ceil(min(n, 1e6))), len(old)+1, len(new)+1)
}

func joinNotes(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}
