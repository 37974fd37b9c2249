package stats

import "testing"

// Between two steps of a load nothing tells one window from another: a rise that
// grows with the load begins when that does, not when the step before it did.
func TestHingeBeginsWhereTheLoadGrows(t *testing.T) {
	r := Rates{Step: 0.25}
	add := func(windows int, from, to, capacity float64) {
		for i := range windows {
			load := from + (to-from)*(float64(i)+0.5)/float64(windows)
			n := load / 4
			r.Load, r.Exposure = append(r.Load, load), append(r.Exposure, n)
			r.Count = append(r.Count, max(0, n-capacity/4))
		}
	}
	add(40, 300, 300, 700)
	add(40, 600, 600, 700) // 40 to 79
	add(8, 600, 1200, 700) // over 700/s in the second window
	add(40, 1200, 1200, 700)
	rise := FindRise(r, RiseOptions{Alpha: 0.01, Floor: 5e-4})
	if rise.Status != Lasting || rise.At < 79 || rise.At > 82 || rise.Low < 77 || rise.Before != 0 {
		t.Errorf("%+v, want a rise at window 80", rise)
	}
}
