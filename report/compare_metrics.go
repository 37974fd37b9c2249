package report

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"

	"github.com/rampload/rampload/report/compare"
	"github.com/rampload/rampload/report/format"
	"github.com/rampload/rampload/report/stats"
)

// compareMetrics collects the metrics of both sides.
func compareMetrics(old, new, history []*Report) []compare.Measured {
	var all []compare.Measured
	add := func(m MetricComparison, of func(*Report) (compare.Observation, bool)) {
		x := compare.Measured{Metric: m, Before: observe(old, of), After: observe(new, of), History: observe(history, of)}
		if len(x.Before)+len(x.After) > 0 {
			all = append(all, x)
		}
	}
	searches := searchAll(old, new)
	if searches {
		add(MetricComparison{Metric: "capacity", Unit: "rps", Primary: true, HigherBetter: true, Relative: true}, searchedCapacity)
	}
	for _, name := range sharedTargets(old, new) {
		bins := matchedBins(name, old, new)
		share := sharedCrossing(name, old, new)
		if share > 0 {
			add(MetricComparison{
				Target: name, Metric: "SLO crossing", Unit: "rps", Primary: !searches, HigherBetter: true, Relative: true,
				Note: "the load at which failures pass " + format.FinePercent(share),
			},
				func(r *Report) (compare.Observation, bool) { return crossingLoad(r, name, share) })
		}
		// Where failures grow smoothly the onset depends on how much was sent; the crossing does not.
		add(MetricComparison{Target: name, Metric: "onset load", Unit: "rps", Primary: !searches, HigherBetter: true, Relative: true, Note: passingOnsets(old, new, name)},
			func(r *Report) (compare.Observation, bool) { return onsetLoad(r, name) })
		add(MetricComparison{Target: name, Metric: "goodput", Unit: "rps", Primary: !searches, HigherBetter: true, Relative: true},
			func(r *Report) (compare.Observation, bool) { return goodput(r, name) })
		add(MetricComparison{Target: name, Metric: "p99", Unit: "ms", Primary: !searches, Relative: true, Note: bins.note()},
			func(r *Report) (compare.Observation, bool) { return matchedP99(r, name, bins) })
		add(MetricComparison{Target: name, Metric: "reset share", Unit: "ratio"},
			func(r *Report) (compare.Observation, bool) {
				return matchedShare(r, name, bins, "wire_resets", func(b LoadBin) (uint64, uint64) { return b.WireResets, max(b.Attempts, b.WireResets) })
			})
		add(MetricComparison{Target: name, Metric: "failed share", Unit: "ratio"},
			func(r *Report) (compare.Observation, bool) {
				return matchedShare(r, name, bins, "failures", func(b LoadBin) (uint64, uint64) { return b.Failed, b.Requests })
			})
	}
	for _, key := range sharedResources(old, new) {
		add(MetricComparison{Metric: "headroom " + key.name, Unit: "ratio", HigherBetter: true, Note: "on " + key.host},
			func(r *Report) (compare.Observation, bool) { return headroomOf(r, key) })
	}
	return all
}

func observe(reports []*Report, of func(*Report) (compare.Observation, bool)) []compare.Observation {
	var out []compare.Observation
	for _, r := range reports {
		if o, ok := of(r); ok && !math.IsNaN(o.Value) && !math.IsInf(o.Value, 0) {
			out = append(out, o)
		}
	}
	return out
}

func sharedTargets(old, new []*Report) []string {
	seen := map[string]int{}
	for _, r := range slices.Concat(old, new) {
		for _, t := range r.Targets {
			seen[t.Name]++
		}
	}
	var out []string
	for _, t := range new[0].Targets {
		if seen[t.Name] == len(old)+len(new) {
			out = append(out, t.Name)
		}
	}
	return out
}

func targetOf(r *Report, name string) Target {
	for _, t := range r.Targets {
		if t.Name == name {
			return t
		}
	}
	return Target{}
}

