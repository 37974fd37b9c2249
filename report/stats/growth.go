package stats

import (
	"math"
	"math/rand/v2"
)

const (
	growthBlock   = 16.0 // seconds of a block at least: longer than what fails together
	growthBlocks  = 64   // at most
	growthFew     = 12   // at least
	growthEvents  = 30   // fewer say nothing of a trend
	growthShuffle = 399
	growthChance  = 0.005
)

// Growth is a rate that rises slowly.
type Growth struct {
	From      float64 // window in which the fitted rate leaves its lowest level
	Low, High float64 // from the first window to the one at which the fit passes the mean
	P         float64 // chance of as much growth among blocks in any other order
}

// FindGrowth finds a rate that grows over a series by small degrees, so that it never
// stands out against all that came before: non-decreasing rates (isotonic regression,
// see [PAVA]) against a constant one, over blocks of 16 s and more that are permuted as
// wholes, so that failures which come together stay together. It takes time in
// proportion to the length of the series. The order is shuffled with a fixed seed.
func FindGrowth(r Rates) (Growth, bool) {
	r, _ = r.atOwnPace()
	n := r.end()
	size := max(r.windows(growthBlock), (n+growthBlocks-1)/growthBlocks)
	var y, e, rate []float64
	var starts []int
	total := 0.0
	for from := 0; from+size <= n; from += size {
		var ys, es float64
		for i := from; i < from+size; i++ {
			ys, es = ys+r.Count[i], es+r.Exposure[i]
		}
		if es > 0 {
			y, e, rate = append(y, ys), append(e, es), append(rate, ys/es)
			starts = append(starts, from)
			total += ys
		}
	}
	if len(y) < growthFew || total < growthEvents {
		return Growth{}, false
	}
	seen, fit := growthOf(rate, e)
	if last := len(fit) - 1; !(fit[last] > 2*fit[0]) {
		return Growth{}, false
	}
	rng := rand.New(rand.NewPCG(1, 2))
	as := 0
	for range growthShuffle {
		rng.Shuffle(len(y), func(i, j int) { rate[i], rate[j], e[i], e[j] = rate[j], rate[i], e[j], e[i] })
		if other, _ := growthOf(rate, e); other >= seen {
			as++
		}
		if float64(as+1)/(growthShuffle+1) > growthChance {
			return Growth{}, false
		}
	}
	out := Growth{P: float64(as+1) / (growthShuffle + 1)}
	mean := 0.0
	exposure := 0.0
	for i := range y {
		mean, exposure = mean+y[i], exposure+e[i]
	}
	mean /= exposure
	out.From, out.High = -1, float64(n)
	for i, v := range fit {
		if out.From < 0 && v > fit[0] {
			out.From = float64(starts[max(0, i-1)])
		}
		if v >= mean {
			out.High = float64(starts[i] + size)
			break
		}
	}
	out.From = max(0, out.From)
	return out, true
}

// growthOf returns how much better rates that never fall describe blocks than one
// rate does, weighed by exposure, and those rates.
func growthOf(rate, weight []float64) (float64, []float64) {
	fit := PAVA(rate, weight)
	var sum, all float64
	for i := range rate {
		sum, all = sum+rate[i]*weight[i], all+weight[i]
	}
	mean, between := sum/all, 0.0
	for i := range fit {
		between += weight[i] * (fit[i] - mean) * (fit[i] - mean)
	}
	if math.IsNaN(between) {
		return 0, fit
	}
	return between, fit
}
