package schedule_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/rampload/rampload/attack/schedule"
)

// Counts never stray from the shares by more than a few requests, over every
// stretch, and no target waits much longer than its share says.
func TestMixIsSmooth(t *testing.T) {
	tests := []struct {
		name    string
		shares  []float64
		weights [][]float64
	}{
		{"one", []float64{1}, [][]float64{{1}}},
		{"halves", []float64{0.5, 0.5}, [][]float64{{1}, {1}}},
		{"issue example", []float64{0.7, 0.3}, [][]float64{{1, 2}, {5}}},
		{"rare", []float64{0.999, 0.001}, [][]float64{{1}, {1}}},
		{"many", []float64{1, 2, 3, 4, 5, 6, 7}, [][]float64{{1}, {1, 1, 1}, {2, 3}, {1}, {9, 1}, {1}, {3, 3, 3}}},
		{"zero weight", []float64{0.5, 0, 0.5}, [][]float64{{1, 0}, {1}, {0, 3}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, err := schedule.NewMix(tt.shares, tt.weights)
			if err != nil {
				t.Fatal(err)
			}
			total := 0.0
			for _, s := range tt.shares {
				total += s
			}
			targets := make([]float64, len(tt.shares))
			endpoints := make([][]float64, len(tt.shares))
			seen := make([]uint64, len(tt.shares))
			for i, w := range tt.weights {
				endpoints[i] = make([]float64, len(w))
			}
			const n = 300_000
			for k := range uint64(n) {
				target, endpoint := m.Pick(k)
				targets[target]++
				endpoints[target][endpoint]++
				share := tt.shares[target] / total
				if gap := float64(k - seen[target]); seen[target] > 0 && gap > 3/share+1 {
					t.Fatalf("target %d with share %.3f waited for %v requests", target, share, gap)
				}
				seen[target] = k
				for i, s := range tt.shares {
					if stray := math.Abs(targets[i] - s/total*float64(k+1)); stray > 5 {
						t.Fatalf("after %d requests target %d strays by %.1f", k+1, i, stray)
					}
				}
			}
			for i, w := range tt.weights {
				sum := 0.0
				for _, x := range w {
					sum += x
				}
				for e, x := range w {
					want := tt.shares[i] / total * x / sum * n
					if math.Abs(endpoints[i][e]-want) > 6 {
						t.Errorf("endpoint %d of target %d got %v, want %.1f", e, i, endpoints[i][e], want)
					}
				}
			}
		})
	}
}

func TestMixOfManyEndpoints(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	weights := make([]float64, 5000) // a file of targets
	for i := range weights {
		weights[i] = 0.01 + r.Float64()
	}
	m, err := schedule.NewMix([]float64{1}, [][]float64{weights})
	if err != nil {
		t.Fatal(err)
	}
	seen := make([]bool, len(weights))
	for k := range uint64(2_000_000) {
		_, e := m.Pick(k)
		seen[e] = true
	}
	for e, ok := range seen {
		if !ok {
			t.Fatalf("endpoint %d was never picked", e)
		}
	}
}

func TestImpossibleMix(t *testing.T) {
	for name, in := range map[string]struct {
		shares  []float64
		weights [][]float64
	}{
		"nothing":       {nil, nil},
		"uneven":        {[]float64{1}, nil},
		"no requests":   {[]float64{1}, [][]float64{{}}},
		"no share":      {[]float64{0}, [][]float64{{1}}},
		"negative":      {[]float64{-1}, [][]float64{{1}}},
		"not a number":  {[]float64{math.NaN()}, [][]float64{{1}}},
		"weight is not": {[]float64{1}, [][]float64{{math.NaN()}}},
		"endless":       {[]float64{math.Inf(1)}, [][]float64{{1}}},
	} {
		if _, err := schedule.NewMix(in.shares, in.weights); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func BenchmarkPick(b *testing.B) {
	m, err := schedule.NewMix([]float64{0.7, 0.3}, [][]float64{{1, 2}, {1}})
	if err != nil {
		b.Fatal(err)
	}
	n := uint64(0)
	for b.Loop() {
		m.Pick(n)
		n++
	}
}
