package stats_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/rampload/rampload/report/stats"
)

// flat is a series at one load.
func flat(windows int, trials float64) stats.Rates {
	r := stats.Rates{Step: 0.25, Count: make([]float64, windows), Exposure: make([]float64, windows), Load: make([]float64, windows)}
	for i := range windows {
		r.Exposure[i], r.Load[i] = trials, 4*trials
	}
	return r
}

func TestFourEventsSuffice(t *testing.T) {
	r := flat(180, 100)
	for i := 160; i < 180; i++ {
		r.Count[i] = 1
	}
	got := stats.FindRise(r, stats.RiseOptions{Alpha: 0.01})
	if got.Status != stats.Lasting {
		t.Fatalf("status = %v, want a rise: an event in each window after 40 s without any", got.Status)
	}
	if got.Alarm != 163 || math.Abs(got.Excess-4*math.Log(41)) > 0.01 {
		t.Errorf("alarm at %v with the excess %v, want it at 163, after four events: 4·ln 41", got.Alarm, got.Excess)
	}
}

func TestOneWindowIsNoRise(t *testing.T) {
	for _, at := range []int{0, 1, 80, 158, 159} {
		r := flat(160, 1000)
		r.Count[at] = 200
		if got := stats.FindRise(r, options); got.Status != stats.NoRise {
			t.Errorf("200 events in window %d: status %v", at, got.Status)
		}
	}
}

func TestRiseAtTheEnd(t *testing.T) {
	// The run was aborted 1.5 s after everything began to fail.
	r := flat(166, 50)
	for i := 160; i < 166; i++ {
		r.Count[i] = 45
	}
	got := stats.FindRise(r, options)
	if got.Status != stats.Lasting || got.At != 160 {
		t.Fatalf("got %v at %v, want a rise at 160", got.Status, got.At)
	}
	if len(got.Warnings) == 0 {
		t.Error("no warning that it could not be seen to last")
	}
	// The interval allows for failures that began to grow shortly before.
	if got.Low < 157 || got.High > 162 {
		t.Errorf("interval = [%v, %v]", got.Low, got.High)
	}
}

func TestFromStart(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, p := range []float64{0.02, 0.5, 1} {
		r := ramp(rng, 200, 4000, constant(p))
		if got := stats.FindRise(r, options); got.Status != stats.FromStart {
			t.Errorf("share %v from the start: %v", p, got.Status)
		}
	}
	// Already beyond its capacity at the first window, and failing ever more.
	r := ramp(rng, 200, 4000, func(_ int, load float64) float64 { return 1 - 150/load })
	if got := stats.FindRise(r, options); got.Status != stats.FromStart {
		t.Errorf("growing from the start: %v at %v", got.Status, got.At)
	}
	// A constant share, and a capacity reached later.
	r = ramp(rng, 200, 4000, func(i int, _ float64) float64 {
		if i >= 300 {
			return 0.4
		}
		return 0.01
	})
	if got := stats.FindRise(r, options); got.Status != stats.Lasting || math.Abs(got.At-300) > 2 {
		t.Errorf("a later rise on a constant share: %v at %v", got.Status, got.At)
	}
}

func TestEpisodeAndReturn(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	r := ramp(rng, 200, 4000, func(i int, _ float64) float64 {
		if i >= 200 && i < 216 {
			return 0.2
		}
		return 0
	})
	got := stats.FindRise(r, options)
	if got.Status != stats.Episode || math.Abs(got.At-200) > 1 || len(got.Episodes) != 1 {
		t.Errorf("one episode: %v at %v, %d episodes", got.Status, got.At, len(got.Episodes))
	}
	// An episode first, the onset later.
	r = ramp(rng, 200, 4000, func(i int, _ float64) float64 {
		switch {
		case i >= 100 && i < 116:
			return 0.2
		case i >= 350:
			return 0.1
		}
		return 0
	})
	got = stats.FindRise(r, options)
	if got.Status != stats.Lasting || math.Abs(got.At-350) > 1 || len(got.Episodes) != 1 {
		t.Errorf("episode and onset: %v at %v, %d episodes", got.Status, got.At, len(got.Episodes))
	}
	// A service that crashes whenever the load is above its limit.
	r = ramp(rng, 200, 4000, func(i int, _ float64) float64 {
		if i >= 300 && i%32 < 14 {
			return 0.9
		}
		return 0
	})
	got = stats.FindRise(r, options)
	if got.Status != stats.Lasting || got.At < 295 || got.At > 325 {
		t.Errorf("crash loop: %v at %v", got.Status, got.At)
	}
}

func TestRampDownIsNoEpisode(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	r := flat(480, 0)
	for i := range r.Load {
		load := 200 + 3800*float64(i)/240
		if i >= 240 {
			load = 4000 - 3800*float64(i-240)/240
		}
		r.Load[i], r.Exposure[i] = load, math.Round(load/4)
		r.Count[i] = min(r.Exposure[i], poisson(rng, r.Exposure[i]*max(0, 1-2500/load)))
	}
	got := stats.FindRise(r, options)
	truth := (2500.0 - 200) / 3800 * 240
	if got.Status != stats.Lasting || math.Abs(got.At-truth) > 4 {
		t.Errorf("got %v at %v, want a rise at %v", got.Status, got.At, truth)
	}
}

