package stats

import (
	"math"
	"math/rand/v2"
	"slices"

	"golang.org/x/perf/benchmath"
	"gonum.org/v1/gonum/mathext"
)

// Shift is how far one sample lies from another.
type Shift struct {
	Estimate  float64 // Hodges-Lehmann: median of all differences new − old
	Low, High float64 // confidence interval; ±Inf when the samples are too small for it
	P         float64 // Mann-Whitney U test, two-sided
	Warnings  []string
}

// CompareSamples returns by how much the values of b exceed those of a, assuming
// nothing of their distribution: the Hodges-Lehmann estimate (Ann. Math. Stat.
// 34:598, 1963), the interval of order statistics of the differences that
// belongs to the Mann-Whitney test, and that test's p-value (by benchmath).
// Values must be independent: runs, not windows of one run. Either sample empty
// gives NaN and p = 1.
func CompareSamples(a, b []float64, confidence float64) Shift {
	if len(a) == 0 || len(b) == 0 {
		return Shift{math.NaN(), math.Inf(-1), math.Inf(1), 1, []string{"a sample is empty"}}
	}
	diffs := make([]float64, 0, len(a)*len(b))
	for _, x := range a {
		for _, y := range b {
			diffs = append(diffs, y-x)
		}
	}
	slices.Sort(diffs)
	out := Shift{Estimate: median(diffs), Low: math.Inf(-1), High: math.Inf(1)}
	if k := mannWhitneyQuantile(len(a), len(b), (1-confidence)/2); k > 0 {
		out.Low, out.High = diffs[k-1], diffs[len(diffs)-k]
	} else {
		out.Warnings = append(out.Warnings, "samples are too small for an interval")
	}
	thresholds := benchmath.DefaultThresholds
	c := benchmath.AssumeNothing.Compare(
		benchmath.NewSample(slices.Clone(a), &thresholds), benchmath.NewSample(slices.Clone(b), &thresholds))
	out.P = c.P
	for _, w := range c.Warnings {
		out.Warnings = append(out.Warnings, w.Error())
	}
	return out
}

// ShiftPower returns how surely [CompareSamples] of n values a side, normal with a standard
// deviation of spread, finds that they differ by shift in the mean: a p-value of at most
// alpha and an estimate beyond least on the right side. It is simulated with fixed seeds.
func ShiftPower(n int, shift, spread, alpha, least float64) float64 {
	cut := mannWhitneyQuantile(n, n, alpha/2)
	if cut == 0 {
		return 0
	}
	const draws = 500
	rng := rand.New(rand.NewPCG(uint64(n), 0x5eed))
	a, b := make([]float64, n), make([]float64, n)
	found := 0
	for range draws {
		for i := range n {
			a[i], b[i] = spread*rng.NormFloat64(), shift+spread*rng.NormFloat64()
		}
		below, material := 0, 0 // pairs
		for _, x := range a {
			for _, y := range b {
				if y < x {
					below++
				}
				if y-x > least {
					material++
				}
			}
		}
		if below <= cut-1 && 2*material > n*n {
			found++
		}
	}
	return float64(found) / draws
}

// mannWhitneyQuantile returns the number k of differences that may be cut from
// each end: the largest k with P(U <= k−1) <= alpha; 0 if there is none. It is
// exact up to 50 values in all, a normal approximation beyond.
func mannWhitneyQuantile(m, n int, alpha float64) int {
	if m+n > 50 {
		mean := float64(m*n) / 2
		sd := math.Sqrt(float64(m*n*(m+n+1)) / 12)
		return max(0, int(math.Floor(mean+mathext.NormalQuantile(alpha)*sd)))
	}
	// ways[j][u]: of choosing j of the ranks seen so far with statistic u.
	ways := make([][]float64, m+1)
	for j := range ways {
		ways[j] = make([]float64, m*n+1)
	}
	ways[0][0] = 1
	for rank := 1; rank <= m+n; rank++ {
		for j := min(m, rank); j >= 1; j-- {
			if add := rank - j; add <= n { // values of the other sample below it
				for u := m * n; u >= add; u-- {
					ways[j][u] += ways[j-1][u-add]
				}
			}
		}
	}
	total := 0.0
	for _, w := range ways[m] {
		total += w
	}
	sum, k := 0.0, 0
	for _, w := range ways[m] {
		if sum += w; sum/total > alpha {
			break
		}
		k++
	}
	return k
}

// median returns the median of values in ascending order, NaN without any.
func median(sorted []float64) float64 {
	n := len(sorted)
	switch {
	case n == 0:
		return math.NaN()
	case n%2 == 1:
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}

// Median returns the median of values in any order, NaN without any.
func Median(v []float64) float64 {
	sorted := slices.Clone(v)
	slices.Sort(sorted)
	return median(sorted)
}
