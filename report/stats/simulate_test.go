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

var options = stats.RiseOptions{Alpha: 0.01, Floor: 5e-4}

// clean are series without an onset.
var clean = []struct {
	name string
	most float64 // false onsets per series that the design measured
	make func(rng *rand.Rand) stats.Rates
}{
	{"poisson 1e-5", 0, func(rng *rand.Rand) stats.Rates { return ramp(rng, 200, 4000, constant(1e-5)) }},
	{"poisson 1e-4", 0, func(rng *rand.Rand) stats.Rates { return ramp(rng, 200, 4000, constant(1e-4)) }},
	{"poisson 1e-3", 0, func(rng *rand.Rand) stats.Rates { return ramp(rng, 200, 4000, constant(1e-3)) }},
	{"clustered 1e-4", 0, func(rng *rand.Rand) stats.Rates { return clustered(rng, 1e-4) }},
	{"clustered 1e-3", 0.002, func(rng *rand.Rand) stats.Rates { return clustered(rng, 1e-3) }},
	{"one burst", 0, func(rng *rand.Rand) stats.Rates {
		r := ramp(rng, 200, 4000, constant(1e-5))
		burst(rng, &r, 20+rng.IntN(181), rng.IntN(480))
		return r
	}},
	{"first window", 0, func(rng *rand.Rand) stats.Rates {
		r := ramp(rng, 200, 4000, constant(0))
		r.Count[0] = math.Round(r.Exposure[0] * rng.Float64())
		r.Count[1] = math.Round(r.Exposure[1] * rng.Float64() / 2)
		return r
	}},
	{"periodic", 0, func(rng *rand.Rand) stats.Rates {
		r := ramp(rng, 200, 4000, constant(1e-5))
		period := 20 + rng.IntN(60)
		for i := rng.IntN(period); i < len(r.Count); i += period {
			burst(rng, &r, 10+rng.IntN(40), i)
		}
		return r
	}},
	{"wandering 1e-4", 0.006, func(rng *rand.Rand) stats.Rates { return wandering(rng, 1e-4) }},
	{"wandering 1e-3", 0.086, func(rng *rand.Rand) stats.Rates { return wandering(rng, 1e-3) }},
	{"episode of 4 s", 0, func(rng *rand.Rand) stats.Rates {
		at := 100 + rng.IntN(300)
		return ramp(rng, 200, 4000, func(i int, _ float64) float64 {
			if i >= at && i < at+16 {
				return 0.05
			}
			return 1e-5
		})
	}},
	{"rare requests", 0, func(rng *rand.Rand) stats.Rates { return ramp(rng, 2, 40, constant(1e-3)) }},
}

// burst adds events to a window and the two after it.
func burst(rng *rand.Rand, r *stats.Rates, events, at int) {
	for range events {
		i := min(len(r.Count)-1, at+rng.IntN(2))
		r.Count[i] = min(r.Exposure[i], r.Count[i]+1)
	}
}

// clustered events come in groups of a geometric size of mean 5, within a second.
func clustered(rng *rand.Rand, p float64) stats.Rates {
	r := ramp(rng, 200, 4000, constant(0))
	for i := range r.Count {
		for range int(poisson(rng, r.Exposure[i]*p/5)) {
			for size := 1.0; ; size++ {
				j := min(len(r.Count)-1, i+rng.IntN(4))
				r.Count[j] = min(r.Exposure[j], r.Count[j]+1)
				if rng.Float64() < 0.2 {
					break
				}
			}
		}
	}
	return r
}

// wandering rates follow a mean-reverting logarithm with a standard deviation of
// 0.5 and a memory of 10 s.
func wandering(rng *rand.Rand, p float64) stats.Rates {
	level := 0.5 * rng.NormFloat64()
	keep := math.Exp(-0.25 / 10)
	return ramp(rng, 200, 4000, func(int, float64) float64 {
		level = keep*level + 0.5*math.Sqrt(1-keep*keep)*rng.NormFloat64()
		return p * math.Exp(level-0.125)
	})
}

// rises are series with an onset at a random window: excess gives the share of
// faults beyond the background.
var rises = []struct {
	name     string
	from, to float64
	detected float64 // at least this share
	median   float64 // of the error in windows, at most
	p90      float64
	excess   func(at int, onset float64) func(int, float64) float64
}{
	{"step +1 %", 200, 4000, 1, 1, 2, step(0.01)},
	{"step +0.3 %", 200, 4000, 0.97, 2, 6, step(0.003)},
	{"step to 60 %", 200, 4000, 1, 1, 1, step(0.6)},
	{"hinge, all of the excess", 200, 4000, 1, 1, 2, hinge(1, 0)},
	{"hinge, a tenth of the excess", 200, 4000, 1, 1, 4, hinge(0.1, 0)},
	{"hinge behind a reserve of 2 s", 200, 4000, 1, 1, 3, hinge(1, 8)},
	{"few before many", 200, 4000, 1, 1, 9, fewBefore},
	{"rare requests, step 1 %", 20, 400, 0.9, 6, 40, step(0.01)},
	{"rare requests, hinge", 20, 400, 1, 6, 20, hinge(0.1, 0)},
}

func step(by float64) func(int, float64) func(int, float64) float64 {
	return func(at int, _ float64) func(int, float64) float64 {
		return func(i int, _ float64) float64 {
			if i >= at {
				return by
			}
			return 0
		}
	}
}

