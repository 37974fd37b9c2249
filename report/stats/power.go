package stats

import (
	"math"
	"math/rand/v2"
)

const (
	powerRuns    = 40   // simulated series for a power that proves something
	detectRuns   = 20   // for one that is told
	powerWindows = 4800 // at most this many windows, the last ones
	// PowerWanted is how surely a rise must be found for "none found" to prove
	// anything.
	PowerWanted = 0.95
	// detectSeconds is how long a rise lasts whose smallest share MinDetectable gives,
	// and detectPower how surely it is found.
	detectSeconds, detectPower = 10.0, 0.9
)

// Finds reports whether in at least the share power of runs like this one [FindRise]
// would find a lasting rise, had a share of the trials failed from window from on,
// wherever the load is no lower than there. What the run showed stays. It is simulated
// with fixed seeds: the same series gives the same answer.
func Finds(r Rates, o RiseOptions, from int, share, power float64) bool {
	return finds(r, o, from, share, power, powerRuns)
}

func finds(r Rates, o RiseOptions, from int, share, power float64, runs int) bool {
	o.statusOnly = true
	n := r.end()
	cut := max(0, n-powerWindows)
	from -= cut
	if from < 1 || from >= n-cut || share <= 0 {
		return false
	}
	part := Rates{Step: r.Step, Exposure: r.Exposure[cut:n], Count: make([]float64, n-cut)}
	if r.Load != nil {
		part.Load = r.Load[cut:n]
	}
	missed := 0
	for seed := range uint64(runs) {
		rng := rand.New(rand.NewPCG(seed, 0x9e37))
		copy(part.Count, r.Count[cut:n])
		for i := from; i < len(part.Count); i++ {
			if part.Load == nil || part.Load[i] >= 0.98*part.Load[from] {
				e := part.Exposure[i]
				part.Count[i] = min(e, part.Count[i]+binomialDraw(rng, e, share))
			}
		}
		if f := FindRise(part, o); f.Status == Lasting || f.Status == FromStart {
			continue
		}
		if missed++; float64(missed) > float64(runs)*(1-power)+1e-9 {
			return false
		}
	}
	return true
}

// MinDetectable returns the smallest of some usual shares (0.05 %, 0.1 %, 0.2 % ...)
// of which a rise in the last 10 s of the series would have been found as lasting in
// nine of ten runs like it: what "none found" leaves open. It is 1 if none would. In
// a series of windows longer than a second it lasts for longer (see [DetectableFor]).
func MinDetectable(r Rates, o RiseOptions) float64 {
	at, _ := r.atOwnPace()
	shares := []float64{5e-4, 1e-3, 2e-3, 4e-3, 6e-3, 1e-2, 2e-2, 3e-2, 5e-2, 0.1, 0.2, 0.3, 0.5, 0.75}
	from := r.end() - at.windows(detectSeconds)
	low, high := -1, len(shares)
	for high-low > 1 {
		mid := (low + high) / 2
		if finds(r, o, from, shares[mid], detectPower, detectRuns) {
			high = mid
		} else {
			low = mid
		}
	}
	if high == len(shares) {
		return 1
	}
	return max(o.Floor, shares[high])
}

// DetectableFor is how long the rise of [MinDetectable] lasts, in seconds.
func DetectableFor(r Rates) float64 {
	_, pace := r.atOwnPace()
	return detectSeconds * pace
}

// binomialDraw draws from a binomial distribution; for many trials from its Poisson or
// normal approximation.
func binomialDraw(rng *rand.Rand, n, p float64) float64 {
	switch mean := n * p; {
	case p >= 1:
		return n
	case n <= 64:
		k := 0.0
		for range int(n) {
			if rng.Float64() < p {
				k++
			}
		}
		return k
	case mean > 30:
		return min(n, max(0, math.Round(mean+math.Sqrt(mean*(1-p))*rng.NormFloat64())))
	default:
		limit, k, product := math.Exp(-mean), 0.0, 1.0
		for {
			if product *= rng.Float64(); product <= limit {
				return min(n, k)
			}
			k++
		}
	}
}
