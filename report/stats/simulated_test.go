package stats_test

import (
	"math"
	"math/rand/v2"

	"github.com/rampload/rampload/report/stats"
)

// shapes are loads without failures.
var shapes = []struct {
	name    string
	windows int
	load    func(i int) float64
}{
	{"ramp 200-4,000/s, 2 min", 480, func(i int) float64 { return 200 + 3800*(float64(i)+0.5)/480 }},
	{"staircase 500-4,000/s, 2 min", 480, func(i int) float64 { return 500 * float64(1+i/60) }},
	{"hold 2,000/s, 10 min", 2400, func(int) float64 { return 2000 }},
}

func quiet(windows int, load func(i int) float64) stats.Rates {
	r := stats.Rates{Step: 0.25, Count: make([]float64, windows), Exposure: make([]float64, windows), Load: make([]float64, windows)}
	rest := 0.0
	for i := range windows {
		r.Load[i] = load(i)
		rest += r.Load[i] * r.Step
		r.Exposure[i] = math.Floor(rest)
		rest -= r.Exposure[i]
	}
	return r
}

// fail makes one more request of a window fail.
func fail(r *stats.Rates, i int) {
	i = min(i, len(r.Count)-1)
	r.Count[i] = min(r.Exposure[i], r.Count[i]+1)
}

// geometric draws the size of a cluster with a mean.
func geometric(rng *rand.Rand, mean float64) int {
	if mean <= 1 {
		return 1
	}
	return int(math.Ceil(math.Log1p(-rng.Float64()) / math.Log1p(-1/mean)))
}

// addClusters makes requests fail in clusters, each spread over so many seconds:
// share gives the part of the requests of a window that begin to fail in it.
func addClusters(rng *rand.Rand, r *stats.Rates, share func(i int) float64, size, seconds float64) {
	spread := max(1, int(seconds/r.Step))
	for i := range r.Count {
		for range int(poisson(rng, r.Exposure[i]*share(i)/size)) {
			for range geometric(rng, size) {
				fail(r, i+rng.IntN(spread))
			}
		}
	}
}

// addSpells makes a share of all requests fail now and then for a while. Spells and
// the times between them are memoryless.
func addSpells(rng *rand.Rand, r *stats.Rates, every, mean, share float64) {
	for at := every * rng.ExpFloat64(); int(at/r.Step) < len(r.Count); {
		lasts := mean * rng.ExpFloat64()
		for i := int(at / r.Step); i <= int((at+lasts)/r.Step) && i < len(r.Count); i++ {
			r.Count[i] = max(r.Count[i], min(r.Exposure[i], poisson(rng, r.Exposure[i]*share)))
		}
		at += lasts + every*rng.ExpFloat64()
	}
}

// poisson draws from a Poisson distribution.
func poisson(rng *rand.Rand, mean float64) float64 {
	if mean > 500 {
		return max(0, math.Round(mean+math.Sqrt(mean)*rng.NormFloat64()))
	}
	limit, k, p := math.Exp(-mean), 0.0, 1.0
	for {
		if p *= rng.Float64(); p <= limit {
			return k
		}
		k++
	}
}

// ramp is 120 s from one load to another in windows of 250 ms, with events at
// the share that p gives for a window and its load.
func ramp(rng *rand.Rand, from, to float64, p func(i int, load float64) float64) stats.Rates {
	const n = 480
	r := stats.Rates{Step: 0.25, Count: make([]float64, n), Exposure: make([]float64, n), Load: make([]float64, n)}
	for i := range n {
		r.Load[i] = from + (to-from)*(float64(i)+0.5)/n
		r.Exposure[i] = math.Round(r.Load[i] * r.Step)
		r.Count[i] = min(r.Exposure[i], poisson(rng, r.Exposure[i]*p(i, r.Load[i])))
	}
	return r
}

func constant(p float64) func(int, float64) float64 {
	return func(int, float64) float64 { return p }
}
