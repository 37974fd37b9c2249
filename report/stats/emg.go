package stats

import "math"

// LogEMG returns the logarithm of the density at d of an exponentially modified
// Gaussian: an exponential delay of mean tau plus an error of standard deviation
// sigma around 0 (both > 0, in the unit of d):
//
//	f(d) = e^{σ²/2τ² − d/τ} · erfc((σ/τ − d/σ)/√2) / 2τ
//
// For a positive argument of erfc the equal form e^{−d²/2σ²} · erfcx(z) / 2τ is
// used, which neither overflows nor underflows. d = ±Inf gives -Inf.
func LogEMG(d, tau, sigma float64) float64 {
	if math.IsInf(d, 0) {
		return math.Inf(-1)
	}
	z := (sigma/tau - d/sigma) / math.Sqrt2
	if z < 0 {
		return sigma*sigma/(2*tau*tau) - d/tau + math.Log(math.Erfc(z)) - math.Log(2*tau)
	}
	return -d*d/(2*sigma*sigma) + math.Log(erfcx(z)) - math.Log(2*tau)
}

// erfcx returns e^{z²}·erfc(z) for z >= 0.
func erfcx(z float64) float64 {
	if z < 20 {
		return math.Exp(z*z) * math.Erfc(z)
	}
	// Asymptotic series (Abramowitz and Stegun 7.1.23); the next term is below
	// 1e-9 here.
	i := 1 / (2 * z * z)
	return (1 - i*(1-3*i*(1-5*i))) / (z * math.Sqrt(math.Pi))
}

// TimingScore returns the log Bayes factor of "it came a short delay after"
// against "it came at any time": ln(T·[0.97·EMG(d; tau, sigma) + 0.03/T]). d is
// effect less cause, span the time T in which a coincidence could have fallen;
// all in one unit, tau, sigma and span > 0. The 3 % keep a wrong model from
// sinking the truth without limit.
func TimingScore(d, tau, sigma, span float64) float64 {
	return math.Log(0.97*span*math.Exp(LogEMG(d, tau, sigma)) + 0.03)
}
