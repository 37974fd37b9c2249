// Package saturation finds when a resource ran out, stopped growing, or climbed. It does
// not say what that has to do with faults (causes).
package saturation

import (
	"math"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/stats"
	"github.com/rampload/rampload/report/stats/bend"
)

// ReadResources judges every series of the log by itself.
func ReadResources(a *evidence.Run) {
	for i := range a.Log.Series {
		s := &a.Log.Series[i]
		def, ok := s.Metric.Def()
		if !ok || len(s.At) == 0 || def.Kind == probe.Standing {
			continue
		}
		r := &evidence.Resource{Metric: s.Metric, Def: def, Series: s, Limit: math.NaN(), Freed: math.NaN(), Most: math.NaN()}
		takeSamples(a, r)
		r.Gaps = evidence.FindGaps(s, a.Duration())
		switch {
		case def.Kind == probe.Counter || def.Kind == probe.Symptom && def.Cumulative:
			r.Counter = movement(a, r)
		case len(r.Value) > 0:
			judge(a, r)
		}
		a.Resources = append(a.Resources, r)
	}
}

// takeSamples takes the samples of the load, with a second to either side.
func takeSamples(a *evidence.Run, r *evidence.Resource) {
	s := r.Series
	var steps []float64
	for i, at := range s.At {
		t := at.Seconds()
		if i > 0 {
			steps = append(steps, t-s.At[i-1].Seconds())
		}
		if t < -1 || t > a.Duration()+1 {
			continue
		}
		limit := math.NaN()
		if i < len(s.Limit) {
			limit = s.Limit[i]
		}
		if math.IsNaN(limit) && r.Def.Unit == "share" {
			limit = 1
		}
		r.At = append(r.At, t)
		r.Value = append(r.Value, s.Value[i])
		share := math.NaN()
		if limit > 0 && !math.IsInf(limit, 0) {
			share = s.Value[i] / limit
			r.Limit = limit
			if math.IsNaN(r.Most) || share > r.Most {
				r.Most = share
			}
		}
		r.Share = append(r.Share, share)
		r.Peak = max(r.Peak, s.Value[i])
	}
	r.Period = 0.25
	if len(steps) > 0 {
		r.Period = max(0.01, stats.Median(steps))
	}
}

// judge finds when a level with or without a limit ran out.
func judge(a *evidence.Run, r *evidence.Resource) {
	if !math.IsNaN(r.Most) {
		if r.Def.Kind == probe.Utilisation {
			judgeUtilisation(a, r)
		} else {
			judgeLimit(a, r)
		}
		r.Jump = evidence.Deviation(r.Share)
	}
	if r.Full == nil && r.Def.Kind != probe.Utilisation && r.Def.Kind != probe.Symptom {
		r.Level = plateau(a, r)
	}
}

// judgeLimit finds when a limit that refuses was reached: four of five samples at
// 98 %, unsmoothed; the time is that of the first sample within 0.3 % of its own
// plateau, because crossing 98 % is early by 2 % of a ramp. The plateau is that of
// the whole stretch: on a slow ramp the first seconds above 98 % still climb.
func judgeLimit(a *evidence.Run, r *evidence.Resource) {
	full := func(i int) bool { return r.Share[i] >= evidence.Threshold(r.Limit) }
	n := len(r.Share)
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
	r.Throughout = mostlyFull(r, full)
	start := -1
	for i := range n {
		if full(i) && 5*fullIn(full, i, min(n, i+5)) >= 4*(min(n, i+5)-i) && min(n, i+5)-i >= 2 {
			start = i
			break
		}
	}
	switch {
	case start >= 0:
		level := plateauLevel(r.Share[start:], full, start)
		j := start
		for j > 0 && r.Share[j-1] >= level*(1-evidence.PlateauWidth) {
			j--
		}
		for j < n-1 && r.Share[j] < level*(1-evidence.PlateauWidth) {
			j++
		}
		if k := firstTouch(r, full, j); k < j {
			j = k
		}
		r.Full = sampled(r, j)
		r.Exact = level*r.Limit > r.Limit-1.5 || level >= 1-evidence.PlateauWidth
	case touched >= 3:
		r.Full = sampled(r, first)
		r.Full.Flicker = true
		r.Exact = true
	}
	if r.Full != nil {
		widen(r)
	}
	if last >= 0 && last < n-3 {
		r.Freed = r.At[last]
	}
}

// firstTouch returns the first sample before j at which a limit was reached, if
// use stayed near it from there on: what comes and goes with each request is at
// its limit between two readings long before most readings are.
func firstTouch(r *evidence.Resource, full func(int) bool, j int) int {
	for i := range j {
		if !full(i) || r.At[j]-r.At[i] > 15 {
			continue
		}
		if evidence.QuantileOf(r.Share[i:j+1], 0.25) >= 0.8 {
			return i
		}
	}
	return j
}

