package stats_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/rampload/rampload/report/stats"
	"github.com/rampload/rampload/report/stats/calibration"
)

// gridOptions are those of a run with one target and one fault class.
var gridOptions = stats.RiseOptions{Alpha: 0.005, Floor: 5e-4}

// A small share of failures that are counted up to 3 s late grows at the beginning of a run,
// and in no other way: that is no onset.
func TestNoGrowthByLateFailures(t *testing.T) {
	runs, base := seeds(40, 500)
	for _, shape := range shapes {
		k := 0
		for s := range uint64(runs) {
			r := quiet(shape.windows, shape.load)
			addClusters(rand.New(rand.NewPCG(base+s, 77)), &r, func(int) float64 { return 0.01 }, 1, 3)
			if _, found := stats.FindGrowth(r); found {
				k++
			}
		}
		if low, _ := stats.Wilson(float64(k), float64(runs), 0.99); low > 0.02 {
			t.Errorf("%s: a growth in %d of %d runs that have none", shape.name, k, runs)
		}
	}
}

// Failures whose probability never changes have no onset, however they come. Series are
// doubled, three times at most, until a cell is surely (95 %) within what is allowed.
func TestNoOnsetInClusters(t *testing.T) {
	const what, most = "lasting onset where there is none", 0.02
	runs, base := seeds(20, 400)
	full := runs > 20
	lasting := func(name, series string, number int, make func(rng *rand.Rand) stats.Rates) {
		r, ok := cell(t, what, name+", "+series, "≤ 2 %", runs, func(r *calibration.Row) {
			for s, enough := 0, runs; s < enough; s++ {
				r.N++
				if stats.FindRise(make(rand.New(rand.NewPCG(base+uint64(s), uint64(number)))), gridOptions).Status == stats.Lasting {
					r.K++
				}
				if _, high := stats.Wilson(float64(r.K), float64(r.N), 0.95); full && s+1 == enough && high > most && enough < 8*runs {
					enough *= 2
				}
			}
		})
		if ok && beyond(r, most) {
			t.Errorf("%s, %s: a lasting onset in %d of %d runs that have none", name, series, r.K, r.N)
		}
	}
	number := 0
	for _, shape := range shapes {
		for _, p := range []float64{1e-4, 1e-3, 1e-2} {
			for _, size := range []float64{1, 5, 20, 50, 200} {
				for _, seconds := range []float64{0, 0.5, 3} {
					number++
					if size == 1 && seconds > 0 || !full && number%3 != 0 {
						continue
					}
					lasting(shape.name, fmt.Sprintf("share %g in clusters of %g over %g s", p, size, seconds), number, func(rng *rand.Rand) stats.Rates {
						r := quiet(shape.windows, shape.load)
						addClusters(rng, &r, func(int) float64 { return p }, size, seconds)
						return r
					})
				}
			}
		}
		for _, s := range [][3]float64{{10, 1, .3}, {20, 1, .3}, {20, 3, .3}, {40, 3, .3}, {20, 3, .9}, {40, 6, .3}, {60, 6, .5}} {
			number++
			lasting(shape.name, fmt.Sprintf("every %g s a spell of %g s that fails %g", s[0], s[1], s[2]), number, func(rng *rand.Rand) stats.Rates {
				r := quiet(shape.windows, shape.load)
				addSpells(rng, &r, s[0], s[1], s[2])
				return r
			})
		}
	}
	gridEnds(t, what)
}

// BenchmarkLongHold shows that the time grows as the length does.
func BenchmarkLongHold(b *testing.B) {
	for _, hours := range []int{1, 4, 24} {
		r := quiet(hours*14400, func(int) float64 { return 500 })
		addClusters(rand.New(rand.NewPCG(1, 8)), &r, func(int) float64 { return 1e-3 }, 50, 2)
		b.Run(fmt.Sprintf("%dh", hours), func(b *testing.B) {
			for b.Loop() {
				stats.FindRise(r, gridOptions)
			}
		})
	}
}

