package stats_test

import (
	"math"
	"testing"

	"github.com/rampload/rampload/report/stats"
)

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if math.IsNaN(got) || math.Abs(got-want) > tolerance {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

// Values from R 4: binom.test, prop.test(correct=FALSE), poisson.test.
func TestBounds(t *testing.T) {
	low, high := stats.ClopperPearson(7, 100, 0.95)
	near(t, "Clopper-Pearson low", low, 0.02860, 1e-4)
	near(t, "Clopper-Pearson high", high, 0.13892, 1e-4)
	low, high = stats.ClopperPearson(0, 50, 0.95)
	near(t, "none seen, low", low, 0, 0)
	near(t, "none seen, high", high, 0.07112, 1e-5)
	low, high = stats.ClopperPearson(50, 50, 0.95)
	near(t, "all seen, low", low, 0.92888, 1e-5)
	near(t, "all seen, high", high, 1, 0)
	near(t, "upper share of none", stats.UpperShare(0, 99615, 0.95), 3.0073e-5, 1e-8)
	low, high = stats.Wilson(7, 100, 0.95)
	near(t, "Wilson low", low, 0.03432, 1e-4)
	near(t, "Wilson high", high, 0.13750, 1e-4)
	near(t, "Poisson tail", stats.PoissonTail(2, 5), 0.052653, 1e-6)
	near(t, "Poisson tail of none", stats.PoissonTail(0, 1), 0, 0)
	near(t, "Garwood", stats.RateLowerBound(10, 1, 0.975), 4.7954, 1e-4)
	near(t, "without data", stats.UpperShare(0, 0, 0.95), 1, 0)
}

func TestBoundsAreExact(t *testing.T) {
	// At its lower bound a share gives as many in exactly 2.5 % of samples.
	for _, c := range []struct{ k, n float64 }{{1, 20}, {5, 40}, {30, 60}} {
		p := stats.LowerShare(c.k, c.n, 0.975)
		tail := 0.0
		for i := c.k; i <= c.n; i++ {
			a, _ := math.Lgamma(c.n + 1)
			b, _ := math.Lgamma(i + 1)
			d, _ := math.Lgamma(c.n - i + 1)
			tail += math.Exp(a - b - d + i*math.Log(p) + (c.n-i)*math.Log1p(-p))
		}
		near(t, "tail at the bound", tail, 0.025, 1e-6)
	}
}

func TestEMG(t *testing.T) {
	// The density integrates to one and has the mean of the exponential delay.
	for _, c := range []struct{ tau, sigma float64 }{{1, 0.3}, {0.5, 2}, {2, 0.01}, {0.05, 1}} {
		var mass, mean float64
		const step = 0.0005
		for d := -15.0; d < 40; d += step {
			f := math.Exp(stats.LogEMG(d, c.tau, c.sigma))
			mass += f * step
			mean += d * f * step
		}
		near(t, "mass", mass, 1, 1e-3)
		near(t, "mean", mean, c.tau, 2e-3)
	}
	// Far out nothing overflows or turns into NaN.
	for _, d := range []float64{-1e6, -1000, 1000, 1e6} {
		if l := stats.LogEMG(d, 0.5, 0.25); math.IsNaN(l) || l > 0 {
			t.Errorf("LogEMG(%v) = %v", d, l)
		}
	}
	near(t, "score far away", stats.TimingScore(-60, 1, 0.3, 120), math.Log(0.03), 1e-9)
	if s := stats.TimingScore(0.2, 1, 0.3, 120); s < 4 {
		t.Errorf("score of a close cause = %v, want above 4", s)
	}
}

func TestPAVA(t *testing.T) {
	got := stats.PAVA([]float64{1, 3, 2, 4, 3.5, 6}, nil)
	for i, want := range []float64{1, 2.5, 2.5, 3.75, 3.75, 6} {
		near(t, "PAVA", got[i], want, 1e-12)
	}
	got = stats.PAVA([]float64{2, 1}, []float64{3, 1})
	near(t, "weighted", got[0], 1.75, 1e-12)
	got = stats.PAVA([]float64{1, 0, 5}, []float64{1, 0, 1})
	near(t, "no weight", got[1], 1, 1e-12)
}

func TestAdjust(t *testing.T) {
	// R: p.adjust(c(.01,.04,.03,.005), "holm") and "BH".
	p := []float64{0.01, 0.04, 0.03, 0.005}
	for i, want := range []float64{0.03, 0.06, 0.06, 0.02} {
		near(t, "Holm", stats.Holm(p)[i], want, 1e-12)
	}
	for i, want := range []float64{0.02, 0.04, 0.04, 0.02} {
		near(t, "BH", stats.BH(p)[i], want, 1e-12)
	}
}

func TestAssociation(t *testing.T) {
	calm, wild := make([]float64, 60), make([]float64, 60)
	for i := range calm {
		calm[i] = float64(i % 2)
		wild[i] = float64(i * (i % 3))
	}
	if _, p := stats.DifferenceKS(calm, wild); p > 1e-4 {
		t.Errorf("p of different movement = %v", p)
	}
	if _, p := stats.DifferenceKS(calm, calm); p < 0.99 {
		t.Errorf("p of equal movement = %v", p)
	}
	if _, p := stats.DifferenceKS([]float64{1, 2}, wild); p != 1 {
		t.Errorf("p of too little = %v", p)
	}
}

func TestCompareSamples(t *testing.T) {
	// R: wilcox.test(b, a, conf.int=TRUE, exact=TRUE).
	a := []float64{10.1, 10.4, 9.8, 10.0, 10.3}
	b := []float64{9.2, 9.5, 9.4, 9.1, 9.65}
	s := stats.CompareSamples(a, b, 0.95)
	near(t, "p", s.P, 0.007937, 1e-5)
	near(t, "shift", s.Estimate, -0.75, 0.051)
	if s.Low > s.Estimate || s.High < s.Estimate || s.High >= 0 || s.Low < -1.3 {
		t.Errorf("interval = [%v, %v]", s.Low, s.High)
	}
	if s := stats.CompareSamples([]float64{1, 2, 3}, []float64{4, 5, 6}, 0.95); !math.IsInf(s.Low, -1) || len(s.Warnings) == 0 {
		t.Errorf("three values a side gave the interval [%v, %v], warnings %q", s.Low, s.High, s.Warnings)
	}
	if s := stats.CompareSamples(nil, b, 0.95); s.P != 1 {
		t.Errorf("p of an empty sample = %v", s.P)
	}
}
