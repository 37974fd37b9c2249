package diagnose

import (
	"math"
	"slices"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/runlog"
	"github.com/rampload/rampload/report/stats"
)

const (
	hardFull        = 0.98 // of a limit that refuses
	utilisationFull = 0.92 // of a capacity that slows
	plateauWidth    = 0.003
	pinnedShare     = 0.8
	throughoutShare = 0.8
	throughoutSpan  = 5.0 // seconds from the start of the load
)

// resource is one series with what it shows of running out. Times are seconds
// since the load began.
type resource struct {
	metric probe.Metric
	def    probe.Definition
	series *runlog.Series
	at     []float64 // of the samples during the load
	value  []float64
	share  []float64 // of the limit; NaN without one
	period float64   // between samples

	limit, peak float64
	most        float64 // highest share
	jump        float64 // standard deviation of consecutive differences, as a share

	full       *saturation
	freed      float64 // last time at which it was full, if it was not at the end; NaN
	throughout bool    // full from the start
	exact      bool    // at the limit to the last unit
	level      *saturation
	counter    *movement
	gaps       []gap
}

// saturation is when a resource ran out, or stopped growing.
type saturation struct {
	at, low, high float64
	value         float64
	corner        bool // of a curve over load: the time is where it bends
	flicker       bool // full again and again, not all the time
	pinned        bool // of a level: it stays within 0.5 % of the highest value
}

func (s *saturation) sigma() float64 { return max(0.01, (s.high-s.low)/math.Sqrt(12)) }

// readResources judges every series of the log by itself.
func (a *analysis) readResources() {
	for i := range a.log.Series {
		s := &a.log.Series[i]
		def, ok := s.Metric.Def()
		if !ok || len(s.At) == 0 {
			continue
		}
		r := &resource{metric: s.Metric, def: def, series: s, limit: math.NaN(), freed: math.NaN(), most: math.NaN()}
		a.takeSamples(r)
		r.gaps = findGaps(s, a.duration())
		switch {
		case def.Kind == probe.Counter || def.Kind == probe.Symptom && def.Cumulative:
			r.counter = a.movement(r)
		case len(r.value) > 0:
			a.judge(r)
		}
		a.resources = append(a.resources, r)
	}
}

// takeSamples takes the samples of the load, with a second to either side.
func (a *analysis) takeSamples(r *resource) {
	s := r.series
	var steps []float64
	for i, at := range s.At {
		t := at.Seconds()
		if i > 0 {
			steps = append(steps, t-s.At[i-1].Seconds())
		}
		if t < -1 || t > a.duration()+1 {
			continue
		}
		limit := math.NaN()
		if i < len(s.Limit) {
			limit = s.Limit[i]
		}
		if math.IsNaN(limit) && r.def.Unit == "share" {
			limit = 1
		}
		r.at = append(r.at, t)
		r.value = append(r.value, s.Value[i])
		share := math.NaN()
		if limit > 0 && !math.IsInf(limit, 0) {
			share = s.Value[i] / limit
			r.limit = limit
			if math.IsNaN(r.most) || share > r.most {
				r.most = share
			}
		}
		r.share = append(r.share, share)
		r.peak = max(r.peak, s.Value[i])
	}
	r.period = 0.25
	if len(steps) > 0 {
		r.period = max(0.01, stats.Median(steps))
	}
}

// judge finds when a level with or without a limit ran out.
func (a *analysis) judge(r *resource) {
	if !math.IsNaN(r.most) {
		if r.def.Kind == probe.Utilisation {
			a.judgeUtilisation(r)
		} else {
			a.judgeLimit(r)
		}
		r.jump = deviation(r.share)
	}
	if r.full == nil && r.def.Kind != probe.Utilisation && r.def.Kind != probe.Symptom {
		r.level = a.plateau(r)
	}
}

// threshold is where a hard limit counts as full: at 98 %, or one below the
// limit where the limit is small.
func threshold(limit float64) float64 { return min(hardFull*limit, max(limit-1, limit/2)) / limit }

