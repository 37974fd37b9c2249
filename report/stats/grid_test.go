package stats_test

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/rampload/rampload/report/stats"
)

// table names a file that the full grid appends its rows to (make calibrate).
var table = flag.String("table", "", "append the calibration's rows in Markdown to this file")

// gridOptions are those of a run with one target and one fault class.
var gridOptions = stats.RiseOptions{Alpha: 0.005, Floor: 5e-4}

// cell is one line of the calibration table.
func cell(t *testing.T, what, series string, k, n int, wanted string) {
	t.Helper()
	low, high := stats.Wilson(float64(k), float64(n), 0.95)
	t.Logf("%s; %s: %.3f (%.3f-%.3f), wanted %s", what, series, float64(k)/float64(n), low, high, wanted)
	if *table == "" {
		return
	}
	f, err := os.OpenFile(*table, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fmt.Fprintf(f, "| %s | %s | %.1f %% (%.1f-%.1f of %d) | %s |\n", what, series, 100*float64(k)/float64(n), 100*low, 100*high, n, wanted)
}

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

// Failures whose probability never changes have no onset, however they come.
func TestNoOnsetInClusters(t *testing.T) {
	runs, base := seeds(20, 500)
	full := runs > 20
	lasting := func(name, series string, number int, make func(rng *rand.Rand) stats.Rates) {
		k := 0
		for s := range uint64(runs) {
			if stats.FindRise(make(rand.New(rand.NewPCG(base+s, uint64(number)))), gridOptions).Status == stats.Lasting {
				k++
			}
		}
		if full {
			cell(t, "lasting onset where there is none", name+", "+series, k, runs, "≤ 2 %")
		}
		if low, _ := stats.Wilson(float64(k), float64(runs), 0.99); low > 0.02 {
			t.Errorf("%s, %s: a lasting onset in %d of %d runs that have none", name, series, k, runs)
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
	runs, base := seeds(30, 300)
	for _, load := range []float64{20, 50, 200, 2000} {
		clean := quiet(480, func(int) float64 { return load })
		p := stats.MinDetectable(clean, gridOptions)
		found := 0
		for s := range uint64(runs) {
			rng := rand.New(rand.NewPCG(base+s, 5))
			r := quiet(480, func(int) float64 { return load })
			for i := 240; i < 480; i++ {
				r.Count[i] = min(r.Exposure[i], poisson(rng, r.Exposure[i]*p))
			}
			if stats.FindRise(r, gridOptions).Status == stats.Lasting {
				found++
			}
		}
		if runs > 30 {
			cell(t, "a step to the smallest share that is said to be found is found", fmt.Sprintf("hold %g/s, 2 min, from 0 to %g %% for 60 s", load, 100*p), found, runs, "≥ 80 %")
		}
		if found < runs*8/10 {
			t.Errorf("hold %g/s: a step to %g is found in %d of %d runs", load, p, found, runs)
		}
	}
}

// A share that grows from nothing to 1 % is found, with the time or with the load, and so
// is a small step late in a long run.
func TestSlowGrowthIsFound(t *testing.T) {
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
		found := 0
		for s := range uint64(runs) {
			rng := rand.New(rand.NewPCG(base+s, 31))
			n := tt.minutes * 240
			r := quiet(n, func(i int) float64 { return tt.from + (tt.to-tt.from)*(float64(i)+0.5)/float64(n) })
			for i := range r.Count {
				x := r.Load[i] / tt.to
				if tt.from == tt.to {
					x = float64(i) / float64(n)
				}
				r.Count[i] = min(r.Exposure[i], poisson(rng, r.Exposure[i]*tt.share(x)))
			}
			if stats.FindRise(r, gridOptions).Status == stats.Lasting {
				found++
			}
		}
		if runs > 10 {
			cell(t, "growth is found", tt.name, found, runs, fmt.Sprintf("≥ %.0f %%", 100*tt.least))
		}
		if _, high := stats.Wilson(float64(found), float64(runs), 0.99); high < tt.least {
			t.Errorf("%s: found in %d of %d runs", tt.name, found, runs)
		}
	}
}

func linear(end float64) func(float64) float64 { return func(x float64) float64 { return end * x } }
