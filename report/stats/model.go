package stats

import "math"

// modelFit fits shapes of a rise to what is seen up to a window: a step, a hinge on the load,
// and powers of it.
type modelFit struct{ *series }

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

func (fit modelFit) stepLikelihood(tau, end int) float64 {
	y0, e0, _ := fit.rate(0, tau)
	y1, e1, _ := fit.rate(tau, end)
	if e0 == 0 || e1 == 0 || y1/e1 <= y0/e0 {
		return math.Inf(-1)
	}
	return binomial(y0, e0, y0/e0) + binomial(y1, e1, y1/e1)
}

// hingeLikelihood is that of p = p0 + β·(1 − λτ/λ) from tau on: of every trial
// beyond what the load was at tau, the share β fails.
func (fit modelFit) hingeLikelihood(tau, end int) float64 {
	y0, e0, _ := fit.rate(0, tau)
	beta, ok := fit.hingeSlope(tau, end)
	if !ok {
		return math.Inf(-1)
	}
	p0 := y0 / e0
	l := binomial(y0, e0, p0)
	for i := tau; i < end; i++ {
		if !fit.masked[i] && fit.r.Exposure[i] > 0 {
			l += binomial(fit.r.Count[i], fit.r.Exposure[i], p0+beta*fit.beyond(tau, i))
		}
	}
	return l
}

// beyond is the share of the load of window i above that of window tau.
func (fit modelFit) beyond(tau, i int) float64 {
	if fit.r.Load[i] <= fit.r.Load[tau] {
		return 0
	}
	return 1 - fit.r.Load[tau]/fit.r.Load[i]
}

// hingeSlope maximises the likelihood over β, which is concave, by a bracketed
// Newton iteration.
func (fit modelFit) hingeSlope(tau, end int) (float64, bool) {
	if fit.r.Load == nil || fit.r.Load[tau] <= 0 {
		return 0, false
	}
	y0, e0, _ := fit.rate(0, tau)
	if e0 == 0 {
		return 0, false
	}
	p0 := y0 / e0
	most, expected, seen := 0.0, 0.0, 0.0
	for i := tau; i < end; i++ {
		if fit.masked[i] || fit.r.Exposure[i] == 0 {
			continue
		}
		g := fit.beyond(tau, i)
		most = max(most, g)
		expected += g * fit.r.Exposure[i]
		seen += fit.r.Count[i] - p0*fit.r.Exposure[i]
	}
	if most < 0.002 || seen <= 0 {
		return 0, false
	}
	high := (1 - p0) / most
	low, beta := 0.0, min(seen/expected, 0.9*high)
	for range 12 {
		var slope, curvature float64
		for i := tau; i < end; i++ {
			if fit.masked[i] || fit.r.Exposure[i] == 0 {
				continue
			}
			g := fit.beyond(tau, i)
			if g == 0 {
				continue
			}
			p := min(max(p0+beta*g, shareTooSmall), 1-shareTooSmall)
			y, rest := fit.r.Count[i], max(0, fit.r.Exposure[i]-fit.r.Count[i])
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
func (fit modelFit) fitDispersion(tau, end int, hinge bool) float64 {
	y0, e0, _ := fit.rate(0, tau)
	y1, e1, _ := fit.rate(tau, end)
	if e0 == 0 || e1 == 0 {
		return 1
	}
	p0, beta := y0/e0, 0.0
	if hinge {
		beta, _ = fit.hingeSlope(tau, end)
	}
	var chi2, windows float64
	for i := tau; i < end; i++ {
		if fit.masked[i] || fit.r.Exposure[i] == 0 {
			continue
		}
		p := y1 / e1
		if hinge {
			p = p0 + beta*fit.beyond(tau, i)
		}
		p = min(max(p, 1e-6), 1)
		d := fit.r.Count[i] - p*fit.r.Exposure[i]
		chi2 += d * d / (max(p*(1-p), 0.05*p) * fit.r.Exposure[i])
		windows++
	}
	if windows < 4 {
		return 1
	}
	return min(max(1, chi2/(windows-2)), maxJitter)
}

// gone is how far the load, or the time where the load stands, has gone on at a window
// since another.
func (fit modelFit) gone(tau, i int) float64 {
	if fit.r.Load != nil && fit.r.Load[tau] > 0 {
		if x := fit.r.Load[i]/fit.r.Load[tau] - 1; x > 0 {
			return x
		}
		return 0
	}
	return float64(i-tau) + 0.5
}

// powerLikelihood is that of p = p0 + β·gone^power from tau on, β as large as the events
// there ask for.
func (fit modelFit) powerLikelihood(tau, end, power int) float64 {
	y0, e0, _ := fit.rate(0, tau)
	if e0 == 0 {
		return math.Inf(-1)
	}
	p0 := y0 / e0
	seen, expected := 0.0, 0.0
	for i := tau; i < end; i++ {
		if !fit.masked[i] && fit.r.Exposure[i] > 0 {
			seen += fit.r.Count[i] - p0*fit.r.Exposure[i]
			expected += fit.r.Exposure[i] * raised(fit.gone(tau, i), power)
		}
	}
	if seen <= 0 || expected <= 0 {
		return math.Inf(-1)
	}
	beta := seen / expected
	l := binomial(y0, e0, p0)
	for i := tau; i < end; i++ {
		if !fit.masked[i] && fit.r.Exposure[i] > 0 {
			l += binomial(fit.r.Count[i], fit.r.Exposure[i], min(1, p0+beta*raised(fit.gone(tau, i), power)))
		}
	}
	return l
}

func raised(x float64, power int) float64 {
	out := x
	for range power - 1 {
		out *= x
	}
	return out
}
