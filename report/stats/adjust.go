package stats

import (
	"cmp"
	"slices"
)

// Holm returns p-values adjusted for the family-wise error rate (Holm, Scand. J.
// Stat. 6:65, 1979): all hypotheses with an adjusted value below α may be
// rejected together.
func Holm(p []float64) []float64 {
	order := ascending(p)
	out := make([]float64, len(p))
	worst := 0.0
	for rank, i := range order {
		worst = max(worst, min(1, p[i]*float64(len(p)-rank)))
		out[i] = worst
	}
	return out
}

// BH returns p-values adjusted for the false discovery rate (Benjamini and
// Hochberg, JRSS B 57:289, 1995).
func BH(p []float64) []float64 {
	order := ascending(p)
	out := make([]float64, len(p))
	least := 1.0
	for rank := len(order) - 1; rank >= 0; rank-- {
		i := order[rank]
		least = min(least, p[i]*float64(len(p))/float64(rank+1))
		out[i] = least
	}
	return out
}

func ascending(p []float64) []int {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(p[a], p[b]) })
	return order
}
