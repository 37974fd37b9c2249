package report

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

// confidence is that of every one-sided bound by which rare events are judged.
const confidence = 0.95

// ShareAtMost returns the share below which the true one is with 95 % confidence
// when k of n were seen: close to 3/n for k = 0, and 1 without data.
func ShareAtMost(k, n uint64) float64 { return upperBound(k, n, confidence) }

// upperBound returns the one-sided upper confidence bound of a share of which k
// of n were seen (Clopper and Pearson, Biometrika 26:404, 1934). With k = 0 it
// is close to 3/n at 95 %. Without data it is 1.
func upperBound(k, n uint64, confidence float64) float64 {
	switch {
	case k >= n:
		return 1
	case k == 0:
		return -math.Expm1(math.Log(1-confidence) / float64(n))
	}
	return mathext.InvRegIncBeta(float64(k)+1, float64(n-k), confidence)
}

// lowerBound returns the one-sided lower confidence bound; without data it is 0.
func lowerBound(k, n uint64, confidence float64) float64 {
	switch {
	case k == 0 || n == 0:
		return 0
	case k >= n:
		return math.Pow(1-confidence, 1/float64(n))
	}
	return mathext.InvRegIncBeta(float64(k), float64(n-k)+1, 1-confidence)
}

// needed returns how many requests without a single event it takes to prove a
// share below limit.
func needed(limit float64) uint64 {
	if limit <= 0 {
		return math.MaxUint64
	}
	if limit >= 1 {
		return 1
	}
	return uint64(math.Ceil(math.Log(1-confidence) / math.Log1p(-limit)))
}
