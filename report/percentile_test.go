package report

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report/stats/calibration"
)

// A percentile holds for latencies that depend on each other: slow seconds, in which a part
// of the requests is slow.
func TestCalibratePercentiles(t *testing.T) {
	runs := calibrationRuns(60, 1000)
	for number, tt := range []struct {
		gate          string
		seconds, each int
		slow, part    float64 // share of slow seconds, and of requests that are slow in them
		wrong         string
	}{
		{"p99 < 100ms", 120, 50, 1, .01, GatePassed},
		{"p99 < 100ms", 120, 50, 1, .01, GateFailed},
		{"p99 < 100ms", 120, 50, .1, .1, GatePassed},
		{"p99 < 100ms", 120, 50, .1, .1, GateFailed},
		{"p99 < 100ms", 300, 50, .05, .2, GatePassed},
		{"p99 < 100ms", 300, 50, .05, .2, GateFailed},
		{"p95 < 100ms", 120, 50, .25, .2, GatePassed},
		{"p95 < 100ms", 120, 50, .25, .2, GateFailed},
	} {
		g, err := profiles.ParseGate(tt.gate)
		if err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprintf("%s at the limit, %g %% of seconds in which %g %% are slow, %d s at %d/s", tt.gate, 100*tt.slow, 100*tt.part, tt.seconds, 4*tt.each)
		r, ok := cell(t, "wrongly "+tt.wrong, name, "≤ 5 %", runs, func(r *calibration.Row) {
			for seed := range uint64(runs) {
				rng := rand.New(rand.NewPCG(seed, uint64(40+number)))
				slow := false
				s := seriesOfLatencies(4*tt.seconds, tt.each, func(i int) {
					if i%4 == 0 {
						slow = rng.Float64() < tt.slow
					}
				}, func() float64 {
					if slow && rng.Float64() < tt.part {
						return 0.2
					}
					return 0.005
				})
				r.N++
				if Judge([]profiles.Gate{g}, Judged{Series: s})[0].Result == tt.wrong {
					r.K++
				}
			}
		})
		if ok && beyond(r, 0.05) {
			t.Errorf("%s: %s in %d of %d runs", name, tt.wrong, r.K, r.N)
		}
	}
}

// The bounds of a percentile hold it, however latencies depend on each other.
func TestCalibratePercentileBounds(t *testing.T) {
	const what = "the bounds of a percentile hold it"
	runs := calibrationRuns(8, 300)
	exponential := func(rng *rand.Rand, mean float64) float64 { return mean * rng.ExpFloat64() }
	for number, tt := range []struct {
		gate, name    string
		seconds, each int
		// level draws how many times slower a second is than usual, after the one before.
		level func(rng *rand.Rand, before float64) float64
		least float64
	}{
		{"p99 < 1s", "independent", 60, 50, func(*rand.Rand, float64) float64 { return 1 }, 0.9},
		{"p99 < 1s", "independent", 120, 250, func(*rand.Rand, float64) float64 { return 1 }, 0.9},
		{"p99 < 1s", "tenfold in 5 % of seconds", 120, 50, seldom(0.05, 10), 0.9},
		{"p99 < 1s", "tenfold in 5 % of seconds", 300, 250, seldom(0.05, 10), 0.9},
		{"p99 < 1s", "threefold in 20 % of seconds", 120, 50, seldom(0.2, 3), 0.9},
		{"p95 < 1s", "threefold in 20 % of seconds", 120, 50, seldom(0.2, 3), 0.9},
		{"p50 < 1s", "threefold in 20 % of seconds", 120, 50, seldom(0.2, 3), 0.9},
		{"p99 < 1s", "wandering by a factor of 1.5, memory 3 s", 120, 50, wandering(0.4, 3), 0.9},
		{"p99 < 1s", "wandering by a factor of 1.5, memory 3 s", 600, 50, wandering(0.4, 3), 0.9},
		{"p99 < 1s", "wandering by a factor of 1.5, memory 10 s", 600, 50, wandering(0.4, 10), 0.85},
	} {
		g, err := profiles.ParseGate(tt.gate)
		if err != nil {
			t.Fatal(err)
		}
		truth := func() float64 { // of a very long run
			rng := rand.New(rand.NewPCG(1, uint64(number)))
			level := 1.0
			all := make([]float64, 0, 2_000_000)
			for len(all) < cap(all) {
				level = tt.level(rng, level)
				for range 4 {
					all = append(all, exponential(rng, 0.01*level))
				}
			}
			slices.Sort(all)
			return all[int(g.Percentile*float64(len(all)))]
		}()
		r, ok := cell(t, what, fmt.Sprintf("%s, latencies %s, %d s at %d/s", tt.gate[:3], tt.name, tt.seconds, 4*tt.each), fmt.Sprintf("≥ %.0f %%", 100*tt.least), runs, func(r *calibration.Row) {
			for seed := range uint64(runs) {
				rng := rand.New(rand.NewPCG(seed, uint64(900+number)))
				level := tt.level(rng, 1)
				s := seriesOfLatencies(4*tt.seconds, tt.each, func(i int) {
					if i%4 == 0 {
						level = tt.level(rng, level)
					}
				}, func() float64 { return exponential(rng, 0.01*level) })
				got := Judge([]profiles.Gate{g}, Judged{Series: s})[0]
				r.N++
				if (got.Low == nil || *got.Low <= truth) && (got.High == nil || *got.High >= truth) {
					r.K++
				}
			}
		})
		if ok && beyond(calibration.Row{K: r.N - r.K, N: r.N}, 1-tt.least) {
			t.Errorf("%s, %s: held in %d of %d runs", tt.gate, tt.name, r.K, r.N)
		}
	}
}

// seldom makes a share of all seconds slower by a factor.
func seldom(share, factor float64) func(*rand.Rand, float64) float64 {
	return func(rng *rand.Rand, _ float64) float64 {
		if rng.Float64() < share {
			return factor
		}
		return 1
	}
}

// wandering levels revert to the usual one with a memory in seconds; their logarithm has
// the standard deviation sd.
func wandering(sd, memory float64) func(*rand.Rand, float64) float64 {
	keep := math.Exp(-1 / memory)
	return func(rng *rand.Rand, before float64) float64 {
		return math.Exp(keep*math.Log(before) + sd*math.Sqrt(1-keep*keep)*rng.NormFloat64())
	}
}
