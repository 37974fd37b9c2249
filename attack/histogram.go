package attack

import (
	"math"
	"slices"
)

// Bucket is one non-empty bucket of a histogram. Value is its highest
// equivalent value, so that a quantile never understates.
type Bucket struct {
	Value int64
	Count uint64
}

// Histogram is a sparse histogram in ascending order of value. The zero value is
// empty. Buckets of histograms that are merged must have the same layout.
type Histogram []Bucket

// Total returns the number of values.
func (h Histogram) Total() uint64 {
	var n uint64
	for _, b := range h {
		n += b.Count
	}
	return n
}

// Max returns the highest value, 0 when empty.
func (h Histogram) Max() int64 {
	if len(h) == 0 {
		return 0
	}
	return h[len(h)-1].Value
}

// Quantile returns the smallest value with at least the share q (in [0,1]) of
// all values at or below it, and false when the histogram is empty.
func (h Histogram) Quantile(q float64) (int64, bool) {
	total := h.Total()
	if total == 0 {
		return 0, false
	}
	rank := uint64(math.Ceil(q * float64(total)))
	rank = max(rank, 1)
	var seen uint64
	for _, b := range h {
		seen += b.Count
		if seen >= rank {
			return b.Value, true
		}
	}
	return h.Max(), true
}

// Merge returns the sum of two histograms; neither is changed.
func (h Histogram) Merge(o Histogram) Histogram {
	if len(h) == 0 {
		return slices.Clone(o)
	}
	out := make(Histogram, 0, max(len(h), len(o))+8)
	i, j := 0, 0
	for i < len(h) || j < len(o) {
		switch {
		case j == len(o) || i < len(h) && h[i].Value < o[j].Value:
			out = append(out, h[i])
			i++
		case i == len(h) || o[j].Value < h[i].Value:
			out = append(out, o[j])
			j++
		default:
			out = append(out, Bucket{h[i].Value, h[i].Count + o[j].Count})
			i, j = i+1, j+1
		}
	}
	return out
}
