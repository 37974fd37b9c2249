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

// locate sets where the rise of an alarm began, its interval, and the counts on
// both sides. The likelihood tells which windows are possible; of what happened
// in them, the rise begins with the first.
func (s *scanner) locate(a alarm, out *Rise) {
	end := s.dataEnd(a.to, lookAhead)
	first := max(1, a.to-s.r.windows(lookBack))
	for first < a.to && s.exposureBefore(first) == 0 {
		first++
	}
	curve := make([]float64, a.to+1-first)
	best, at, hinge := math.Inf(-1), a.to, false
	for tau := first; tau <= a.to; tau++ {
		step, bend := s.stepLikelihood(tau, end), s.hingeLikelihood(tau, end)
		l := max(step, bend)
		curve[tau-first] = l
		if l > best {
			best, at, hinge = l, tau, bend > step
		}
	}
	spread := s.fitDispersion(at, end, hinge)
	low, high := at, at
	for tau := first; tau <= a.to; tau++ {
		if 2*(best-curve[tau-first])/spread <= profileDrop {
			low, high = min(low, tau), max(high, tau)
		}
	}
	likeliest := at
	if hinge {
		at = s.endOfLevel(at, a.to)
		low, high = min(s.endOfLevel(low, a.to), at), max(high, at)
	}
	at = s.firstEvent(at, a.to)
	high = max(high, at)
	begin, earliest := s.leadUp(at)
	at, low = begin, min(low, earliest)
	out.Hinge = hinge
	out.At = float64(at)
	if hinge {
		out.At += 0.5
	}
	out.NearLow, out.NearHigh = max(0, float64(low-1)), min(float64(s.n), float64(high+1))
	out.Low, out.High = out.NearLow, out.NearHigh
	out.Before, out.BeforeOf = s.all(0, at)
	out.After, out.AfterOf = s.all(at, s.n)
	if s.statusOnly {
		return
	}
	wideLow, wideHigh, clusters, curved := s.anyShape(first, likeliest, a.to)
	out.Clusters = clusters
	beyond := s.material(first, clusters)
	// Where events come together, or few of them at the beginning of a curve, nothing needs to be
	// seen of it at first.
	unseen := (curved || clusters > 1) && !s.abrupt(first, at, clusters)
	if beyond > 0 && (unseen || s.grewBefore(first, wideLow, clusters)) {
		// It may have grown by degrees to what is worth telling before any shape that fits begins.
		wideLow = min(wideLow, s.immaterial(first, beyond, clusters))
	}

	out.Low = min(out.NearLow, max(0, float64(wideLow-1)))
	out.High = max(out.NearHigh, min(float64(s.n), float64(wideHigh+1)), float64(beyond))
}

func (s *scanner) exposureBefore(k int) float64 {
	_, e, _ := s.sums(k)
	return e
}

// leadUpPause is the silence that parts what leads up to a rise from what happened
// before it, and leadUpMost how long a lead-up is at most, in seconds; leadUpOdds
// is the excess that tells it from a background, ln 10.
const (
	leadUpPause = 2.0
	leadUpMost  = 5.0
	leadUpOdds  = 2.3
)

// firstEvent returns the first window from t on with an event, at most until. The
// likelihood's change of rate can lie before: a limit with a reserve, such as a
// queue or a bucket of tokens, is exceeded some time before it turns anything
// away, and what is turned away then grows as if there had been no reserve. A
// rise begins with what happens.
func (s *scanner) firstEvent(t, until int) int {
	for i := t; i <= until; i++ {
		if !s.masked[i] && s.r.Count[i] > 0 {
			return i
		}
	}
	return t
}