// onsetLoad is the load of the onset, or the load up to which there was none.
func onsetLoad(r *Report, name string) (compare.Observation, bool) {
	o := targetOf(r, name).Onset
	switch o.Status {
	case OnsetFound:
		if o.LoadRPS == nil {
			return compare.Observation{}, false
		}
		out := compare.Observation{Value: *o.LoadRPS, Low: math.NaN(), High: math.NaN()}
		if o.LoadLowRPS != nil && o.LoadHighRPS != nil {
			out.Low, out.High = *o.LoadLowRPS, *o.LoadHighRPS
		}
		return out, true
	case OnsetFromStart:
		start := 0.0
		if o.LoadRPS != nil {
			start = *o.LoadRPS
		}
		return compare.Observation{Value: start, Low: 0, High: start}, true
	}
	// Without an onset the load that was sent is what is known; this machine's
	// limit caps it.
	sent := r.Totals.AchievedRPSMax
	return compare.Observation{Value: sent, AtLeast: true, Low: sent, High: math.Inf(1)}, sent > 0
}

// passingOnsets says of which runs the faults began and did not stay: these have no onset
// load, and their verdicts name one. It is empty without any.
func passingOnsets(old, new []*Report, name string) string {
	var notes []string
	for _, side := range []struct {
		of   string
		runs []*Report
	}{{"old", old}, {"new", new}} {
		var at []string
		for _, r := range side.runs {
			if o := targetOf(r, name).Onset; o.Status == OnsetPassing && o.LoadRPS != nil {
				at = append(at, format.Rate(math.Round(*o.LoadRPS)))
			}
		}
		if len(at) > 0 {
			notes = append(notes, fmt.Sprintf("%s: faults for a while at %s", side.of, strings.Join(at, ", ")))
		}
	}
	return strings.Join(notes, "; ")
}

// searchAll reports whether every run searched for a capacity. That is then what
// the releases are compared by: which loads were sent follows from it.
func searchAll(old, new []*Report) bool {
	return !slices.ContainsFunc(slices.Concat(old, new), func(r *Report) bool { return r.Capacity == nil })
}

// searchedCapacity is what a search found, or its bound.
func searchedCapacity(r *Report) (compare.Observation, bool) {
	c := r.Capacity
	switch {
	case c.Status == CapacityFound && c.RPS != nil && c.LowRPS != nil && c.HighRPS != nil:
		return compare.Observation{Value: *c.RPS, Low: *c.LowRPS, High: *c.HighRPS}, true
	case c.RPS != nil:
		return compare.Observation{Value: *c.RPS, Low: *c.RPS, High: math.Inf(1), AtLeast: true}, true
	case c.Status == CapacityBelow && c.HighRPS != nil:
		return compare.Observation{Value: *c.HighRPS, Low: 0, High: *c.HighRPS}, true
	}
	return compare.Observation{}, false
}

// goodput is the most successes per second over the loads of the ramp.
func goodput(r *Report, name string) (compare.Observation, bool) {
	best, seen := 0.0, false
	for _, b := range targetOf(r, name).ByLoad {
		if b.Seconds >= 1 && b.Requests >= b.Failed {
			best, seen = max(best, float64(b.Requests-b.Failed)/b.Seconds), true
		}
	}
	return compare.Observation{Value: best, Low: math.NaN(), High: math.NaN()}, seen
}

// bins are the loads that every run of both sides was at.
type bins struct {
	low   []float64 // lower borders, ascending
	below float64   // those at or above it are left out of latency: the lowest onset
}

// minBinRequests is how many requests a run needs at a load for a p99 there.
const minBinRequests = 100

func matchedBins(name string, old, new []*Report) bins {
	count := map[float64]int{}
	out := bins{below: math.Inf(1)}
	for _, r := range slices.Concat(old, new) {
		t := targetOf(r, name)
		for _, b := range t.ByLoad {
			if b.Requests >= minBinRequests {
				count[b.LowRPS]++
			}
		}
		if o := t.Onset; (o.Status == OnsetFound || o.Status == OnsetFromStart) && o.LoadRPS != nil {
			out.below = min(out.below, *o.LoadRPS)
		}
	}
	for low, n := range count {
		if n == len(old)+len(new) {
			out.low = append(out.low, low)
		}
	}
	sort.Float64s(out.low)
	return out
}

func (b bins) has(low float64) bool { return slices.Contains(b.low, low) }

func (b bins) note() string {
	if math.IsInf(b.below, 1) {
		return "geometric mean over the loads that all runs share"
	}
	return "geometric mean over the shared loads below " + format.Rate(math.Round(b.below))
}

// upTo leaves out the loads above one.
func (b *bins) upTo(load float64, of Target) {
	b.low = slices.DeleteFunc(b.low, func(low float64) bool {
		return slices.ContainsFunc(of.ByLoad, func(x LoadBin) bool { return x.LowRPS == low && x.HighRPS > load+1e-6 })
	})
}