func TestRecurring(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	r := ramp(rng, 200, 4000, constant(0))
	for i := 20; i < 480; i += 40 {
		r.Count[i] = 12
	}
	got := stats.FindRise(r, options)
	if got.Status != stats.Recurring || math.Abs(got.Period-10) > 0.1 {
		t.Errorf("got %v with period %v, want recurring every 10 s", got.Status, got.Period)
	}
}

func TestMinDetectable(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	r := ramp(rng, 200, 4000, constant(0))
	p := stats.MinDetectable(r, stats.RiseOptions{Alpha: 0.01})
	if p <= 0 || p > 0.001 {
		t.Fatalf("MinDetectable = %v", p)
	}
	rare := stats.MinDetectable(ramp(rng, 5, 100, constant(0)), stats.RiseOptions{Alpha: 0.01})
	if rare < 5*p {
		t.Errorf("with a fortieth of the load %v, with all %v", rare, p)
	}
	if none := stats.MinDetectable(stats.Rates{Step: 0.25}, options); none != 1 {
		t.Errorf("without data = %v", none)
	}
}

func TestProfileLoad(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	var ramps []stats.Rates
	for range 3 {
		ramps = append(ramps, ramp(rng, 200, 4000, func(_ int, load float64) float64 {
			return 1e-4 + 0.05*max(0, 1-2600/load)
		}))
	}
	var grid []float64
	for load := 200.0; load <= 4000; load += 20 {
		grid = append(grid, load)
	}
	one, ok := stats.ProfileLoad(ramps[:1], grid)
	if !ok {
		t.Fatal("one ramp: nothing found")
	}
	all, ok := stats.ProfileLoad(ramps, grid)
	if !ok {
		t.Fatal("three ramps: nothing found")
	}
	if all.Low > 2600 || all.High < 2600 {
		t.Errorf("three ramps: %+v, want 2600 inside", all)
	}
	if all.High-all.Low >= one.High-one.Low {
		t.Errorf("three ramps give the width %v, one %v", all.High-all.Low, one.High-one.Low)
	}
	for i := range ramps {
		clear(ramps[i].Count)
	}
	if p, ok := stats.ProfileLoad(ramps, grid); ok {
		t.Errorf("without events: %+v", p)
	}
}

// FindRise never fails on odd input and leaves it alone.
func TestFindRiseProperties(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 13))
		n := rng.IntN(200)
		r := stats.Rates{Step: []float64{0.25, 1, 5}[rng.IntN(3)], Count: make([]float64, n), Exposure: make([]float64, n)}
		if rng.IntN(2) == 0 {
			r.Load = make([]float64, n)
		}
		for i := range n {
			if rng.IntN(4) > 0 {
				r.Exposure[i] = float64(rng.IntN(40))
			}
			if rng.IntN(3) == 0 {
				r.Count[i] = float64(rng.IntN(1 + int(r.Exposure[i])))
			}
			if r.Load != nil {
				r.Load[i] = float64(rng.IntN(100))
			}
		}
		before := append([]float64(nil), r.Count...)
		got := stats.FindRise(r, options)
		for i := range before {
			if before[i] != r.Count[i] {
				t.Fatalf("seed %d: the input changed", seed)
			}
		}
		if got.Status == stats.Lasting && !(got.Low <= got.At && got.At <= got.High && got.At >= 0 && got.At <= float64(n)) {
			t.Fatalf("seed %d: %+v", seed, got)
		}
		total := 0.0
		for _, c := range r.Count {
			total += c
		}
		if got.Before+got.After > total {
			t.Fatalf("seed %d: %v events, %v before and %v after", seed, total, got.Before, got.After)
		}
	}
}

func BenchmarkFindRise(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	r := ramp(rng, 200, 4000, func(_ int, load float64) float64 { return 1e-4 + 0.5*max(0, 1-2600/load) })
	for b.Loop() {
		stats.FindRise(r, options)
	}
}

// A rate that grows from nothing to nearly all within seconds is no cluster, although
// each second differs from the one before.
func TestSteepGrowthIsARise(t *testing.T) {
	r := stats.Rates{
		Step:     0.25,
		Exposure: []float64{23, 4, 3, 4, 4, 3, 4, 4, 3, 4, 3, 4, 4, 3, 4, 4, 3, 4, 4, 3, 4, 4, 4, 3, 4, 3, 4, 4, 4, 4, 3, 3, 4, 4, 3, 4, 3, 4, 4, 3, 4, 4, 3, 5, 3, 8, 68, 49, 74, 48, 74, 49, 120, 95, 95, 142, 95, 142, 119, 141, 211, 141, 142, 211, 0},
	}
	r.Count = append(make([]float64, 45), 2, 7, 8, 26, 20, 33, 26, 57, 91, 61, 96, 70, 112, 103, 109, 190, 135, 137, 197, 0)
	got := stats.FindRise(r, stats.RiseOptions{Alpha: 0.0025, Floor: 0.0005})
	if got.Status != stats.Lasting || got.At < 44 || got.At > 47 {
		t.Errorf("%v at %v, want a lasting rise at 45", got.Status, got.At)
	}
}
