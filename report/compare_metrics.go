package report

import (
	"fmt"
	"math"
	"slices"
	"sort"

	"github.com/rampload/rampload/report/stats"
)

// observation is the value of a metric in one run.
type observation struct {
	value     float64
	atLeast   bool    // censored: an onset above the load that was sent
	low, high float64 // interval within the run; NaN without
}

// measured is a metric in all runs, before it is judged.
type measured struct {
	MetricComparison
	old, new []observation
	history  []observation // older runs
}

// material is the smallest relative shift that matters, and so is this many
// percentage points of a headroom.
const material = 0.03

// compareMetrics collects the metrics of both sides and their shifts.
func compareMetrics(old, new, history []*Report) []MetricComparison {
	var all []measured
	add := func(m MetricComparison, of func(*Report) (observation, bool)) {
		x := measured{MetricComparison: m, old: observe(old, of), new: observe(new, of), history: observe(history, of)}
		if len(x.old)+len(x.new) > 0 {
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
				Note: "the load at which failures pass " + FormatPercent(share, 3),
			},
				func(r *Report) (observation, bool) { return crossingLoad(r, name, share) })
		}
		// Where failures grow smoothly the onset depends on how much was sent; the crossing does not.
		add(MetricComparison{Target: name, Metric: "onset load", Unit: "rps", Primary: !searches, HigherBetter: true, Relative: true},
			func(r *Report) (observation, bool) { return onsetLoad(r, name) })
		add(MetricComparison{Target: name, Metric: "goodput", Unit: "rps", Primary: !searches, HigherBetter: true, Relative: true},
			func(r *Report) (observation, bool) { return goodput(r, name) })
		add(MetricComparison{Target: name, Metric: "p99", Unit: "ms", Primary: !searches, Relative: true, Note: bins.note()},
			func(r *Report) (observation, bool) { return matchedP99(r, name, bins) })
		add(MetricComparison{Target: name, Metric: "reset share", Unit: "ratio"},
			func(r *Report) (observation, bool) {
				return matchedShare(r, name, bins, func(b LoadBin) (uint64, uint64) { return b.WireResets, max(b.Attempts, b.WireResets) })
			})
		add(MetricComparison{Target: name, Metric: "failed share", Unit: "ratio"},
			func(r *Report) (observation, bool) {
				return matchedShare(r, name, bins, func(b LoadBin) (uint64, uint64) { return b.Failed, b.Requests })
			})
	}
	for _, key := range sharedResources(old, new) {
		add(MetricComparison{Metric: "headroom " + key.name, Unit: "ratio", HigherBetter: true, Note: "on " + key.host},
			func(r *Report) (observation, bool) { return headroomOf(r, key) })
	}
	out := make([]MetricComparison, len(all))
	primary := 0
	for i := range all {
		if all[i].shift(); all[i].Primary && all[i].Shift != nil {
			primary++
		}
	}
	for i := range all {
		all[i].Power = all[i].power(primary)
		out[i] = all[i].MetricComparison
	}
	return out
}

func observe(reports []*Report, of func(*Report) (observation, bool)) []observation {
	var out []observation
	for _, r := range reports {
		if o, ok := of(r); ok && !math.IsNaN(o.value) && !math.IsInf(o.value, 0) {
			out = append(out, o)
		}
	}
	return out
}

// shift compares the samples of one metric and keeps the raw p-value.
func (m *measured) shift() {
	m.OldRuns, m.NewRuns = len(m.old), len(m.new)
	if m.OldRuns == 0 || m.NewRuns == 0 {
		m.Outcome, m.Note = NotComparable, "a release has no run with a value"
		return
	}
	old, new := values(m.old), values(m.new)
	o, n := stats.Median(old), stats.Median(new)
	m.Old, m.New = &o, &n
	m.OldAtLeast, m.NewAtLeast = censored(m.old), censored(m.new)
	if limit, ok := comparable(m.old, m.new); !ok && (!m.OldAtLeast || !m.NewAtLeast) {
		m.Outcome = NotComparable
		m.Note = joinNotes(m.Note, fmt.Sprintf("not comparable above %s: a release was sent no more and had no onset up to there", FormatRate(math.Round(limit))))
		return
	}
	unit := 1.0
	if m.Relative {
		if o == 0 {
			m.Outcome, m.Note = NotComparable, "the old value is 0"
			return
		}
		unit = math.Abs(o)
	}
	s := stats.CompareSamples(old, new, 0.95)
	m.Shift = number(s.Estimate / unit)
	m.ShiftLow, m.ShiftHigh = number(s.Low/unit), number(s.High/unit)
	if a, b, some := gehanScores(m.old, m.new); some {
		s.P = stats.CompareSamples(a, b, 0.95).P
	}
	m.P = number(s.P)
	if m.OldRuns < minRuns || m.NewRuns < minRuns {
		m.indicate()
		return
	}
	narrow := stats.CompareSamples(old, new, 0.90)
	tolerance := m.tolerance()
	switch {
	case m.OldAtLeast && m.NewAtLeast:
		m.P = nil // what differs is how much was sent
		m.Outcome, m.Note = Equivalent, "no onset on either side"
	case narrow.Low/unit > -tolerance && narrow.High/unit < tolerance:
		m.Outcome = Equivalent
	default:
		m.Outcome = Inconclusive // until the corrected p-value says more
		m.NeedRuns = neededRuns(old, new, unit, tolerance)
	}
}

