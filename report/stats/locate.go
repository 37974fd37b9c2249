package stats

import "math"

const (
	// profileDrop is the 2Δℓ of the interval of a change point. The chi-square
	// quantile of 3.84 covers only 0.88 to 1.0: a change point is not a regular
	// parameter.
	profileDrop   = 6.0
	lookBack      = 90.0 // seconds before the alarm in which the start is sought
	lookAhead     = 10.0 // seconds after the alarm that are used
	shareTooSmall = 1e-9
)

// locator finds where a rise began that an alarm told of.
type locator struct {
	modelFit
	floor      float64 // see RiseOptions
	statusOnly bool    // likewise
}

// locate sets where the rise of an alarm began, its interval, and the counts on
// both sides. The likelihood tells which windows are possible; of what happened
// in them, the rise begins with the first.
func (loc locator) locate(a alarm, out *Rise) {
	end := loc.dataEnd(a.to, lookAhead)
	first := max(1, a.to-loc.r.windows(lookBack))
	for ; first < a.to; first++ {
		if _, e, _ := loc.sums(first); e > 0 {
			break
		}
	}
	curve := make([]float64, a.to+1-first)
	best, at, hinge := math.Inf(-1), a.to, false
	for tau := first; tau <= a.to; tau++ {
		step, bend := loc.stepLikelihood(tau, end), loc.hingeLikelihood(tau, end)
		l := max(step, bend)
		curve[tau-first] = l
		if l > best {
			best, at, hinge = l, tau, bend > step
		}
	}
	spread := loc.fitDispersion(at, end, hinge)
	low, high := at, at
	for tau := first; tau <= a.to; tau++ {
		if 2*(best-curve[tau-first])/spread <= profileDrop {
			low, high = min(low, tau), max(high, tau)
		}
	}
	likeliest := at
	if hinge {
		at = loc.endOfLevel(at, a.to)
		low, high = min(loc.endOfLevel(low, a.to), at), max(high, at)
	}
	at = loc.firstEvent(at, a.to)
	high = max(high, at)
	begin, earliest := loc.leadUp(at)
	at, low = begin, min(low, earliest)
	out.Hinge = hinge
	out.At = float64(at)
	if hinge {
		out.At += 0.5
	}
	out.NearLow, out.NearHigh = max(0, float64(low-1)), min(float64(loc.n), float64(high+1))
	out.Low, out.High = out.NearLow, out.NearHigh
	out.Before, out.BeforeOf = loc.all(0, at)
	out.After, out.AfterOf = loc.all(at, loc.n)
	if loc.statusOnly {
		return
	}
	wideLow, wideHigh, clusters, curved := loc.anyShape(first, likeliest, a.to)
	out.Clusters = clusters
	beyond := loc.material(first, clusters)
	// Where events come together, or few of them at the beginning of a curve, nothing needs to be
	// seen of it at first.
	unseen := (curved || clusters > 1) && !loc.abrupt(first, at, clusters)
	if beyond > 0 && (unseen || loc.grewBefore(first, wideLow, clusters)) {
		// It may have grown by degrees to what is worth telling before any shape that fits begins.
		wideLow = min(wideLow, loc.immaterial(first, beyond, clusters))
	}

	out.Low = min(out.NearLow, max(0, float64(wideLow-1)))
	out.High = max(out.NearHigh, min(float64(loc.n), float64(wideHigh+1)), float64(beyond))
}

// leadUpPause is the silence that parts what leads up to a rise from what happened
// before it, and leadUpMost how long a lead-up is at most, in seconds; leadUpOdds
// is the excess that tells it from a background, ln 10.
const (
	leadUpPause = 2.0
	leadUpMost  = 5.0
	leadUpOdds  = 2.3
)

// leadUp returns the first window of the events that lead up to a rise at t: a
// limit that use comes and goes at turns a few away before it turns many away.
// They are more frequent than before: windows with events are counted, and not
// events, so that one cluster is one. What could be either is no more than the
// earliest window that is possible. Masked windows count as any other: bursts
// that a rise follows at once are no isolated ones.
func (loc locator) leadUp(t int) (first, earliest int) {
	events, exposure := make([]float64, t+1), make([]float64, t+1)
	for i := range t {
		events[i+1], exposure[i+1] = events[i], exposure[i]+loc.r.Exposure[i]
		if loc.r.Count[i] > 0 {
			events[i+1]++
		}
	}
	first, earliest = t, t
	quiet := 0
	for i := t - 1; i > 0 && t-i <= loc.r.windows(leadUpMost); i-- {
		if quiet++; quiet >= loc.r.windows(leadUpPause) {
			break
		}
		if loc.r.Count[i] == 0 {
			continue
		}
		quiet = 0
		g := excess(events[t]-events[i], events[t], (exposure[t]-exposure[i])/exposure[t])
		if events[i] >= 2 {
			g /= loc.dispersion(i)
		}
		if g >= leadUpOdds {
			first = i
		}
		if g > 1 {
			earliest = i
		}
	}
	return first, min(first, earliest)
}

// endOfLevel returns the last window from t on, at most until, that a hinge cannot
// tell from t: the load is level and nothing happens. A rise with the load begins
// when that grows, as from step to step.
func (loc locator) endOfLevel(t, until int) int {
	level := loc.r.Load[t]
	for t < until && loc.r.Count[t] == 0 && loc.r.Exposure[t] > 0 && math.Abs(loc.r.Load[t+1]-level) <= 1e-6*level {
		t++
	}
	return t
}

// Profile is a likelihood over a covariate.
type Profile struct {
	At        float64 // maximum
	Low, High float64 // interval of 2Δℓ ≤ 6.0, widened by one step of the grid
	Hinge     bool
}

// ProfileLoad finds the load at which a rate rises from several ramps over the
// same range: the log likelihoods of the ramps are summed over load, not over
// time, each ramp with its own rates. Every ramp must have a Load that does not
// fall. It returns false if no load separates a lower rate from a higher one.
func ProfileLoad(ramps []Rates, grid []float64) (Profile, bool) {
	total := make([]float64, len(grid))
	bends := make([]float64, len(grid))
	for _, r := range ramps {
		s := modelFit{newSeries(r, make([]bool, len(r.Count)))}
		for g, load := range grid {
			tau := 0
			for tau < s.n && r.Load[tau] < load {
				tau++
			}
			if tau == 0 || tau >= s.n {
				// No window on one side: one rate for all.
				y, e, _ := s.rate(0, s.n)
				l := 0.0
				if e > 0 {
					l = binomial(y, e, y/e)
				}
				total[g] += l
				continue
			}
			step, bend := s.stepLikelihood(tau, s.n), s.hingeLikelihood(tau, s.n)
			if math.IsInf(step, -1) && math.IsInf(bend, -1) {
				y, e, _ := s.rate(0, s.n)
				step = binomial(y, e, y/max(e, 1))
			}
			total[g] += max(step, bend)
			if bend > step {
				bends[g]++
			}
		}
	}
	best := 0
	flat := true
	for g := range grid {
		if total[g] > total[best] {
			best = g
		}
		flat = flat && total[g] == total[0]
	}
	if len(grid) < 3 || flat || best == 0 || best == len(grid)-1 {
		return Profile{}, false
	}
	low, high := best, best
	for g := range grid {
		if 2*(total[best]-total[g]) <= profileDrop {
			low, high = min(low, g), max(high, g)
		}
	}
	return Profile{
		At: grid[best], Low: grid[max(0, low-1)], High: grid[min(len(grid)-1, high+1)],
		Hinge: 2*bends[best] > float64(len(ramps)),
	}, true
}