// judgeLimit finds when a limit that refuses was reached: four of five samples at
// 98 %, unsmoothed; the time is that of the first sample within 0.3 % of its own
// plateau, because crossing 98 % is early by 2 % of a ramp. The plateau is that of
// the whole stretch: on a slow ramp the first seconds above 98 % still climb.
func (a *analysis) judgeLimit(r *resource) {
	full := func(i int) bool { return r.share[i] >= threshold(r.limit) }
	n := len(r.share)
	touched, last, first := 0, -1, -1
	for i := range n {
		if full(i) {
			touched++
			last = i
			if first < 0 {
				first = i
			}
		}
	}
	r.throughout = mostlyFull(r, full)
	start := -1
	for i := range n {
		if full(i) && 5*fullIn(full, i, min(n, i+5)) >= 4*(min(n, i+5)-i) && min(n, i+5)-i >= 2 {
			start = i
			break
		}
	}
	switch {
	case start >= 0:
		level := plateauLevel(r.share[start:], full, start)
		j := start
		for j > 0 && r.share[j-1] >= level*(1-plateauWidth) {
			j--
		}
		for j < n-1 && r.share[j] < level*(1-plateauWidth) {
			j++
		}
		if k := firstTouch(r, full, j); k < j {
			j = k
		}
		r.full = sampled(r, j)
		r.exact = level*r.limit > r.limit-1.5 || level >= 1-plateauWidth
	case touched >= 3:
		r.full = sampled(r, first)
		r.full.flicker = true
		r.exact = true
	}
	if r.full != nil {
		widen(r)
	}
	if last >= 0 && last < n-3 {
		r.freed = r.at[last]
	}
}

// firstTouch returns the first sample before j at which a limit was reached, if
// use stayed near it from there on: what comes and goes with each request is at
// its limit between two readings long before most readings are.
func firstTouch(r *resource, full func(int) bool, j int) int {
	for i := range j {
		if !full(i) || r.at[j]-r.at[i] > 15 {
			continue
		}
		if quantileOf(r.share[i:j+1], 0.25) >= 0.8 {
			return i
		}
	}
	return j
}

// widen moves the earliest time of a saturation back to where use, as much as it
// jumps between two readings, may have reached the limit unseen.
func widen(r *resource) {
	i := 0
	for i < len(r.at)-1 && r.at[i] < r.full.high {
		i++
	}
	// How far single readings lie from the trend of a second to either side.
	from := max(0, i-16)
	var off []float64
	for k := from + 2; k+2 < min(len(r.share), i+16); k++ {
		off = append(off, math.Abs(r.share[k]-(r.share[k-2]+r.share[k-1]+r.share[k+1]+r.share[k+2])/4))
	}
	if len(off) < 6 {
		return
	}
	spread := 1.48 * quantileOf(off, 0.5) // of a normal distribution, by the median deviation
	for k := i - 1; k >= 0 && r.at[i]-r.at[k] <= 3 && r.share[k]+2.5*spread >= threshold(r.limit) && spread > 0.005; k-- {
		r.full.low = min(r.full.low, r.at[k])
	}
	r.full.at = (r.full.low + r.full.high) / 2
}

// plateauLevel returns the level that a resource stays at once it is full: the
// 80th percentile until it is not full for five samples.
func plateauLevel(share []float64, full func(int) bool, offset int) float64 {
	end, empty := 0, 0
	for i := range share {
		if full(offset + i) {
			end, empty = i+1, 0
		} else if empty++; empty >= 5 {
			break
		}
	}
	return quantileOf(share[:end], 0.8)
}

// sampled is the saturation that sample i saw first: it came between the sample
// before and this one.
func sampled(r *resource, i int) *saturation {
	low := r.at[i] - r.period
	if i > 0 {
		low = r.at[i-1]
	}
	return &saturation{at: (low + r.at[i]) / 2, low: low, high: r.at[i], value: r.value[i]}
}

// judgeUtilisation finds when a capacity that slows was used up: a median of five
// samples of 92 %. The time is the corner of the curve over load where there is
// one: a busy processor slows the load that keeps it busy.
func (a *analysis) judgeUtilisation(r *resource) {
	smooth := runningMedian(r.share, 5)
	full := func(i int) bool { return smooth[i] >= utilisationFull }
	r.throughout = mostlyFull(r, full)
	first, last := -1, -1
	for i := range smooth {
		if full(i) {
			if first < 0 {
				first = i
			}
			last = i
		}
	}
	if first < 0 {
		return
	}
	r.full = sampled(r, first)
	r.full.low -= r.period
	r.full.high += r.period
	if c, ok := a.cornerOver(r, r.share); ok && c.Level >= 0.95*utilisationFull {
		at, low, high := a.timeOfLoad(c.At), a.timeOfLoad(c.Low), a.timeOfLoad(c.High)
		// Where the two disagree the crossing is what was seen.
		if math.Abs(at-r.full.at) < 0.15*a.duration()+1 {
			*r.full = saturation{at: at, low: min(low, at-r.period), high: max(high, at+r.period), value: r.full.value, corner: true}
		}
	}
	if last < len(smooth)-3 {
		r.freed = r.at[last]
	}
}

