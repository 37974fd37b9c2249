package evidence

import (
	"math"
	"slices"
)

func QuantileOf(v []float64, q float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	s := slices.Clone(v)
	slices.Sort(s)
	return quantileOfSorted(s, q)
}

func quantileOfSorted(v []float64, q float64) float64 { return v[int(q*float64(len(v)-1)+0.5)] }

func MeanCV(v []float64) (mean, cv float64) {
	if len(v) == 0 {
		return 0, 0
	}
	mean = Sum(v) / float64(len(v))
	ss := 0.0
	for _, x := range v {
		ss += (x - mean) * (x - mean)
	}
	if len(v) < 2 || mean == 0 {
		return mean, 0
	}
	return mean, math.Sqrt(ss/float64(len(v)-1)) / math.Abs(mean)
}

func Sum(v []float64) float64 {
	s := 0.0
	for _, x := range v {
		s += x
	}
	return s
}

func Square(x float64) float64 { return x * x }

func RunningMedian(v []float64, width int) []float64 {
	out := make([]float64, len(v))
	var near []float64
	for i := range v {
		from, to := max(0, i-width/2), min(len(v), i+width/2+1)
		near = append(near[:0], v[from:to]...)
		slices.Sort(near)
		out[i] = near[len(near)/2]
	}
	return out
}

// Deviation returns the standard deviation of consecutive differences.
func Deviation(v []float64) float64 {
	if len(v) < 3 {
		return 0
	}
	var s, ss, n float64
	for i := 1; i < len(v); i++ {
		d := v[i] - v[i-1]
		if math.IsNaN(d) {
			continue
		}
		s += d
		ss += d * d
		n++
	}
	if n < 2 {
		return 0
	}
	return math.Sqrt(max(0, (ss-s*s/n)/(n-1)))
}
