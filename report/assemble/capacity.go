package assemble

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose"
	"github.com/rampload/rampload/report/stats"
	"github.com/rampload/rampload/report/stats/bend"
)

const (
	// capacitySLO is the share of requests that may fail within the capacity.
	capacitySLO   = 0.001
	capacityBound = 0.95
	recommended   = 0.8 // of the lower end of the capacity
	maxLoadGroups = 200
	// constantLoad is by how much loads differ at least to tell a capacity from:
	// faults at a constant load come with time.
	constantLoad = 0.1
	// kneeBy is by how much more the 99th percentile has to be beyond a knee than
	// below it: doubling a few milliseconds hurts nobody.
	kneeBy = 20 * time.Millisecond
	// kneeRise is how much the 99th percentile has to rise beyond a knee to be one.
	kneeRise = 2.0
	// kneeFew is how many successes a percentile of a load takes.
	kneeFew = 100
)

// loadGroup is what happened to a target at about one load.
type loadGroup struct {
	load         float64 // mean
	faults       float64 // requests that failed, or connections reset where those are more
	requests     float64
	ok           float64
	seconds      float64
	latency      attack.Histogram
	from, before int // windows in order of load
}

// targetCapacity measures what a target can take by the loads of the run: where
// faults pass 0.1 % (isotonic regression over load, Clopper-Pearson bounds), where
// successes stop growing, and where the 99th percentile begins to climb. It is
// nil when there is no rising load to tell it from.
func targetCapacity(series *report.Series, target int, onset report.Onset, g diagnose.GeneratorState) *report.TargetCapacity {
	end := series.Len()
	if g.Limited {
		end = min(end, int(g.At/series.Interval))
	}
	groups := groupByLoad(series, target, end)
	if len(groups) < 12 {
		return nil
	}
	out := &report.TargetCapacity{AtLeastRPS: groups[len(groups)-1].load}
	if out.AtLeastRPS <= groups[0].load*(1+constantLoad) {
		return out
	}
	out.Faults = faultLimit(groups, onset)
	out.Goodput = goodputLimit(groups)
	out.Latency = latencyLimit(groups)
	limits := []struct {
		name  string
		limit *report.CapacityLimit
	}{{"faults", out.Faults}, {"goodput", out.Goodput}, {"latency", out.Latency}}
	for _, l := range limits {
		if l.limit != nil && (out.RPS == nil || l.limit.RPS < *out.RPS) {
			out.RPS, out.Binding = number(l.limit.RPS), l.name
			low := l.limit.LowRPS
			if l.limit == out.Faults && onset.Before == 0 && onset.LoadLowRPS != nil {
				// Nothing failed below: that so few requests prove little there is no
				// reason to stay far away.
				low = max(low, min(l.limit.RPS, *onset.LoadLowRPS))
			}
			out.RecommendedRPS = number(recommended * low)
		}
	}
	return out
}

// groupByLoad sorts the windows up to end by load, about a second's worth or more
// to a group.
func groupByLoad(series *report.Series, target, end int) []loadGroup {
	points := slices.Clone(series.Points[target][:end])
	// The last window with load may be cut short, by an abort: its rate is none that
	// was meant.
	last := len(points) - 1
	for last > 0 && points[last].Offered <= 0 {
		last--
	}
	if last > 0 && points[last].Offered < 0.8*points[last-1].Offered {
		points = points[:last]
	}
	points = slices.DeleteFunc(points, func(p report.Point) bool { return p.Offered <= 0 || p.Requests == 0 })
	slices.SortStableFunc(points, func(a, b report.Point) int { return cmp.Compare(a.Offered, b.Offered) })
	step := series.Interval.Seconds()
	size := max(int(math.Ceil(1/step)), (len(points)+maxLoadGroups-1)/maxLoadGroups)
	var out []loadGroup
	for i := 0; i < len(points); i += size {
		g := loadGroup{from: i, before: min(i+size, len(points))}
		for _, p := range points[g.from:g.before] {
			g.load += p.Offered
			g.faults += float64(max(p.Failures, min(p.WireResets, p.Requests)))
			g.requests += float64(p.Requests)
			g.ok += float64(p.Requests - min(p.Failures, p.Requests))
			g.latency = g.latency.Merge(p.Latency)
			g.seconds += step
		}
		g.load /= float64(g.before - g.from)
		out = append(out, g)
	}
	return out
}

