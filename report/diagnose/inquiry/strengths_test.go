package inquiry

import "testing"

func TestStrengths(t *testing.T) {
	other := Strengths{Proves: 6, Strong: 3, Weak: 0.5}
	for weight, want := range map[float64]float64{Proves: 6, -Proves: -6, 2 * Proves: 12, Strong: 3, -Strong: -3, Weak: 0.5, -Weak: -0.5, 0: 0, 1.7: 1.7, -0.3: -0.3} {
		if got := other.Of(weight); got != want {
			t.Errorf("%v becomes %v, want %v", weight, got, want)
		}
		if got := (Strengths{}).Of(weight); got != weight {
			t.Errorf("without others %v becomes %v", weight, got)
		}
	}
}
