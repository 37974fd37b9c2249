package stats

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// KendallPartial returns Kendall's rank correlation of x and y with the part
// that z explains removed: (τxy − τxz·τyz)/√((1−τxz²)(1−τyz²)), with τ-b for
// ties (Kendall, Biometrika 32:277, 1942). It is NaN if a series is constant or
// follows z exactly. The cost is quadratic: thin series of more than some
// thousand points first.
func KendallPartial(x, y, z []float64) float64 {
	xy, xz, yz := Kendall(x, y), Kendall(x, z), Kendall(y, z)
	return (xy - xz*yz) / math.Sqrt((1-xz*xz)*(1-yz*yz))
}

// Kendall returns Kendall's τ-b of two series of one length, NaN if one is
// constant. The cost is quadratic.
func Kendall(x, y []float64) float64 {
	var score, tiesX, tiesY, pairs float64
	for i := range x {
		for j := range i {
			pairs++
			dx, dy := sign(x[i]-x[j]), sign(y[i]-y[j])
			score += dx * dy
			if dx == 0 {
				tiesX++
			}
			if dy == 0 {
				tiesY++
			}
		}
	}
	return score / math.Sqrt((pairs-tiesX)*(pairs-tiesY))
}

func sign(v float64) float64 {
	switch {
	case v > 0:
		return 1
	case v < 0:
		return -1
	}
	return 0
}

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
