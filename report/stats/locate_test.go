package stats

import (
	"math"
	"testing"
)

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

// course is 60 s of a load that grows from 200 to 500, with events at given
// windows.
func course(events map[int]float64) Rates {
	r := Rates{Step: 0.25}
	for i := range 240 {
		load := 200 + 300*(float64(i)+0.5)/240
		r.Load, r.Exposure = append(r.Load, load), append(r.Exposure, math.Round(load/4))
		r.Count = append(r.Count, min(r.Exposure[i], events[i]))
	}
	return r
}

// beyond adds what exceeds the load of a window, from some window on.
func beyond(events map[int]float64, of, from int) map[int]float64 {
	for i := from; i < 240; i++ {
		events[i] = math.Round(float64(i-of) * 300 / 240 / 4)
	}
	return events
}

func TestRiseBegins(t *testing.T) {
	for _, test := range []struct {
		name      string
		events    map[int]float64
		at        float64
		low, high [2]float64 // bounds of the interval's ends
		before    float64
	}{
		// A bucket of tokens lets pass for 2 s what exceeds the limit; what is turned
		// away then points back to the limit.
		{name: "after a reserve", events: beyond(map[int]float64{}, 120, 128), at: 128, low: [2]float64{118, 127}, high: [2]float64{129, 130}},
		{name: "with the few before the many", events: beyond(map[int]float64{134: 1, 136: 2, 141: 1}, 136, 146), at: 134, low: [2]float64{125, 134}, high: [2]float64{141, 152}},
		// One cluster is one event: whether it leads up is not known.
		{name: "perhaps with one cluster", events: beyond(map[int]float64{34: 2}, -60, 40), at: 40, low: [2]float64{32, 34}, high: [2]float64{41, 43}, before: 2},
		// As frequent as ever before: no lead-up.
		{
			name:   "beside a background",
			events: beyond(map[int]float64{5: 1, 17: 1, 29: 1, 41: 1, 53: 1, 65: 1, 77: 1, 89: 1, 101: 1, 113: 1, 125: 1}, 126, 130),
			at:     130, low: [2]float64{118, 130}, high: [2]float64{131, 134}, before: 11,
		},
		{name: "not two seconds before", events: beyond(map[int]float64{119: 1, 120: 1, 121: 1}, 120, 130), at: 130, low: [2]float64{115, 130}, high: [2]float64{131, 134}, before: 3},
	} {
		rise := FindRise(course(test.events), RiseOptions{Alpha: 0.01, Floor: 5e-4})
		if rise.Status != Lasting || math.Floor(rise.At) != test.at || rise.Before != test.before {
			t.Errorf("%s: %v at %v, %v events before; want %v and %v", test.name, rise.Status, rise.At, rise.Before, test.at, test.before)
		}
		if rise.Low < test.low[0] || rise.Low > test.low[1] || rise.High < test.high[0] || rise.High > test.high[1] {
			t.Errorf("%s: interval %v to %v, want %v and %v", test.name, rise.Low, rise.High, test.low, test.high)
		}
	}
}
