package inquiry

import "math"

// Strengths replaces the three strengths of clues by others, to measure how much the verdicts
// depend on them. The zero value replaces nothing.
type Strengths struct{ Proves, Strong, Weak float64 }

// Of returns a weight with its strength replaced. A weight that is neither a strength nor twice
// Proves stays as it is.
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