// hinge fails the share beta of what is beyond the load of the onset, from some
// windows after it on.
func hinge(beta float64, reserve int) func(int, float64) func(int, float64) float64 {
	return func(at int, onset float64) func(int, float64) float64 {
		return func(i int, load float64) float64 {
			if i < at+reserve {
				return 0
			}
			return min(1, beta*max(0, 1-onset/load))
		}
	}
}

// fewBefore fails one request in five hundred for 3 s, and then many.
func fewBefore(at int, onset float64) func(int, float64) float64 {
	return func(i int, load float64) float64 {
		switch {
		case i >= at+12:
			return 0.02 + max(0, 1-onset/load)
		case i >= at:
			return 0.002
		}
		return 0
	}
}

type errorsOf struct {
	found, covered, coveredRate, runs int
	abs                               []float64 // from the first event of the rise
	rate                              []float64 // from where the rate begins to rise
	width                             []float64
	delay                             []float64
}

func measure(c int, seeds int, base uint64) errorsOf {
	out := errorsOf{runs: seeds}
	for seed := range seeds {
		rng := rand.New(rand.NewPCG(base+uint64(seed), uint64(c)))
		p0 := []float64{0, 1e-5, 1e-4}[rng.IntN(3)]
		at := 120 + rng.IntN(240)
		onset := rises[c].from + (rises[c].to-rises[c].from)*(float64(at)+0.5)/480
		r := ramp(rng, rises[c].from, rises[c].to, rises[c].excess(at, onset))
		first := slices.IndexFunc(r.Count, func(n float64) bool { return n > 0 })
		for i, n := range ramp(rng, rises[c].from, rises[c].to, constant(p0)).Count {
			r.Count[i] = min(r.Exposure[i], r.Count[i]+n)
		}
		if rng.IntN(2) == 0 {
			burst(rng, &r, 20+rng.IntN(60), 10+rng.IntN(at-20))
		}
		got := stats.FindRise(r, options)
		if got.Status != stats.Lasting {
			continue
		}
		out.found++
		out.abs = append(out.abs, math.Abs(math.Floor(got.At)-float64(first)))
		out.rate = append(out.rate, math.Abs(got.At-float64(at)))
		out.width = append(out.width, got.High-got.Low)
		out.delay = append(out.delay, float64(got.Alarm+1-at))
		if got.Low <= float64(first) && float64(first) <= got.High {
			out.covered++
		}
		if got.Low <= float64(at) && float64(at) <= got.High {
			out.coveredRate++
		}
	}
	for _, v := range [][]float64{out.abs, out.rate, out.width, out.delay} {
		slices.Sort(v)
	}
	return out
}

func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	return sorted[int(q*float64(len(sorted)-1))]
}

func TestFalseRises(t *testing.T) {
	const what = "lasting onset where there is none, other series"
	seeds, base := seeds(40, 1000)
	for c, series := range clean {
		most := max(series.most, 0.01)
		r, ok := cell(t, what, series.name, fmt.Sprintf("≤ %.1f %%", 100*most), seeds, func(r *calibration.Row) {
			for seed := range seeds {
				x := series.make(rand.New(rand.NewPCG(base+uint64(seed), uint64(c))))
				r.N++
				if stats.FindRise(x, options).Status == stats.Lasting {
					r.K++
				}
			}
		})
		if low, _ := stats.Wilson(float64(r.K), float64(r.N), 0.95); ok && low > most {
			t.Errorf("%s: %d false onsets in %d series, want at most a share of %v", series.name, r.K, r.N, series.most)
		}
	}
	gridEnds(t, what)
}

func TestRiseError(t *testing.T) {
	const power, holds = "a rise of independent failures is found", "its interval holds its first failure"
	seeds, base := seeds(30, 500)
	for c, rise := range rises {
		var e errorsOf
		_, ok := cell(t, power, rise.name, fmt.Sprintf("≥ %.0f %%", 100*rise.detected), seeds, func(r *calibration.Row) {
			e = measure(c, seeds, base)
			r.K, r.N = e.found, seeds
		})
		if !ok || e.runs == 0 {
			continue // there is no time for it, or it is known
		}
		cell(t, holds, rise.name, "≥ 93 %", seeds, func(r *calibration.Row) { r.K, r.N = e.covered, e.found })
		share := float64(e.found) / float64(seeds)
		coverage := float64(e.covered) / float64(max(1, e.found))
		t.Logf("%-30s found %.2f, |error| from the first event median %.1f p90 %.1f windows, from the rate %.1f and %.1f, coverage %.2f and %.2f, width %.0f, alarm after %.0f (p90 %.0f)",
			rise.name, share, quantile(e.abs, 0.5), quantile(e.abs, 0.9), quantile(e.rate, 0.5), quantile(e.rate, 0.9),
			coverage, float64(e.coveredRate)/float64(max(1, e.found)),
			quantile(e.width, 0.5), quantile(e.delay, 0.5), quantile(e.delay, 0.9))
		if _, high := stats.Wilson(float64(e.found), float64(seeds), 0.95); high < rise.detected {
			t.Errorf("%s: found %.2f, want %.2f", rise.name, share, rise.detected)
		}
		if m := quantile(e.abs, 0.5); !(m <= rise.median) {
			t.Errorf("%s: median error %v windows, want at most %v", rise.name, m, rise.median)
		}
		if p := quantile(e.abs, 0.9); seeds > 30 && p > rise.p90 {
			t.Errorf("%s: p90 error %v windows, want at most %v", rise.name, p, rise.p90)
		}
		if coverage < 0.9 {
			t.Errorf("%s: the interval holds the truth in %.2f of the series", rise.name, coverage)
		}
	}
	gridEnds(t, power)
}
