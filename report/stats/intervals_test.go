package stats_test

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/rampload/rampload/report/stats"
	"github.com/rampload/rampload/report/stats/calibration"
)

// The interval of an onset holds the window from which on requests fail, whatever way
// their share grows from there and however many fail together.
func TestIntervalsHoldTheOnset(t *testing.T) {
	const what = "the interval of an onset holds it"
	n, base := seeds(6, 150)
	like := map[string][2]int{} // held and found, by what the run looks like
	says := map[string]float64{}
	all := true
	for k, growth := range []struct {
		name  string
		share func(x float64) float64 // x: load over that of the onset
	}{
		{"a step to 5 %", func(x float64) float64 { return 0.05 * after(x) }},
		{"a step to 1 %", func(x float64) float64 { return 0.01 * after(x) }},
		{"with the load, 5 % at twice the onset's", func(x float64) float64 { return 0.05 * max(0, x-1) }},
		{"all above the onset's load", func(x float64) float64 { return max(0, 1-1/x) }},
		{"with the square of the load beyond it", func(x float64) float64 { return min(1, math.Pow(max(0, x-1), 2)) }},
		{"e times as many per 10 % of load", func(x float64) float64 { return min(1, 5e-4*math.Exp((x-1)/0.1)) }},
		{"e times as many per 30 % of load", func(x float64) float64 { return min(1, 5e-4*math.Exp((x-1)/0.3)) }},
	} {
		for j, series := range []struct {
			from, to, size float64 // requests a second; mean size of clusters, over a second
		}{{20, 120, 1}, {200, 4000, 1}, {2000, 50000, 1}, {200, 4000, 5}, {200, 4000, 20}, {200, 4000, 50}, {200, 4000, 100}, {2000, 50000, 50}} {
			name := fmt.Sprintf("%s, ramp %.0f-%.0f/s, clusters of %.0f", growth.name, series.from, series.to, series.size)
			r, ok := cell(t, what, name, "≥ 93 %", n, func(r *calibration.Row) {
				r.Parts = map[string][2]int{}
				for s := range uint64(n) {
					rng := rand.New(rand.NewPCG(base+s, uint64(700+10*k+j)))
					const windows = 480
					load := func(i int) float64 {
						return series.from + (series.to-series.from)*(float64(i)+0.5)/windows
					}
					x := quiet(windows, load)
					at := 160 + rng.IntN(180)
					addClusters(rng, &x, func(i int) float64 { return growth.share(load(i) / load(at)) }, series.size, 1)
					got := stats.FindRise(x, gridOptions)
					if got.Status != stats.Lasting {
						continue
					}
					held := 0
					if got.Low <= float64(at)+0.5 && got.High >= float64(at)-0.5 {
						held = 1
					}
					part := r.Parts[looksLike(got)]
					r.Parts[looksLike(got)] = [2]int{part[0] + held, part[1] + 1}
					r.K, r.N = r.K+held, r.N+1
				}
			})
			all = all && ok
			if ok && r.N >= 30 && below(r, 0.93) {
				t.Errorf("%s: held in %d of %d", name, r.K, r.N)
			}
			for looks, p := range r.Parts {
				like[looks] = [2]int{like[looks][0] + p[0], like[looks][1] + p[1]}
			}
		}
	}
	for _, hinge := range []bool{false, true} {
		for _, clusters := range []float64{1, 5, 20, 100} {
			of := stats.Rise{Status: stats.Lasting, Hinge: hinge, Clusters: clusters}
			says[looksLike(of)] = of.Coverage()
		}
	}
	// What is printed of a run is what runs that look like it have.
	for _, looks := range slices.Sorted(maps.Keys(like)) {
		if !all {
			break
		}
		r, ok := cell(t, what, looks, fmt.Sprintf("%.0f %%, as is printed", 100*says[looks]), like[looks][1], func(r *calibration.Row) {
			r.K, r.N = like[looks][0], like[looks][1]
		})
		chance := 3*math.Sqrt(0.25/float64(r.N)) + 0.03
		if share := float64(r.K) / float64(r.N); ok && math.Abs(share-says[looks]) > chance {
			t.Errorf("%s: in %d of %d, and %.2f is printed", looks, r.K, r.N, says[looks])
		}
	}
	gridEnds(t, what)
}

// looksLike says what is known of a rise whose interval is told.
func looksLike(r stats.Rise) string {
	shape := "a jump"
	if r.Hinge {
		shape = "a growth"
	}
	return fmt.Sprintf("looks like %s, in clusters of %s", shape, clusterNames[stats.ClusterClass(r.Clusters)])
}

var clusterNames = [...]string{"1", "2 to 10", "10 to 50", "more than 50"}

func after(x float64) float64 {
	if x >= 1 {
		return 1
	}
	return 0
}
