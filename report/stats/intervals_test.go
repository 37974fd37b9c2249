package stats_test

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/rampload/rampload/report/stats"
)

// The interval of an onset holds the window from which on requests fail, whatever way
// their share grows from there and however many fail together.
func TestIntervalsHoldTheOnset(t *testing.T) {
	n, base := seeds(6, 150)
	like := map[string]*struct {
		held, found int
		says        float64
	}{}
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
			found, held := 0, 0
			for s := range uint64(n) {
				rng := rand.New(rand.NewPCG(base+s, uint64(700+10*k+j)))
				const windows = 480
				load := func(i int) float64 {
					return series.from + (series.to-series.from)*(float64(i)+0.5)/windows
				}
				r := quiet(windows, load)
				at := 160 + rng.IntN(180)
				addClusters(rng, &r, func(i int) float64 { return growth.share(load(i) / load(at)) }, series.size, 1)
				got := stats.FindRise(r, gridOptions)
				if got.Status != stats.Lasting {
					continue
				}
				looks := fmt.Sprintf("looks like a jump, in clusters of %s", clusterNames[stats.ClusterClass(got.Clusters)])
				if got.Hinge {
					looks = strings.Replace(looks, "a jump", "a growth", 1)
				}
				l := like[looks]
				if l == nil {
					l = &struct {
						held, found int
						says        float64
					}{says: got.Coverage()}
					like[looks] = l
				}
				found++
				l.found++
				if got.Low <= float64(at)+0.5 && got.High >= float64(at)-0.5 {
					held++
					l.held++
				}
			}
			if found < n/2 {
				continue // most are not found at all
			}
			name := fmt.Sprintf("%s, ramp %.0f-%.0f/s, clusters of %.0f", growth.name, series.from, series.to, series.size)
			cell(t, "the interval of an onset holds it", name, held, found, "≥ 93 %")
		}
	}
	// What is printed of a run is what runs that look like it have.
	for _, looks := range slices.Sorted(maps.Keys(like)) {
		l := like[looks]
		cell(t, "the interval of an onset holds it", looks, l.held, l.found, fmt.Sprintf("%.0f %%, as is printed", 100*l.says))
		chance := 3*math.Sqrt(0.25/float64(l.found)) + 0.03
		if share := float64(l.held) / float64(l.found); math.Abs(share-l.says) > chance {
			t.Errorf("%s: in %d of %d, and %.2f is printed", looks, l.held, l.found, l.says)
		}
	}
}

var clusterNames = [...]string{"1", "2 to 10", "10 to 50", "more than 50"}

func after(x float64) float64 {
	if x >= 1 {
		return 1
	}
	return 0
}
