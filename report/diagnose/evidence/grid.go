package evidence

import "math"

// Grid is the load of a run on its windows. Times are in seconds since the load began.
type Grid struct {
	Step    float64   // seconds per window
	N       int       // windows up to the last in which requests were due
	Load    []float64 // requests per second, as offered
	Offered []float64 // requests due, by window
	Sent    []float64 // of them
}

// Seconds returns the start of a window; a fraction lies within it.
func (g *Grid) Seconds(window float64) float64 { return window * g.Step }

// Window returns the window of a time, within the load.
func (g *Grid) Window(seconds float64) int {
	return min(max(int(math.Floor(seconds/g.Step+1e-9)), 0), max(g.N-1, 0))
}

// Duration is the length of the load in seconds.
func (g *Grid) Duration() float64 { return float64(g.N) * g.Step }

// LoadAt returns the offered load at a time.
func (g *Grid) LoadAt(seconds float64) float64 {
	if g.N == 0 {
		return 0
	}
	// Loads belong to the middle of their windows; between, they are linear.
	x := seconds/g.Step - 0.5
	i := int(math.Floor(x))
	switch {
	case i < 0:
		return g.Load[0]
	case i >= g.N-1:
		return g.Load[g.N-1]
	}
	f := x - float64(i)
	return g.Load[i]*(1-f) + g.Load[i+1]*f
}

// MaxLoad returns the highest offered load, over a second.
func (g *Grid) MaxLoad() float64 {
	most := 0.0
	for _, l := range g.Load[:g.N] {
		most = max(most, l)
	}
	return most
}

// achieved returns the highest load over a second that was really sent.
func (g *Grid) achieved() float64 {
	k := max(1, int(math.Round(1/g.Step)))
	sum, best := 0.0, 0.0
	for i := range g.N {
		sum += g.Sent[i]
		if i >= k {
			sum -= g.Sent[i-k]
		}
		if i >= k-1 {
			best = max(best, sum)
		}
	}
	if best == 0 {
		return sum / max(g.Step, g.Duration())
	}
	return best / (float64(k) * g.Step)
}

// RampEnd is the time at which the load falls for the first time by a tenth from
// its highest so far, or the end of the load.
func (g *Grid) RampEnd() float64 {
	most := 0.0
	for i := range g.N {
		most = max(most, g.Load[i])
		if g.Load[i] < 0.9*most {
			return g.Seconds(float64(i))
		}
	}
	return g.Duration()
}

// TimeOfLoad returns when a load was reached first.
func (g *Grid) TimeOfLoad(load float64) float64 {
	for i := range g.N {
		if g.Load[i] >= load {
			if i == 0 {
				return g.Step / 2
			}
			f := 0.0
			if d := g.Load[i] - g.Load[i-1]; d > 0 {
				f = (load - g.Load[i-1]) / d
			}
			return (float64(i-1) + f + 0.5) * g.Step
		}
	}
	return g.Duration()
}

// Constant returns the load of a time from which on it did not change until
// another. A search and a ramp are never constant.
func (g *Grid) Constant(from, to float64) (float64, bool) {
	low, high := math.Inf(1), 0.0
	for i := g.Window(from); i <= g.Window(to) && i < g.N; i++ {
		low, high = min(low, g.Load[i]), max(high, g.Load[i])
	}
	return (low + high) / 2, high > 0 && high-low <= steadyLoad*high
}

// topAt is when the offered load was highest first.
func (g *Grid) topAt() float64 {
	at, most := 0.0, 0.0
	for i, l := range g.Load[:g.N] {
		if l > most {
			at, most = g.Seconds(float64(i)), l
		}
	}
	return at
}
