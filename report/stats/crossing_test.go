package stats_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/rampload/rampload/report/stats"
	"github.com/rampload/rampload/report/stats/calibration"
)

// pooled sums a series over blocks of windows.
func pooled(v []float64, size int) (out []float64) {
	for i := 0; i < len(v); i += size {
		sum := 0.0
		for _, x := range v[i:min(len(v), i+size)] {
			sum += x
		}
		out = append(out, sum)
	}
	return out
}

// A share that grows exponentially passes a level at a load that does not depend on
// how much traffic was sent; how surely it is known does, and the interval says so.
func TestFindCrossingOfExponentialGrowth(t *testing.T) {
	const level = 1e-3
	const within, holds = "the SLO crossing of exponential growth is right", "its interval holds it"
	runs, first := seeds(60, 1000)
	for _, c := range []struct {
		name     string
		from, to float64
		scale    float64 // share of the highest load over which failures grow e-fold
		half     float64 // how far off half of the runs may be
	}{
		{"200/s, steep", 10, 200, 0.05, 0.05},
		{"200/s", 10, 200, 0.1, 0.1},
		{"4,000/s", 200, 4000, 0.1, 0.05},
		{"50,000/s", 2000, 50000, 0.1, 0.05},
		{"50,000/s, flat", 2000, 50000, 0.3, 0.05},
	} {
		t.Run(c.name, func(t *testing.T) {
			at := 0.6 * c.to
			var found, off []float64
			covered := 0
			r, ok := cell(t, within, c.name, "median ≤ 5 % off", runs, func(row *calibration.Row) {
				for seed := range uint64(runs) {
					rng := rand.New(rand.NewPCG(first+seed, 17))
					r := ramp(rng, c.from, c.to, func(_ int, load float64) float64 {
						return min(1, level*math.Exp((load-at)/(c.scale*c.to)))
					})
					got := stats.FindCrossing(pooled(r.Count, 4), pooled(r.Exposure, 4), level, 1)
					load := func(x float64) float64 { return c.from + (c.to-c.from)*min(x, 120)/120 }
					if load(got.Low) <= at && load(got.High) >= at {
						covered++
					}
					if !math.IsNaN(got.At) {
						found = append(found, load(got.At)/at-1)
						off = append(off, math.Abs(load(got.At)/at-1))
					}
				}
				slices.Sort(off)
				for _, x := range off {
					if row.N++; x <= 0.05 {
						row.K++
					}
				}
				row.Measured = fmt.Sprintf("median %+.1f %%, half within %.1f %%, nine in ten within %.1f %%", 100*stats.Median(found), 100*off[len(off)/2], 100*off[len(off)*9/10])
			})
			if !ok || len(found) == 0 {
				return // there is no time for it, or it is known
			}
			cell(t, holds, c.name, "≥ 93 %", runs, func(row *calibration.Row) { row.K, row.N = covered, runs })
			if len(found) < runs*9/10 {
				t.Fatalf("a crossing in %d of %d runs", len(found), runs)
			}
			bias := stats.Median(found)
			t.Log(r.Measured)
			if math.Abs(bias) > 0.05 || off[len(off)/2] > c.half {
				t.Errorf("the crossing is off by %+.1f %%, half of them by more than %.1f %%", 100*bias, 100*off[len(off)/2])
			}
			if covered < runs*93/100 {
				t.Errorf("the interval holds the crossing in %d of %d runs", covered, runs)
			}
		})
	}
	gridEnds(t, within)
}

func TestFindCrossing(t *testing.T) {
	of := func(n int, share func(i int) float64) (y, e []float64) {
		for i := range n {
			e = append(e, 1000)
			y = append(y, math.Round(1000*share(i)))
		}
		return y, e
	}
	step := func(i int) float64 {
		if i >= 60 {
			return 0.05
		}
		return 0
	}
	for _, c := range []struct {
		name       string
		share      func(i int) float64
		dispersion float64
		at         float64 // NaN: none
		low, high  float64 // at least, at most
	}{
		{"step", step, 1, 60, 57, 61},
		{"step in clusters", step, 20, 60, 0, 65},
		{"nothing failed", func(int) float64 { return 0 }, 1, math.NaN(), 96, math.Inf(1)},
		{"nothing failed, in clusters", func(int) float64 { return 0 }, 50, math.NaN(), 0, math.Inf(1)},
		{"from the start", func(int) float64 { return 0.02 }, 1, 0, 0, 0},
		{"at the level", func(int) float64 { return 0.001 }, 1, math.NaN(), 0, math.Inf(1)},
		{"a burst", func(i int) float64 {
			if i == 30 {
				return 0.02
			}
			return 0
		}, 1, math.NaN(), 0, math.Inf(1)},
	} {
		t.Run(c.name, func(t *testing.T) {
			y, e := of(100, c.share)
			got := stats.FindCrossing(y, e, 0.001, c.dispersion)
			if math.IsNaN(got.At) != math.IsNaN(c.at) || math.Abs(got.At-c.at) > 2 {
				t.Errorf("at %v, want %v", got.At, c.at)
			}
			if got.Low < c.low || got.High > c.high || got.At < got.Low || got.At > got.High {
				t.Errorf("from %v to %v, want within %v to %v", got.Low, got.High, c.low, c.high)
			}
		})
	}
	if got := stats.FindCrossing(nil, nil, 0.001, 1); !math.IsNaN(got.At) {
		t.Errorf("of nothing: %+v", got)
	}
}

// A share that is nought for long and then jumps in bursts passes the level where the bursts
// begin: that a law of growth fits bursts, as everything does, puts it nowhere before.
func TestCrossingOfBursts(t *testing.T) {
	bursts := map[int]float64{70: 122, 71: 1, 82: 145, 86: 109, 87: 34, 88: 2, 90: 113, 91: 32, 93: 43, 94: 97, 96: 7, 97: 133, 99: 92, 100: 53, 101: 87, 102: 58, 103: 263, 104: 320, 105: 330, 106: 340, 107: 350, 108: 359}
	var y, e []float64
	for i := range 109 {
		y, e = append(y, bursts[i]), append(e, 14+3.2*float64(i))
	}
	for _, dispersion := range []float64{1, 100, 400} {
		c := stats.FindCrossing(y, e, 0.001, dispersion)
		if c.At < 60 || c.At > 71 || c.Low > c.At || c.High < c.At {
			t.Errorf("dispersion %g: passes at %.1f (%g-%g), want about 70", dispersion, c.At, c.Low, c.High)
		}
	}
}
