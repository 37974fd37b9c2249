package stats

import (
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/mathext"
)

const (
	growthBlock   = 16.0 // seconds of a block at least: longer than what fails together
	plainBlock    = 4.0  // the same where nothing fails together
	growthBlocks  = 64   // at most
	growthFew     = 6    // at least, behind the first: 720 orders
	growthEvents  = 30   // fewer say nothing of a trend
	growthShuffle = 399
	growthChance  = 0.005
	growthLeast   = 1.5 // times the rate of the first third is that of the last
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
// wholes, so that failures which come together stay together; blocks of a short series may
// take 4 s where nothing speaks against independent failures. It takes time in
// proportion to the length of the series. The order is shuffled with a fixed seed.
//
// Where the load changes, blocks are not alike: what is permuted is how far each is off the
// common rate, in units of how far it may be. If clusters of failures come by the request,
// that falls with the root of the exposure; if they come by the time and take a share of
// all requests, it does not depend on it. The growth must stand out against both.
func FindGrowth(r Rates) (Growth, bool) {
	r, _ = r.atOwnPace()
	n := r.end()
	if n < r.windows(plainBlock) {
		return Growth{}, false
	}
	block := growthBlock
	if n < growthBlocks*r.windows(growthBlock) && r.independent(n) {
		block = plainBlock
	}
	size := n / max(1, min(n/r.windows(block), growthBlocks))
	// The first block may be low without a growth: what fails late, as timeouts do, is missing
	// there.
	b := growthBlocksOf(r, n%size+size, n, size)
	if len(b.y) < growthFew || b.total < growthEvents {
		return Growth{}, false
	}
	seen, fit := growthOf(b.rate, b.e)
	if last := len(fit) - 1; !(fit[last] > 2*fit[0]) || b.lastThird() < growthLeast*b.firstThird() {
		return Growth{}, false
	}
	out := Growth{}
	for _, byRequest := range []bool{true, false} {
		p, shown := b.chance(seen, byRequest)
		if !shown {
			return Growth{}, false
		}
		out.P = max(out.P, p)
	}
	out.From, out.High = -1, float64(n)
	for i, v := range fit {
		if out.From < 0 && v > fit[0] {
			out.From = float64(b.starts[max(0, i-1)])
		}
		if v >= b.mean {
			out.High = float64(b.starts[i] + size)
			break
		}
	}
	out.From = max(0, out.From)
	return out, true
}

// blocksOfGrowth are consecutive blocks of a series, those without an exposure left out.
type blocksOfGrowth struct {
	y, e, rate  []float64
	starts      []int
	total, mean float64
}

func growthBlocksOf(r Rates, begin, n, size int) blocksOfGrowth {
	var b blocksOfGrowth
	exposure := 0.0
	for from := begin; from+size <= n; from += size {
		y, e := r.sum(from, from+size)
		if e > 0 {
			b.y, b.e, b.rate, b.starts = append(b.y, y), append(b.e, e), append(b.rate, y/e), append(b.starts, from)
			b.total, exposure = b.total+y, exposure+e
		}
	}
	if exposure > 0 {
		b.mean = b.total / exposure
	}
	return b
}

func (r Rates) sum(from, to int) (y, e float64) {
	for i := from; i < to; i++ {
		y, e = y+r.Count[i], e+r.Exposure[i]
	}
	return y, e
}

// firstThird and lastThird are the rates of the blocks there.
func (b blocksOfGrowth) firstThird() float64 { return b.over(0, len(b.y)/3) }

func (b blocksOfGrowth) lastThird() float64 { return b.over(len(b.y)-len(b.y)/3, len(b.y)) }

func (b blocksOfGrowth) over(from, to int) float64 {
	var y, e float64
	for i := from; i < to; i++ {
		y, e = y+b.y[i], e+b.e[i]
	}
	return y / e
}

// independent reports whether events scatter between blocks of 1 and of 4 s as independent
// ones do, whatever way their rate grows (95 %).
func (r Rates) independent(n int) bool {
	for _, seconds := range []float64{1, plainBlock} {
		var y, e []float64
		for size, from := r.windows(seconds), 0; from+size <= n; from += size {
			if ys, es := r.sum(from, from+size); es > 0 {
				y, e = append(y, ys), append(e, es)
			}
		}
		_, ratio, contrasts := scatter(y, e, []float64{1, -2, 1})
		freedom := freedomOfGrowth * contrasts
		if freedom < 1 || ratio*freedom > 2*mathext.GammaIncRegInv(freedom/2, dispersionSide) {
			return false
		}
	}
	return true
}

// chance is how often the blocks in any other order grow as much as was seen, and whether
// that is seldom.
func (b blocksOfGrowth) chance(seen float64, byRequest bool) (float64, bool) {
	off, unit, rate := make([]float64, len(b.rate)), make([]float64, len(b.rate)), make([]float64, len(b.rate))
	for i := range off {
		unit[i] = 1
		if byRequest {
			unit[i] = 1 / math.Sqrt(b.e[i])
		}
		off[i] = (b.rate[i] - b.mean) / unit[i]
	}
	rng := rand.New(rand.NewPCG(1, 2))
	as := 0
	for range growthShuffle {
		rng.Shuffle(len(off), func(i, j int) { off[i], off[j] = off[j], off[i] })
		for i := range off {
			rate[i] = b.mean + off[i]*unit[i]
		}
		if other, _ := growthOf(rate, b.e); other >= seen-1e-12 {
			as++
		}
		if float64(as+1)/(growthShuffle+1) > growthChance {
			return 1, false
		}
	}
	return float64(as+1) / (growthShuffle + 1), true
}

// growthOf returns which part of the squares about one rate goes when blocks have rates that
// never fall, weighed by exposure, and those rates. Where blocks are alike in exposure it
// orders them as the squares that go do.
func growthOf(rate, weight []float64) (float64, []float64) {
	fit := PAVA(rate, weight)
	var sum, all float64
	for i := range rate {
		sum, all = sum+rate[i]*weight[i], all+weight[i]
	}
	mean, between, total := sum/all, 0.0, 0.0
	for i := range fit {
		between += weight[i] * (fit[i] - mean) * (fit[i] - mean)
		total += weight[i] * (rate[i] - mean) * (rate[i] - mean)
	}
	if !(total > 0) {
		return 0, fit
	}
	return between / total, fit
}
