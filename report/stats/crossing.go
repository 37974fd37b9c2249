package stats

import "math"

// Crossing is where a share that does not fall passes a level. Places are in units of
// the series: 2.5 is the middle of its third entry.
type Crossing struct {
	// At is the place; NaN if it is not proven that the share passes the level at all.
	At float64
	// Low is up to where the share is proven to be within the level, High from where
	// on it is proven to be beyond it (95 % together). Without a crossing High is +Inf.
	Low, High float64
}

// crossingSide is the confidence of each end of the interval.
const crossingSide = 0.975

// FindCrossing finds where the share of events y among trials e, in the order of load
// or time, passes a level. The place comes from the non-decreasing fit (see [PAVA]), or
// from a share that grows exponentially where that describes the data as well: it does
// not depend on how many trials there are. An end of the interval is moved outwards
// from entry to entry as long as a stretch that begins there proves the share to be on
// its side of the level: the mean of a stretch is no less than its first share, and no
// more than its last. The bounds are those of Clopper and Pearson, of events and trials
// divided by their dispersion (see [Clustering]; 1 for independent events).
func FindCrossing(y, e []float64, level, dispersion float64) Crossing {
	n := len(y)
	k, of := make([]float64, n+1), make([]float64, n+1)
	share := make([]float64, n)
	for i := range y {
		k[i+1], of[i+1] = k[i]+y[i], of[i]+e[i]
		if e[i] > 0 {
			share[i] = y[i] / e[i]
		}
	}
	fi := max(1, dispersion)
	within := func(from, to int) bool {
		events, trials := (k[to]-k[from])/fi, (of[to]-of[from])/fi
		return events < level*trials && UpperShare(events, trials, crossingSide) <= level
	}
	beyond := func(from, to int) bool {
		events, trials := (k[to]-k[from])/fi, (of[to]-of[from])/fi
		return events > level*trials && LowerShare(events, trials, crossingSide) > level
	}
	low := 0
	for ; low < n; low++ {
		proven := false
		for length := 1; !proven && low+length/2 < n; length *= 2 {
			proven = within(low, min(n, low+length))
		}
		if !proven {
			break
		}
	}
	high := n
	for ; high > 0; high-- {
		proven := false
		for length := 1; !proven && high-length/2 > 0; length *= 2 {
			proven = beyond(max(0, high-length), high)
		}
		if !proven {
			break
		}
	}
	if high == n {
		return Crossing{At: math.NaN(), Low: float64(low), High: math.Inf(1)}
	}
	out := Crossing{Low: float64(low), High: float64(min(n, high+1))}
	if high == 0 {
		out.High = 0
	}
	fit := PAVA(share, e)
	at := 0
	for at < n && fit[at] <= level {
		at++
	}
	out.At = float64(at)
	for _, most := range []float64{math.Inf(1), crossingReach * level} {
		if x, ok := exponentialCrossing(y, e, fit, level, most, fi); ok {
			out.At = max(x, float64(silentFrom(y, e, level)))
			break
		}
	}
	out.Low, out.High = min(out.Low, out.High), max(out.Low, out.High)
	out.At = min(max(out.At, out.Low), out.High)
	return out
}

// silentFrom is the first place from which fewer trials than the level has one event in
// passed before the first event of all. A law that puts the crossing before it says that
// the share was at the level while all of these passed without any: bursts, which make
// every law fit, lead there.
func silentFrom(y, e []float64, level float64) int {
	first := 0
	for first < len(y) && y[first] == 0 {
		first++
	}
	trials := 0.0
	for at := first; at > 0; at-- {
		if trials += e[at-1]; trials*level >= 1 {
			return at
		}
	}
	return 0
}

const (
	// crossingReach is up to how many times the level a share may grow by a law that it
	// leaves later.
	crossingReach = 30.0
	// crossingFew events are too few for a law.
	crossingFew = 5.0
)

// exponentialCrossing is where a share that grows by a constant factor from entry to
// entry, as long as it is at most this, passes the level. It is not ok where the non-decreasing fit describes the
// events better by more than its greater freedom accounts for.
func exponentialCrossing(y, e, fit []float64, level, most, dispersion float64) (at float64, ok bool) {
	n := len(y)
	for i, p := range fit {
		if p > most {
			n = i
			break
		}
	}
	events, trials := 0.0, 0.0
	for i := range n {
		events, trials = events+y[i], trials+e[i]
	}
	if n < 4 || events < crossingFew*dispersion {
		return 0, false
	}
	// Newton's method for log p = a + b(x - middle), the middle that of the events.
	middle := 0.0
	for i := range n {
		middle += y[i] * (float64(i) + 0.5) / events
	}
	a, b := math.Log(events/trials), 0.0
	for range 100 {
		var ga, gb, aa, ab, bb float64
		for i := range n {
			x := float64(i) + 0.5 - middle
			m := e[i] * math.Exp(min(0, a+b*x))
			ga, gb = ga+y[i]-m, gb+(y[i]-m)*x
			aa, ab, bb = aa+m, ab+m*x, bb+m*x*x
		}
		det := aa*bb - ab*ab
		if !(det > 0) {
			return 0, false
		}
		da, db := (bb*ga-ab*gb)/det, (aa*gb-ab*ga)/det
		scale := min(1, 1/max(math.Abs(da), math.Abs(db)*float64(n)/4, 1e-12))
		a, b = a+scale*da, b+scale*db
		if math.Abs(da)+math.Abs(db)*float64(n) < 1e-9 {
			break
		}
	}
	if !(b > 0) || math.IsInf(a, 0) {
		return 0, false
	}
	free, law := 0.0, 0.0
	for i := range n {
		free += logLikelihood(y[i], e[i], fit[i])
		law += logLikelihood(y[i], e[i], math.Exp(min(0, a+b*(float64(i)+0.5-middle))))
	}
	if 2*(free-law) > dispersion*(6+math.Log(float64(n))) {
		return 0, false
	}
	return middle + (math.Log(level)-a)/b, true
}

// logLikelihood is that of y events of the mean p of e trials, as far as it depends on
// p (Poisson).
func logLikelihood(y, e, p float64) float64 {
	if y == 0 {
		return -e * p
	}
	return y*math.Log(max(p, 1e-300)) - e*p
}
