package stats

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// DifferenceKS compares how a series moved in two stretches of time: the
// two-sample Kolmogorov-Smirnov statistic of the differences of consecutive
// values, with its asymptotic p-value (Smirnov 1948, with the small-sample term
// of Stephens 1970). p is 1 if a stretch has fewer than three values.
func DifferenceKS(before, after []float64) (statistic, p float64) {
	a, b := differences(before), differences(after)
	if len(a) < 2 || len(b) < 2 {
		return 0, 1
	}
	slices.Sort(a)
	slices.Sort(b)
	d := stat.KolmogorovSmirnov(a, nil, b, nil)
	n := float64(len(a)) * float64(len(b)) / float64(len(a)+len(b))
	root := math.Sqrt(n)
	return d, kolmogorovTail((root + 0.12 + 0.11/root) * d)
}

func differences(v []float64) []float64 {
	if len(v) < 2 {
		return nil
	}
	out := make([]float64, len(v)-1)
	for i := range out {
		out[i] = v[i+1] - v[i]
	}
	return out
}

// kolmogorovTail is 2·Σ (−1)^{k−1} e^{−2k²x²}.
func kolmogorovTail(x float64) float64 {
	if x < 0.2 {
		return 1
	}
	sum, sgn := 0.0, 1.0
	for k := 1.0; k <= 100; k++ {
		term := math.Exp(-2 * k * k * x * x)
		sum += sgn * term
		if term < 1e-12 {
			break
		}
		sgn = -sgn
	}
	return min(1, max(0, 2*sum))
}