// faultLimit is the reset capacity. An onset tells that faults came to stay.
func faultLimit(groups []loadGroup, onset report.Onset) *report.CapacityLimit {
	if onset.Status != report.OnsetFound && onset.Status != report.OnsetFromStart {
		return nil
	}
	share, weight := make([]float64, len(groups)), make([]float64, len(groups))
	k, n := make([]float64, len(groups)+1), make([]float64, len(groups)+1)
	for i, g := range groups {
		share[i], weight[i] = g.faults/g.requests, g.requests
		k[i+1], n[i+1] = k[i]+g.faults, n[i]+g.requests
	}
	fit := stats.PAVA(share, weight)
	over := slices.IndexFunc(fit, func(p float64) bool { return p > capacitySLO })
	if over < 0 {
		return nil
	}
	within := func(i int) float64 { // the load up to group i, from nothing
		if i < 0 {
			return 0
		}
		return groups[i].load
	}
	out := &report.CapacityLimit{RPS: within(over - 1), HighRPS: groups[len(groups)-1].load}
	if onset.LoadHighRPS != nil && out.RPS > 1.5**onset.LoadHighRPS {
		return nil // what began at a far lower load than was well before is no matter of load
	}
	// The share does not fall with the load, so that of a load is at most the mean
	// of it and those above, and at least the mean of it and those below.
	for i := range groups {
		proven := false
		for j := i + 1; j <= len(groups) && !proven; j++ {
			proven = stats.UpperShare(k[j]-k[i], n[j]-n[i], capacityBound) <= capacitySLO
		}
		if !proven {
			break
		}
		out.LowRPS = groups[i].load
	}
	for i := len(groups) - 1; i >= 0; i-- {
		broken := false
		for j := i; j >= 0 && !broken; j-- {
			broken = stats.LowerShare(k[i+1]-k[j], n[i+1]-n[j], capacityBound) > capacitySLO
		}
		if !broken {
			break
		}
		out.HighRPS = groups[i].load
	}
	out.LowRPS = min(out.LowRPS, out.RPS)
	out.HighRPS = max(out.HighRPS, out.RPS)
	return out
}

// goodputLimit is where successes stop growing with the load.
func goodputLimit(groups []loadGroup) *report.CapacityLimit {
	x, y := make([]float64, len(groups)), make([]float64, len(groups))
	for i, g := range groups {
		x[i], y[i] = g.load, g.ok/g.seconds
	}
	return cornerLimit(bend.Find(x, y))
}

// latencyLimit is where the 99th percentile, level below, begins to climb: the
// corner of its logarithm seen from above.
func latencyLimit(groups []loadGroup) *report.CapacityLimit {
	var x, y []float64
	for _, g := range groups {
		p99, ok := g.latency.Quantile(0.99)
		if !ok || g.latency.Total() < kneeFew || p99 <= 0 {
			continue
		}
		x, y = append(x, -g.load), append(y, -math.Log(float64(p99)))
	}
	corner, ok := bend.Find(x, y)
	if !ok || !climbs(x, y, corner.At) {
		return nil
	}
	// From the knee at -At to the highest load, x[len-1], in logarithms.
	rise := corner.Slope * (corner.At - x[len(x)-1])
	if rise < math.Log(kneeRise) {
		return nil
	}
	corner.At, corner.Low, corner.High = -corner.At, -corner.High, -corner.Low
	return cornerLimit(corner, true)
}

// climbs reports whether the percentile is higher at the highest loads than below
// a knee by enough to matter, and stays so to the end: three quarters of the
// highest loads beyond the knee are.
func climbs(x, y []float64, knee float64) bool {
	var below, above []float64
	for i := range x {
		if p99 := math.Exp(-y[i]); x[i] > knee {
			below = append(below, p99)
		} else {
			above = append(above, p99)
		}
	}
	if len(below) == 0 || len(above) == 0 {
		return false
	}
	level := stats.Median(below)
	top := above[len(above)-max(1, min(len(above), max(3, len(above)/3))):]
	high := 0
	for _, p99 := range top {
		if p99 >= kneeRise*level && p99 >= level+float64(kneeBy.Microseconds()) {
			high++
		}
	}
	return 4*high >= 3*len(top)
}

func cornerLimit(c bend.Point, ok bool) *report.CapacityLimit {
	if !ok || number(c.At) == nil || number(c.Low) == nil || number(c.High) == nil {
		return nil
	}
	return &report.CapacityLimit{RPS: c.At, LowRPS: max(0, c.Low), HighRPS: c.High}
}
