package stats

import "math"

// powers are the shapes of a growth that an interval reckons with: beyond its beginning
// the share grows as a power of how far the load (or, where that stands, the time) has gone
// on since. A step and a hinge are fitted exactly (see stepLikelihood, hingeLikelihood).
var powers = [...]int{1, 2, 3, 5, 8}

// anyShape returns the first and the last window in which a rise can have begun, whatever
// its shape: those whose likelihood, the largest over the shapes, is within some 2Δℓ of the
// best in units of how clustered the events are, which it returns too. curved says that a
// bent shape is the likeliest. The rise is most likely
// to begin at a window, as a step or a hinge. Of many windows every so many are looked at.
func (loc locator) anyShape(first, at, to int) (low, high int, clusters float64, curved bool) {
	stride, end := 1+(to-first)/mostBegins, loc.dataEnd(to, shapeAhead)
	clusters = loc.spreadOf(at, to)
	drop := shapeDrop
	if clusters > 1 {
		drop = clusteredDrop // how clustered they are is hardly known
	}
	var taus []int
	var curve []float64
	best, straight, bent := math.Inf(-1), math.Inf(-1), math.Inf(-1)
	for tau := to; tau >= first; tau -= stride {
		l := max(loc.stepLikelihood(tau, end), loc.hingeLikelihood(tau, end))
		straight = max(straight, l)
		for _, power := range powers {
			p := loc.powerLikelihood(tau, end, power)
			if power == 1 {
				straight = max(straight, p)
			} else {
				bent = max(bent, p)
			}
			l = max(l, p)
		}
		best = max(best, l)
		taus, curve = append(taus, tau), append(curve, l)
	}
	low, high = at, at
	for i, tau := range taus {
		if 2*(best-curve[i])/clusters <= drop {
			low, high = min(low, tau-stride+1), max(high, tau+stride-1)
		}
	}
	return max(first, low), min(to, high), clusters, bent > straight
}

const (
	grewBy        = 1.5 // standard deviations
	clusteredDrop = 2 * profileDrop
	shapeDrop     = 3.84
	rareShare     = 1e-3  // so many trials for each event that is expected
	materialSide  = 0.999 // of the many stretches that could
	mostBegins    = 90    // beginnings that are looked at
	shapeAhead    = 30.0  // seconds after the alarm whose shape is fitted
	spreadAhead   = 60.0  // and in which clusters are looked for
)

// material is the window at whose end the share is proven to be beyond the floor: what
// grew smoothly until then has begun by any measure. It is 0 if that is not proven before
// the load falls again.
func (loc locator) material(first int, spread float64) int {
	if loc.floor <= 0 {
		return 0
	}
	end := loc.dataEnd(first, 1e6)
	// From the left: the first stretch that ends here and proves it.
	for to := first + 1; to <= end; to++ {
		for size := 1; size <= to-first; size *= 2 {
			y, e, _ := loc.rate(to-size, to)
			if y > loc.floor*e && LowerShare(y/spread, e/spread, materialSide) > loc.floor {
				return to
			}
		}
	}
	return 0
}

// spreadOf is how clustered the events of a rise that ended in an alarm are, at least 1,
// around shares that do not fall: growth is no cluster (see [Clustering]).
func (loc locator) spreadOf(at, to int) float64 {
	from, end := loc.firstEvent(at, to), loc.dataEnd(to, spreadAhead)
	size := loc.r.windows(1)
	var share, weight, ys []float64
	for i := from; i < end; i += size {
		y, e, _ := loc.rate(i, min(end, i+size))
		share, weight = append(share, y/max(e, 1)), append(weight, max(e, 1e-9))
	}
	fit := PAVA(share, weight)
	expected := make([]float64, 0, end-from)
	for i := from; i < end; i++ {
		y, e := 0.0, 0.0
		if !loc.masked[i] {
			y, e = loc.r.Count[i], loc.r.Exposure[i]
		}
		ys = append(ys, y)
		expected = append(expected, fit[(i-from)/size]*e/rareShare)
	}
	_, most := Clustering(ys, expected, loc.r.Step)
	return max(most, loc.unevenness(from, end))
}

// unevenness is how clustered the events of a growth are: shares that never fall describe much
// of it themselves, but seconds that follow each other lie on a curve.
func (loc locator) unevenness(from, end int) float64 {
	var y, e []float64
	for i, size := from, loc.r.windows(1); i+size <= end; i += size {
		if ys, es, _ := loc.rate(i, i+size); es > 0 {
			y, e = append(y, ys), append(e, es)
		}
	}
	_, ratio, n := scatter(y, e, []float64{1, -3, 3, -1})
	if n < minBlocks || ratio < 1+3*math.Sqrt(2/(freedomOfCurve*n)) {
		return 1 // as independent events may come
	}
	return ratio
}

// freedomOfCurve is like freedomOfGrowth, for differences of third order.
const freedomOfCurve = 0.43

// abrupt reports whether a rise is proven to have passed a share that is far above the floor
// within seconds of its first event, so that it has not crept up to where it was seen. Where
// something happened before it since a window, that may have been the creeping: then the share
// is to be proven smaller in as many seconds before it, too.
func (loc locator) abrupt(first, at int, clusters float64) bool {
	span := loc.r.windows(abruptSeconds)
	y, e, _ := loc.rate(at, at+span)
	if e == 0 {
		return false
	}
	reached := LowerShare(y/clusters, e/clusters, materialSide)
	if reached < abruptShare*loc.floor {
		return false
	}
	if before, _ := loc.all(first, at); before == 0 {
		return true
	}
	y, e, _ = loc.rate(at-span, at)
	return UpperShare(y/clusters, e/clusters, materialSide) < reached
}

const abruptSeconds, abruptShare = 3.0, 10.0

// grewBefore reports whether the rate in [first, to) was higher in the second half.
func (loc locator) grewBefore(first, to int, clusters float64) bool {
	ya, ea, _ := loc.rate(first, (first+to)/2)
	yb, eb, _ := loc.rate((first+to)/2, to)
	return ea > 0 && eb > 0 && yb/eb-ya/ea > grewBy*math.Sqrt(clusters*(ya/(ea*ea)+(yb+1)/(eb*eb)))
}

// immaterial is the last window up to which the share is proven to be within the floor: of
// a share that grows, the mean of a stretch is no less than what it begins with.
func (loc locator) immaterial(first, to int, spread float64) int {
	for from := to - 1; from > first; from-- {
		for size := 1; size <= to-from; size *= 2 {
			y, e, _ := loc.rate(from, from+size)
			if UpperShare(y/spread, e/spread, crossingSide) <= loc.floor {
				return from
			}
		}
	}
	return first
}