// plateau finds when a level without a known limit stopped growing with load.
func (a *analysis) plateau(r *resource) *saturation {
	value := r.value
	if r.def.Cumulative {
		return nil
	}
	c, ok := a.cornerOver(r, value)
	if !ok || c.Level <= 0 {
		return nil
	}
	at, low, high := a.timeOfLoad(c.At), a.timeOfLoad(c.Low), a.timeOfLoad(c.High)
	s := &saturation{at: at, low: min(low, at-r.period), high: max(high, at+r.period), value: c.Level, corner: true}
	most, pinned, after := 0.0, 0, 0
	for i, t := range r.at {
		if t >= at && t <= a.duration() {
			most = max(most, value[i])
		}
	}
	for i, t := range r.at {
		if t >= high && t <= a.duration() {
			after++
			if value[i] >= 0.995*most || value[i] >= most-1 {
				pinned++
			}
		}
	}
	s.pinned = after >= 4 && float64(pinned) >= pinnedShare*float64(after)
	if s.pinned {
		s.value = most
	}
	return s
}

// keepsReserve reports whether the open files of a process stopped growing well
// above half of their limit: some services take no connection once only a reserve
// is left. A corner alone may be one of many; what it explains must be seen too.
func (a *analysis) keepsReserve(r *resource) bool {
	if r.metric.Name != probe.OpenFiles || r.full != nil || r.level == nil || r.most < 0.65 {
		return false
	}
	kept, after := 0, 0
	for i, t := range r.at {
		if t >= r.level.high && t <= a.rampEnd() {
			after++
			if r.value[i] >= 0.95*r.most*r.limit {
				kept++
			}
		}
	}
	return after >= 8 && float64(kept) >= 0.9*float64(after)
}

// cornerOver fits a corner over the load up to its first peak.
func (a *analysis) cornerOver(r *resource, y []float64) (stats.Corner, bool) {
	end := a.rampEnd()
	var px, py []float64
	for i, t := range r.at {
		if t >= 0 && t <= end {
			px = append(px, a.loadAt(t))
			py = append(py, y[i])
		}
	}
	return stats.FitCorner(px, py)
}

// rampEnd is the time at which the load falls for the first time by a tenth from
// its highest so far, or the end of the load.
func (a *analysis) rampEnd() float64 {
	most := 0.0
	for i := range a.n {
		most = max(most, a.load[i])
		if a.load[i] < 0.9*most {
			return a.seconds(float64(i))
		}
	}
	return a.duration()
}

// timeOfLoad returns when a load was reached first.
func (a *analysis) timeOfLoad(load float64) float64 {
	for i := range a.n {
		if a.load[i] >= load {
			if i == 0 {
				return a.step / 2
			}
			f := 0.0
			if d := a.load[i] - a.load[i-1]; d > 0 {
				f = (load - a.load[i-1]) / d
			}
			return (float64(i-1) + f + 0.5) * a.step
		}
	}
	return a.duration()
}

// mostlyFull reports whether a resource was full in most of the first samples:
// then it cannot tell when faults begin.
func mostlyFull(r *resource, full func(int) bool) bool {
	n, all := 0, 0
	for i, t := range r.at {
		if t >= 0 && t <= throughoutSpan {
			all++
			if full(i) {
				n++
			}
		}
	}
	return all >= 3 && float64(n) >= throughoutShare*float64(all)
}

func fullIn(full func(int) bool, from, to int) int {
	n := 0
	for i := from; i < to; i++ {
		if full(i) {
			n++
		}
	}
	return n
}

func runningMedian(v []float64, width int) []float64 {
	out := make([]float64, len(v))
	var near []float64
	for i := range v {
		from, to := max(0, i-width/2), min(len(v), i+width/2+1)
		near = append(near[:0], v[from:to]...)
		slices.Sort(near)
		out[i] = near[len(near)/2]
	}
	return out
}

// deviation returns the standard deviation of consecutive differences.
func deviation(v []float64) float64 {
	if len(v) < 3 {
		return 0
	}
	var s, ss, n float64
	for i := 1; i < len(v); i++ {
		d := v[i] - v[i-1]
		if math.IsNaN(d) {
			continue
		}
		s += d
		ss += d * d
		n++
	}
	if n < 2 {
		return 0
	}
	return math.Sqrt(max(0, (ss-s*s/n)/(n-1)))
}