// A long series takes no more than its share of time, whatever the failures do:
// steps of the scan are counted, not seconds.
func TestLongSeriesEnd(t *testing.T) {
	n := 24 * 14400
	for _, kind := range []string{"grows", "clusters", "spells"} {
		rng := rand.New(rand.NewPCG(1, 8))
		r := quiet(n, func(int) float64 { return 500 })
		switch kind {
		case "grows":
			for i := range n {
				r.Count[i] = poisson(rng, r.Exposure[i]*0.01*float64(i)/float64(n))
			}
		case "clusters":
			addClusters(rng, &r, func(int) float64 { return 1e-3 }, 50, 2)
		case "spells":
			addSpells(rng, &r, 60, 3, 0.3)
		}
		// The whole day; the test's own deadline is what ends a quadratic scan.
		got := stats.FindRise(r, gridOptions)
		if kind != "grows" && got.Status == stats.Lasting {
			t.Errorf("%s: a lasting onset at %v", kind, got.At)
		}
	}
}

// A step to what MinDetectable says that lasts for half of the run is found.
func TestMinDetectableIsFound(t *testing.T) {
	const what = "a step to the smallest share that is said to be found is found"
	runs, base := seeds(30, 300)
	for _, load := range []float64{20, 50, 200, 2000} {
		p := stats.MinDetectable(quiet(480, func(int) float64 { return load }), gridOptions)
		r, ok := cell(t, what, fmt.Sprintf("hold %g/s, 2 min, from 0 to %g %% for 60 s", load, 100*p), "≥ 80 %", runs, func(r *calibration.Row) {
			for s := range uint64(runs) {
				rng := rand.New(rand.NewPCG(base+s, 5))
				x := quiet(480, func(int) float64 { return load })
				for i := 240; i < 480; i++ {
					x.Count[i] = min(x.Exposure[i], poisson(rng, x.Exposure[i]*p))
				}
				r.N++
				if stats.FindRise(x, gridOptions).Status == stats.Lasting {
					r.K++
				}
			}
		})
		if ok && r.K < r.N*8/10 {
			t.Errorf("hold %g/s: a step to %g is found in %d of %d runs", load, p, r.K, r.N)
		}
	}
	gridEnds(t, what)
}

// A share that grows from nothing to 1 % is found, with the time or with the load, and so
// is a small step late in a long run.
func TestSlowGrowthIsFound(t *testing.T) {
	const what = "growth is found"
	runs, base := seeds(10, 60)
	for _, tt := range []struct {
		name     string
		minutes  int
		from, to float64                 // load
		share    func(x float64) float64 // x: the part of the time, or of the last load
		least    float64
	}{
		{"0 to 1 % in 5 min at 500/s", 5, 500, 500, linear(0.01), 0.95},
		{"0 to 1 % in 15 min at 500/s", 15, 500, 500, linear(0.01), 0.95},
		{"0 to 1 % in 60 min at 500/s", 60, 500, 500, linear(0.01), 0.95},
		{"0 to 1 % in 60 min at 50/s", 60, 50, 50, linear(0.01), 0.8},
		{"0 to 0.1 % at hour 12 of 24 at 50/s", 1440, 50, 50, func(x float64) float64 {
			if x >= 0.5 {
				return 0.001
			}
			return 0
		}, 0.9},
		{"with the load to 1 %, ramp 10-4,000/s, 1 min", 1, 10, 4000, linear(0.01), 0.9},
		{"with the load to 1 %, ramp 200-4,000/s, 2 min", 2, 200, 4000, linear(0.01), 0.9},
		{"with the load to 5 %, ramp 200-4,000/s, 4 min", 4, 200, 4000, linear(0.05), 0.9},
	} {
		r, ok := cell(t, what, tt.name, fmt.Sprintf("≥ %.0f %%", 100*tt.least), runs, func(r *calibration.Row) {
			for s := range uint64(runs) {
				rng := rand.New(rand.NewPCG(base+s, 31))
				n := tt.minutes * 240
				x := quiet(n, func(i int) float64 { return tt.from + (tt.to-tt.from)*(float64(i)+0.5)/float64(n) })
				for i := range x.Count {
					part := x.Load[i] / tt.to
					if tt.from == tt.to {
						part = float64(i) / float64(n)
					}
					x.Count[i] = min(x.Exposure[i], poisson(rng, x.Exposure[i]*tt.share(part)))
				}
				r.N++
				if stats.FindRise(x, gridOptions).Status == stats.Lasting {
					r.K++
				}
			}
		})
		if ok && below(r, tt.least) {
			t.Errorf("%s: found in %d of %d runs", tt.name, r.K, r.N)
		}
	}
	gridEnds(t, what)
}

func linear(end float64) func(float64) float64 { return func(x float64) float64 { return end * x } }
