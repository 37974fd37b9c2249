package stats

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

// UpperShare returns the one-sided upper confidence bound of a share of which k
// of n were seen (Clopper and Pearson, Biometrika 26:404, 1934). With k = 0 it
// is close to the rule of three, 3/n at 95 %. Without data it is 1.
func UpperShare(k, n, confidence float64) float64 {
	switch {
	case n <= 0 || k >= n:
		return 1
	case k <= 0:
		return -math.Expm1(math.Log1p(-confidence) / n)
	}
	return mathext.InvRegIncBeta(k+1, n-k, confidence)
}

// LowerShare returns the one-sided lower confidence bound of a share of which k
// of n were seen (Clopper and Pearson). Without data it is 0.
func LowerShare(k, n, confidence float64) float64 {
	switch {
	case k <= 0 || n <= 0:
		return 0
	case k >= n:
		return math.Exp(math.Log1p(-confidence) / n)
	}
	return mathext.InvRegIncBeta(k, n-k+1, 1-confidence)
}

// CleanTrials returns how many trials without a single event it takes to prove, with a
// confidence, that a share is below limit.
func CleanTrials(limit, confidence float64) uint64 {
	if limit <= 0 {
		return math.MaxUint64
	}
	if limit >= 1 {
		return 1
	}
	return uint64(math.Ceil(math.Log(1-confidence) / math.Log1p(-limit)))
}

// ClopperPearson returns the two-sided exact confidence interval of a share of
// which k of n were seen. Without data it is [0, 1].
func ClopperPearson(k, n, confidence float64) (low, high float64) {
	side := (1 + confidence) / 2
	return LowerShare(k, n, side), UpperShare(k, n, side)
}

// Wilson returns the score confidence interval of a share of which k of n were
// seen (Wilson, JASA 22:209, 1927). Without data it is [0, 1].
func Wilson(k, n, confidence float64) (low, high float64) {
	if n <= 0 {
		return 0, 1
	}
	z := mathext.NormalQuantile((1 + confidence) / 2)
	p := k / n
	centre := p + z*z/(2*n)
	half := z * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	scale := 1 + z*z/n
	return max(0, (centre-half)/scale), min(1, (centre+half)/scale)
}

// PoissonTail returns P(X >= x) of a Poisson variable with the given mean. It is
// 1 for x <= 0, and 0 for a mean of 0 and x > 0.
func PoissonTail(mean, x float64) float64 {
	switch {
	case x <= 0:
		return 1
	case mean <= 0:
		return 0
	}
	return mathext.GammaIncReg(math.Ceil(x), mean)
}

// RateLowerBound returns the one-sided lower confidence bound of the rate of a
// Poisson process that gave count events over an exposure (Garwood, Biometrika
// 28:437, 1936: a quantile of the gamma distribution). Without events it is 0.
func RateLowerBound(count, exposure, confidence float64) float64 {
	if count <= 0 || exposure <= 0 {
		return 0
	}
	return mathext.GammaIncRegInv(count, 1-confidence) / exposure
}

// NormalCDF is the standard normal distribution function.
func NormalCDF(z float64) float64 { return math.Erfc(-z/math.Sqrt2) / 2 }