// leadUp returns the first window of the events that lead up to a rise at t: a
// limit that use comes and goes at turns a few away before it turns many away.
// They are more frequent than before: windows with events are counted, and not
// events, so that one cluster is one. What could be either is no more than the
// earliest window that is possible. Masked windows count as any other: bursts
// that a rise follows at once are no isolated ones.
func (s *scanner) leadUp(t int) (first, earliest int) {
	events, exposure := make([]float64, t+1), make([]float64, t+1)
	for i := range t {
		events[i+1], exposure[i+1] = events[i], exposure[i]+s.r.Exposure[i]
		if s.r.Count[i] > 0 {
			events[i+1]++
		}
	}
	first, earliest = t, t
	quiet := 0
	for i := t - 1; i > 0 && t-i <= s.r.windows(leadUpMost); i-- {
		if quiet++; quiet >= s.r.windows(leadUpPause) {
			break
		}
		if s.r.Count[i] == 0 {
			continue
		}
		quiet = 0
		g := excess(events[t]-events[i], events[t], (exposure[t]-exposure[i])/exposure[t])
		if events[i] >= 2 {
			g /= s.dispersion(i)
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
func (s *scanner) endOfLevel(t, until int) int {
	level := s.r.Load[t]
	for t < until && s.r.Count[t] == 0 && s.r.Exposure[t] > 0 && math.Abs(s.r.Load[t+1]-level) <= 1e-6*level {
		t++
	}
	return t
}

// dataEnd is where the windows that describe a rise end: some seconds after its
// alarm, or where the load falls again.
func (s *scanner) dataEnd(t int, ahead float64) int {
	end := min(s.n, t+1+s.r.windows(ahead))
	if s.r.Load == nil {
		return end
	}
	for i := t + 1; i < end; i++ {
		if s.r.Load[i] < 0.95*s.r.Load[t] {
			return i
		}
	}
	return end
}

// binomial returns the log likelihood of y events in e trials at share p, less
// the constant.
func binomial(y, e, p float64) float64 {
	l := 0.0
	if y > 0 {
		l += y * math.Log(max(p, shareTooSmall))
	}
	if rest := e - y; rest > 0 {
		l += rest * math.Log1p(-min(p, 1-shareTooSmall))
	}
	return l
}

func (s *scanner) stepLikelihood(tau, end int) float64 {
	y0, e0, _ := s.rate(0, tau)
	y1, e1, _ := s.rate(tau, end)
	if e0 == 0 || e1 == 0 || y1/e1 <= y0/e0 {
		return math.Inf(-1)
	}
	return binomial(y0, e0, y0/e0) + binomial(y1, e1, y1/e1)
}

// hingeLikelihood is that of p = p0 + β·(1 − λτ/λ) from tau on: of every trial
// beyond what the load was at tau, the share β fails.
func (s *scanner) hingeLikelihood(tau, end int) float64 {
	y0, e0, _ := s.rate(0, tau)
	beta, ok := s.hingeSlope(tau, end)
	if !ok {
		return math.Inf(-1)
	}
	p0 := y0 / e0
	l := binomial(y0, e0, p0)
	for i := tau; i < end; i++ {
		if !s.masked[i] && s.r.Exposure[i] > 0 {
			l += binomial(s.r.Count[i], s.r.Exposure[i], p0+beta*s.beyond(tau, i))
		}
	}
	return l
}

// beyond is the share of the load of window i above that of window tau.
func (s *scanner) beyond(tau, i int) float64 {
	if s.r.Load[i] <= s.r.Load[tau] {
		return 0
	}
	return 1 - s.r.Load[tau]/s.r.Load[i]
}

// hingeSlope maximises the likelihood over β, which is concave, by a bracketed
// Newton iteration.
func (s *scanner) hingeSlope(tau, end int) (float64, bool) {
	if s.r.Load == nil || s.r.Load[tau] <= 0 {
		return 0, false
	}
	y0, e0, _ := s.rate(0, tau)
	if e0 == 0 {
		return 0, false
	}
	p0 := y0 / e0
	most, expected, seen := 0.0, 0.0, 0.0
	for i := tau; i < end; i++ {
		if s.masked[i] || s.r.Exposure[i] == 0 {
			continue
		}
		g := s.beyond(tau, i)
		most = max(most, g)
		expected += g * s.r.Exposure[i]
		seen += s.r.Count[i] - p0*s.r.Exposure[i]
	}
	if most < 0.002 || seen <= 0 {
		return 0, false
	}
	high := (1 - p0) / most
	low, beta := 0.0, min(seen/expected, 0.9*high)
	for range 12 {
		var slope, curvature float64
		for i := tau; i < end; i++ {
			if s.masked[i] || s.r.Exposure[i] == 0 {
				continue
			}
			g := s.beyond(tau, i)
			if g == 0 {
				continue
			}
			p := min(max(p0+beta*g, shareTooSmall), 1-shareTooSmall)
			y, rest := s.r.Count[i], max(0, s.r.Exposure[i]-s.r.Count[i])
			slope += g * (y/p - rest/(1-p))
			curvature -= g * g * (y/(p*p) + rest/((1-p)*(1-p)))
		}
		if slope > 0 {
			low = beta
		} else {
			high = beta
		}
		next := beta - slope/curvature
		if !(next > low && next < high) {
			next = (low + high) / 2
		}
		if math.Abs(next-beta) < 1e-6*beta {
			return next, true
		}
		beta = next
	}
	return beta, true
}

// fitDispersion returns how much more the windows after tau vary than the fitted
// model allows, from 1 to the cap: bursts of failures carry less information on
// where they began than as many independent ones.
func (s *scanner) fitDispersion(tau, end int, hinge bool) float64 {
	y0, e0, _ := s.rate(0, tau)
	y1, e1, _ := s.rate(tau, end)
	if e0 == 0 || e1 == 0 {
		return 1
	}
	p0, beta := y0/e0, 0.0
	if hinge {
		beta, _ = s.hingeSlope(tau, end)
	}
	var chi2, windows float64
	for i := tau; i < end; i++ {
		if s.masked[i] || s.r.Exposure[i] == 0 {
			continue
		}
		p := y1 / e1
		if hinge {
			p = p0 + beta*s.beyond(tau, i)
		}
		p = min(max(p, 1e-6), 1)
		d := s.r.Count[i] - p*s.r.Exposure[i]
		chi2 += d * d / (max(p*(1-p), 0.05*p) * s.r.Exposure[i])
		windows++
	}
	if windows < 4 {
		return 1
	}
	return min(max(1, chi2/(windows-2)), maxJitter)
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
		s := newScanner(r, make([]bool, len(r.Count)))
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
