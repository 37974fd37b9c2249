package inquiry

import "math"

// Strengths replaces the strengths of what is seen by others, to measure what they are
// worth. The zero value leaves them as they are.
type Strengths struct{ Proves, Strong, Weak float64 }

// Of returns what a weight is then. One that is no strength, or several times one, but was
// set by hand stays.
func (s Strengths) Of(weight float64) float64 {
	if s == (Strengths{}) {
		return weight
	}
	size, sign := math.Abs(weight), math.Copysign(1, weight)
	switch size {
	case 2 * Proves:
		return sign * 2 * s.Proves
	case Proves:
		return sign * s.Proves
	case Strong:
		return sign * s.Strong
	case Weak:
		return sign * s.Weak
	}
	return weight
}