// above reports whether a value is surely larger than another: one that is only a
// lower bound is so when it is, and none is surely larger than it.
func above(a, b observation) bool { return !b.atLeast && a.value > b.value }

// comparable reports whether most pairs of runs can be told apart or are equal: a lower
// bound says nothing about values beyond it. Else limit is the lowest bound.
func comparable(old, new []observation) (limit float64, ok bool) {
	limit = math.Inf(1)
	open := 0
	for _, o := range old {
		for _, n := range new {
			if (o.atLeast || n.atLeast) && !above(o, n) && !above(n, o) {
				open++
				for _, x := range []observation{o, n} {
					if x.atLeast {
						limit = min(limit, x.value)
					}
				}
			}
		}
	}
	return limit, 2*open < len(old)*len(new)
}

// gehanScores replaces values, of which some are only lower bounds, by how many others
// of both sides are surely smaller less how many are surely larger (Gehan, Biometrika
// 52:203, 1965): a rank test of these is one of censored data. some is false where no
// value is a bound.
func gehanScores(old, new []observation) (a, b []float64, some bool) {
	all := slices.Concat(old, new)
	scores := make([]float64, len(all))
	for i, x := range all {
		some = some || x.atLeast
		for _, y := range all {
			if above(x, y) {
				scores[i]++
			}
			if above(y, x) {
				scores[i]--
			}
		}
	}
	return scores[:len(old)], scores[len(old):], some
}

// tolerance is the shift that matters: 3 %, 3 percentage points of headroom, or
// 0.1 points of a share.
func (m *measured) tolerance() float64 {
	switch {
	case m.Relative, m.HigherBetter:
		return material
	}
	return 0.001
}

// indicate says what too few runs suggest. A shift counts when it is material
// and the intervals within the runs are apart; where a run has no interval, when
// it is larger than runs usually differ by (10 %, 10 points).
func (m *measured) indicate() {
	m.P, m.ShiftLow, m.ShiftHigh = nil, nil, nil
	if m.OldAtLeast && m.NewAtLeast {
		m.Outcome, m.Note = NoDifference, "no onset on either side"
		return
	}
	worse := *m.Shift < 0
	if !m.HigherBetter {
		worse = *m.Shift > 0
	}
	apart, known := intervalsApart(m.old, m.new)
	beyond := math.Abs(*m.Shift) > m.tolerance()
	between := m.between()
	if !between.assumed {
		z := *m.Shift / m.deviation(between)
		apart, known = math.Abs(z) > between.quantile, true
		m.Note = joinNotes(m.Note, fmt.Sprintf("z=%.1f against the spread between %s", z, between.of))
	}
	if !known {
		beyond = math.Abs(*m.Shift) > 0.10
		apart = true
	}
	if between.assumed && beyond && apart && (m.Relative || m.HigherBetter) && math.Abs(*m.Shift) <= between.quantile*m.deviation(between) {
		beyond = false // shares are told by their own intervals
		m.Note = joinNotes(m.Note, fmt.Sprintf("within what runs differ by themselves, taken as %s", FormatPercent(between.sd, 2)))
	}
	switch {
	case !beyond || !apart:
		m.Outcome = NoDifference
	case worse:
		m.Outcome = IndicativeRegression
	default:
		m.Outcome = IndicativeChange
	}
}

// intervalsApart reports whether every interval of one side lies beyond all of
// the other's; known is false when a run has none. A censored value reaches up
// without end.
func intervalsApart(a, b []observation) (apart, known bool) {
	span := func(side []observation) (low, high float64, ok bool) {
		low, high = math.Inf(1), math.Inf(-1)
		for _, o := range side {
			if math.IsNaN(o.low) || math.IsNaN(o.high) {
				return 0, 0, false
			}
			low, high = min(low, o.low), max(high, o.high)
		}
		return low, high, true
	}
	al, ah, ok1 := span(a)
	bl, bh, ok2 := span(b)
	return ah < bl || bh < al, ok1 && ok2
}

func values(side []observation) []float64 {
	out := make([]float64, len(side))
	for i, o := range side {
		out[i] = o.value
	}
	return out
}

// censored reports whether the middle of a side is only a lower bound.
func censored(side []observation) bool {
	n := 0
	for _, o := range side {
		if o.atLeast {
			n++
		}
	}
	return 2*n > len(side)
}