// widen moves the earliest time of a saturation back to where use, as much as it
// jumps between two readings, may have reached the limit unseen.
func widen(r *evidence.Resource) {
	i := 0
	for i < len(r.At)-1 && r.At[i] < r.Full.High {
		i++
	}
	// How far single readings lie from the trend of a second to either side.
	from := max(0, i-16)
	var off []float64
	for k := from + 2; k+2 < min(len(r.Share), i+16); k++ {
		off = append(off, math.Abs(r.Share[k]-(r.Share[k-2]+r.Share[k-1]+r.Share[k+1]+r.Share[k+2])/4))
	}
	if len(off) < 6 {
		return
	}
	spread := 1.48 * evidence.QuantileOf(off, 0.5) // of a normal distribution, by the median deviation
	for k := i - 1; k >= 0 && r.At[i]-r.At[k] <= 3 && r.Share[k]+2.5*spread >= evidence.Threshold(r.Limit) && spread > 0.005; k-- {
		r.Full.Low = min(r.Full.Low, r.At[k])
	}
	r.Full.At = (r.Full.Low + r.Full.High) / 2
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
	return evidence.QuantileOf(share[:end], 0.8)
}

// sampled is the saturation that sample i saw first: it came between the sample
// before and this one.
func sampled(r *evidence.Resource, i int) *evidence.Saturation {
	low := r.At[i] - r.Period
	if i > 0 {
		low = r.At[i-1]
	}
	return &evidence.Saturation{At: (low + r.At[i]) / 2, Low: low, High: r.At[i], Value: r.Value[i]}
}

// judgeUtilisation finds when a capacity that slows was used up: a median of five
// samples of 92 %. The time is the corner of the curve over load where there is
// one: a busy processor slows the load that keeps it busy.
func judgeUtilisation(a *evidence.Run, r *evidence.Resource) {
	smooth := evidence.RunningMedian(r.Share, 5)
	full := func(i int) bool { return smooth[i] >= evidence.UtilisationFull }
	r.Throughout = mostlyFull(r, full)
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
	r.Full = sampled(r, first)
	r.Full.Low -= r.Period
	r.Full.High += r.Period
	if c, ok := cornerOver(a, r, r.Share); ok && c.Level >= 0.95*evidence.UtilisationFull {
		at, low, high := a.TimeOfLoad(c.At), a.TimeOfLoad(c.Low), a.TimeOfLoad(c.High)
		// Where the two disagree the crossing is what was seen.
		if math.Abs(at-r.Full.At) < 0.15*a.Duration()+1 {
			*r.Full = evidence.Saturation{At: at, Low: min(low, at-r.Period), High: max(high, at+r.Period), Value: r.Full.Value, Corner: true}
		}
	}
	if last < len(smooth)-3 {
		r.Freed = r.At[last]
	}
}

// plateau finds when a level without a known limit stopped growing with load.
func plateau(a *evidence.Run, r *evidence.Resource) *evidence.Saturation {
	value := r.Value
	if r.Def.Cumulative {
		return nil
	}
	c, ok := cornerOver(a, r, value)
	if !ok || c.Level <= 0 {
		return nil
	}
	at, low, high := a.TimeOfLoad(c.At), a.TimeOfLoad(c.Low), a.TimeOfLoad(c.High)
	s := &evidence.Saturation{At: at, Low: min(low, at-r.Period), High: max(high, at+r.Period), Value: c.Level, Corner: true}
	most, pinned, after := 0.0, 0, 0
	for i, t := range r.At {
		if t >= at && t <= a.Duration() {
			most = max(most, value[i])
		}
	}
	for i, t := range r.At {
		if t >= high && t <= a.Duration() {
			after++
			if value[i] >= 0.995*most || value[i] >= most-1 {
				pinned++
			}
		}
	}
	s.Pinned = after >= 4 && float64(pinned) >= evidence.PinnedShare*float64(after)
	if s.Pinned {
		s.Value = most
	}
	return s
}

// KeepsReserve reports whether the open files of a process stopped growing well
// above half of their limit: some services take no connection once only a reserve
// is left. A corner alone may be one of many; what it explains must be seen too.
func KeepsReserve(a *evidence.Run, r *evidence.Resource) bool {
	if r.Metric.Name != probe.OpenFiles || r.Full != nil || r.Level == nil || r.Most < 0.65 {
		return false
	}
	kept, after := 0, 0
	for i, t := range r.At {
		if t >= r.Level.High && t <= a.RampEnd() {
			after++
			if r.Value[i] >= 0.95*r.Most*r.Limit {
				kept++
			}
		}
	}
	return after >= 8 && float64(kept) >= 0.9*float64(after)
}

// cornerOver fits a corner over the load up to its first peak.
func cornerOver(a *evidence.Run, r *evidence.Resource, y []float64) (bend.Point, bool) {
	end := a.RampEnd()
	var px, py []float64
	for i, t := range r.At {
		if t >= 0 && t <= end {
			px = append(px, a.LoadAt(t))
			py = append(py, y[i])
		}
	}
	return bend.Find(px, py)
}

// mostlyFull reports whether a resource was full in most of the first samples:
// then it cannot tell when faults begin.
func mostlyFull(r *evidence.Resource, full func(int) bool) bool {
	n, all := 0, 0
	for i, t := range r.At {
		if t >= 0 && t <= evidence.ThroughoutSpan {
			all++
			if full(i) {
				n++
			}
		}
	}
	return all >= 3 && float64(n) >= evidence.ThroughoutShare*float64(all)
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
