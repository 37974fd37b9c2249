package hops

import (
	"math"
	"time"
)

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// Between returns the readings of a time, both ends included.
func (t Track) Between(from, to float64) []float64 {
	var out []float64
	for i, at := range t.At {
		if at >= from && at <= to {
			out = append(out, t.Value[i])
		}
	}
	return out
}

// Sum adds two values, of which one that was not measured (NaN) counts nothing; NaN if neither was.
func Sum(x, y float64) float64 {
	switch {
	case math.IsNaN(x):
		return y
	case math.IsNaN(y):
		return x
	}
	return x + y
}