// number returns nil for what was not measured.
func number(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
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
func onsetLoad(r *Report, name string) (observation, bool) {
	o := targetOf(r, name).Onset
	switch o.Status {
	case OnsetFound:
		if o.LoadRPS == nil {
			return observation{}, false
		}
		out := observation{value: *o.LoadRPS, low: math.NaN(), high: math.NaN()}
		if o.LoadLowRPS != nil && o.LoadHighRPS != nil {
			out.low, out.high = *o.LoadLowRPS, *o.LoadHighRPS
		}
		return out, true
	case OnsetFromStart:
		start := 0.0
		if o.LoadRPS != nil {
			start = *o.LoadRPS
		}
		return observation{value: start, low: 0, high: start}, true
	}
	// Without an onset the load that was sent is what is known; this machine's
	// limit caps it.
	sent := r.Totals.AchievedRPSMax
	return observation{value: sent, atLeast: true, low: sent, high: math.Inf(1)}, sent > 0
}

// searchAll reports whether every run searched for a capacity. That is then what
// the releases are compared by: which loads were sent follows from it.
func searchAll(old, new []*Report) bool {
	return !slices.ContainsFunc(slices.Concat(old, new), func(r *Report) bool { return r.Capacity == nil })
}

// searchedCapacity is what a search found, or its bound.
func searchedCapacity(r *Report) (observation, bool) {
	c := r.Capacity
	switch {
	case c.Status == CapacityFound && c.RPS != nil && c.LowRPS != nil && c.HighRPS != nil:
		return observation{value: *c.RPS, low: *c.LowRPS, high: *c.HighRPS}, true
	case c.RPS != nil:
		return observation{value: *c.RPS, low: *c.RPS, high: math.Inf(1), atLeast: true}, true
	case c.Status == CapacityBelow && c.HighRPS != nil:
		return observation{value: *c.HighRPS, low: 0, high: *c.HighRPS}, true
	}
	return observation{}, false
}

// goodput is the most successes per second over the loads of the ramp.
func goodput(r *Report, name string) (observation, bool) {
	best, seen := 0.0, false
	for _, b := range targetOf(r, name).ByLoad {
		if b.Seconds >= 1 && b.Requests >= b.Failed {
			best, seen = max(best, float64(b.Requests-b.Failed)/b.Seconds), true
		}
	}
	return observation{value: best, low: math.NaN(), high: math.NaN()}, seen
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
	return "geometric mean over the shared loads below " + FormatRate(math.Round(b.below))
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
func crossingLoad(r *Report, name string, share float64) (observation, bool) {
	c := targetOf(r, name).Crossing
	switch {
	case c == nil || c.Share != share && share > 0:
		return observation{}, false
	case c.LoadRPS != nil && c.LoadLowRPS != nil && c.LoadHighRPS != nil:
		return observation{value: *c.LoadRPS, low: *c.LoadLowRPS, high: *c.LoadHighRPS}, true
	case c.LoadLowRPS != nil && *c.LoadLowRPS > 0:
		return observation{value: *c.LoadLowRPS, atLeast: true, low: *c.LoadLowRPS, high: math.Inf(1)}, true
	}
	return observation{}, false
}

// matchedP99 is the geometric mean of the p99 at each shared load below the
// onsets: a ratio of two such means is the mean ratio at equal loads.
func matchedP99(r *Report, name string, bins bins) (observation, bool) {
	return matchedLatency(r, name, bins, 0.99)
}

// matchedLatency is the same of p50 or p99, in milliseconds.
func matchedLatency(r *Report, name string, bins bins, percentile float64) (observation, bool) {
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
	return observation{value: math.Exp(sum / float64(max(n, 1))), low: math.NaN(), high: math.NaN()}, n > 0
}

// matchedShare is a share over the shared loads, each weighing by its requests,
// with its Clopper-Pearson interval.
func matchedShare(r *Report, name string, bins bins, of func(LoadBin) (k, n uint64)) (observation, bool) {
	var k, n uint64
	for _, b := range targetOf(r, name).ByLoad {
		if bins.has(b.LowRPS) {
			bk, bn := of(b)
			k, n = k+bk, n+bn
		}
	}
	if n == 0 {
		return observation{}, false
	}
	low, high := stats.ClopperPearson(float64(k), float64(n), 0.95)
	return observation{value: float64(k) / float64(n), low: low, high: high}, true
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

func headroomOf(r *Report, key resourceKey) (observation, bool) {
	least := math.Inf(1)
	for _, res := range r.Resources {
		if (resourceKey{res.Host, res.Process, res.Name, res.Instance}) == key && res.Utilisation != nil {
			least = min(least, max(0, 1-*res.Utilisation))
		}
	}
	return observation{value: least, low: math.NaN(), high: math.NaN()}, !math.IsInf(least, 1)
}