// sharedCrossing is the share of the crossings of a target, 0 if not all runs have one of
// the same share.
func sharedCrossing(name string, old, new []*Report) float64 {
	share := 0.0
	for _, r := range slices.Concat(old, new) {
		c := targetOf(r, name).Crossing
		switch {
		case c == nil || share > 0 && c.Share != share:
			return 0
		case share == 0:
			if _, known := crossingLoad(r, name, c.Share); !known {
				return 0
			}
			share = c.Share
		}
	}
	return share
}

// crossingLoad is the load at which failures pass a share, or the load up to which it is
// proven that they do not.
func crossingLoad(r *Report, name string, share float64) (compare.Observation, bool) {
	c := targetOf(r, name).Crossing
	switch {
	case c == nil || c.Share != share && share > 0:
		return compare.Observation{}, false
	case c.LoadRPS != nil && c.LoadLowRPS != nil && c.LoadHighRPS != nil:
		return compare.Observation{Value: *c.LoadRPS, Low: *c.LoadLowRPS, High: *c.LoadHighRPS}, true
	case c.LoadLowRPS != nil && *c.LoadLowRPS > 0:
		return compare.Observation{Value: *c.LoadLowRPS, AtLeast: true, Low: *c.LoadLowRPS, High: math.Inf(1)}, true
	}
	return compare.Observation{}, false
}

// matchedP99 is the geometric mean of the p99 at each shared load below the
// onsets: a ratio of two such means is the mean ratio at equal loads.
func matchedP99(r *Report, name string, bins bins) (compare.Observation, bool) {
	return matchedLatency(r, name, bins, 0.99)
}

// matchedLatency is the same of p50 or p99, in milliseconds.
func matchedLatency(r *Report, name string, bins bins, percentile float64) (compare.Observation, bool) {
	sum, n := 0.0, 0
	for _, b := range targetOf(r, name).ByLoad {
		v := b.P99MS
		if percentile == 0.5 {
			v = b.P50MS
		}
		if bins.has(b.LowRPS) && b.HighRPS <= bins.below && v != nil && *v > 0 {
			sum += math.Log(*v)
			n++
		}
	}
	return compare.Observation{Value: math.Exp(sum / float64(max(n, 1))), Low: math.NaN(), High: math.NaN()}, n > 0
}

// matchedShare is a share over the shared loads, each weighing by its requests, with its
// Clopper-Pearson interval. Events of the column that come together count as fewer ones.
func matchedShare(r *Report, name string, bins bins, column string, of func(LoadBin) (k, n uint64)) (compare.Observation, bool) {
	var k, n uint64
	for _, b := range targetOf(r, name).ByLoad {
		if bins.has(b.LowRPS) {
			bk, bn := of(b)
			k, n = k+bk, n+bn
		}
	}
	if n == 0 {
		return compare.Observation{}, false
	}
	_, together := r.clustering(name+"/"+column, name+"/requests")
	low, high := stats.ClopperPearson(float64(k)/together, float64(n)/together, 0.95)
	return compare.Observation{Value: float64(k) / float64(n), Low: low, High: high}, true
}

// resourceKey is a resource across runs: process ids differ between them.
type resourceKey struct{ host, process, name, instance string }

func sharedResources(old, new []*Report) []resourceKey {
	count := map[resourceKey]int{}
	var order []resourceKey
	for _, r := range slices.Concat(old, new) {
		seen := map[resourceKey]bool{}
		for _, res := range r.Resources {
			key := resourceKey{res.Host, res.Process, res.Name, res.Instance}
			if res.Utilisation == nil || res.Kind != "hard-limit" && res.Kind != "utilisation" || res.Verdict == "full-throughout" || seen[key] {
				continue
			}
			seen[key] = true
			if count[key]++; count[key] == 1 {
				order = append(order, key)
			}
		}
	}
	return slices.DeleteFunc(order, func(k resourceKey) bool { return count[k] < len(old)+len(new) })
}

func headroomOf(r *Report, key resourceKey) (compare.Observation, bool) {
	least := math.Inf(1)
	for _, res := range r.Resources {
		if (resourceKey{res.Host, res.Process, res.Name, res.Instance}) == key && res.Utilisation != nil {
			least = min(least, max(0, 1-*res.Utilisation))
		}
	}
	return compare.Observation{Value: least, Low: math.NaN(), High: math.NaN()}, !math.IsInf(least, 1)
}
