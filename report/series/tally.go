package series

import (
	"slices"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report/stats"
)

// Tally is the evidence of one window: events of some exposure.
type Tally struct{ K, N uint64 }

// Share is the share of events; NaN without exposure.
func (t Tally) Share() float64 { return float64(t.K) / float64(t.N) }

// Tallies is the evidence of a gate that counts, window by window over all of
// the gate's targets.
type Tallies struct {
	Windows []Tally
	Latency []attack.Histogram // only for a percentile
	Span    int                // windows of a sliding span; 0: the whole run
	Step    time.Duration      // of a window
	Cluster float64            // how much less the events say than as many independent ones, at least 1
	Most    float64            // the same at most: a share is proven small against this
	// Together is how many events may come together where too few were seen to tell;
	// up to 1: they come alone.
	Together float64
}

// Clustering measures how clustered the events are: by how much less they say than as many
// independent ones, as likely as not and at most.
func (t Tallies) Clustering() (likely, most float64) {
	if t.Step <= 0 {
		return 1, 1
	}
	y, e := make([]float64, len(t.Windows)), make([]float64, len(t.Windows))
	for i, w := range t.Windows {
		y[i], e[i] = float64(w.K), float64(w.N)
	}
	likely, most = stats.Clustering(y, e, t.Step.Seconds())
	if t.Groups() < fewGroups {
		most = max(most, t.Together)
	}
	if t.Latency != nil {
		most = max(most, stats.Wandering(y, e, t.Step.Seconds()))
	}
	return likely, most
}

// slowest is the share of requests by which [Tallies.SlowTogether] tells.
const slowest = 0.1

// SlowTogether is how much less the latencies say than as many independent ones, by how the
// slowest tenth of the requests is spread: where hardly one was as slow as is asked for,
// others tell.
func (t Tallies) SlowTogether() float64 {
	var all attack.Histogram
	for _, h := range t.Latency {
		all = all.Merge(h)
	}
	limit, ok := all.Quantile(1 - slowest)
	if !ok || t.Step <= 0 {
		return 1
	}
	y, e := make([]float64, len(t.Latency)), make([]float64, len(t.Latency))
	for i, h := range t.Latency {
		for _, b := range h {
			e[i] += float64(b.Count)
			if b.Value > limit {
				y[i] += float64(b.Count)
			}
		}
	}
	likely, _ := stats.Clustering(y, e, t.Step.Seconds())
	return likely
}

// fewGroups of events do not tell how many come together; groupPause parts two.
const (
	fewGroups  = 3
	groupPause = 3 * time.Second
)

// Groups is the number of groups of events with some seconds between them.
func (t Tallies) Groups() int {
	groups, last := 0, -1
	for i, w := range t.Windows {
		if w.K == 0 {
			continue
		}
		if last < 0 || time.Duration(i-last)*t.Step > groupPause {
			groups++
		}
		last = i
	}
	return groups
}

// Bounds are the one-sided confidence bounds of the share of a tally, with the
// effective number of requests: those that fail together count as one.
func (t Tallies) Bounds(w Tally, confidence float64) (low, high float64) {
	k, n := float64(w.K), float64(w.N)
	if w.K == 0 {
		return 0, stats.UpperShare(0, n/max(1, t.Together), confidence)
	}
	return stats.LowerShare(k/t.Cluster, n/t.Cluster, confidence), stats.UpperShare(k/t.Most, n/t.Most, confidence)
}

// Within is a span with how clustered events are in it: a spell that it is full of is
// what a span is judged for.
func (t Tallies) Within(from, to int) Tallies {
	if t.Span == 0 || t.Cluster == 1 {
		return t
	}
	part := Tallies{Windows: t.Windows[from:to], Step: t.Step} // how many fail together is not asked of a span
	part.Cluster, part.Most = part.Clustering()
	part.Cluster, part.Most = min(t.Cluster, part.Cluster), min(t.Most, part.Most)
	return part
}

// Only returns the windows of a band of loads, as if nothing else had been sent.
func (t Tallies) Only(keep func(window int) bool) Tallies {
	out := t
	out.Windows = make([]Tally, len(t.Windows))
	for i, w := range t.Windows {
		if keep(i) {
			out.Windows[i] = w
		}
	}
	return out
}

// Tally returns what a gate counts in one window: events and their exposure.
func (p *Point) Tally(g profiles.Gate) Tally {
	switch g.Metric {
	case profiles.GateWireResets:
		// Idle connections are reset without an attempt.
		return Tally{p.WireResets, max(p.Attempts, p.WireResets)}
	case profiles.GateVisibleResets:
		return Tally{p.VisibleResets, p.Requests}
	case profiles.GateFailures:
		return Tally{p.Failures, p.Requests}
	case profiles.GateLost:
		return Tally{p.Lost, p.Requests}
	case profiles.GateLatency:
		return over(p.Latency, g)
	}
	return Tally{}
}

// over counts the requests that break a percentile's limit: p99 < 250 ms holds
// when at most 1 % of them take 250 ms or longer.
func over(h attack.Histogram, g profiles.Gate) Tally {
	limit := g.Value * 1e6 // µs
	var t Tally
	for _, b := range h {
		v := float64(b.Value)
		if v > limit || v == limit && (g.Op == profiles.Less || g.Op == profiles.GreaterOrEqual) {
			t.K += b.Count
		}
		t.N += b.Count
	}
	return t
}

// Spans calls visit for every sliding span, or once for the whole run. The
// first span begins with the run.
func (t Tallies) Spans(visit func(from, to int, sum Tally)) {
	size := t.Span
	if size == 0 || size > len(t.Windows) {
		size = len(t.Windows)
	}
	var sum Tally
	for i, w := range t.Windows {
		sum.K += w.K
		sum.N += w.N
		if i >= size {
			sum.K -= t.Windows[i-size].K
			sum.N -= t.Windows[i-size].N
		}
		if i >= size-1 {
			visit(i-size+1, i+1, sum)
		}
	}
}

// Total is the sum of all windows.
func (t Tallies) Total() Tally {
	var sum Tally
	for _, w := range t.Windows {
		sum.K += w.K
		sum.N += w.N
	}
	return sum
}

// Thinnest returns the span that proves least: the one nearest to the limit, or, with
// nothing in any, that with the fewest requests among the full ones.
func (t Tallies) Thinnest(nearest Tally) Tally {
	if nearest.K > 0 || t.Span == 0 {
		return nearest
	}
	var counts []uint64
	t.Spans(func(_, _ int, sum Tally) {
		if sum.N > 0 {
			counts = append(counts, sum.N)
		}
	})
	if len(counts) == 0 {
		return Tally{}
	}
	slices.Sort(counts)
	return Tally{N: counts[len(counts)/2]}
}

// Covers reports whether a gate is judged on windows of this length that are
// offered this load, in requests per second over all targets.
func Covers(g profiles.Gate, load float64, interval time.Duration) bool {
	if g.UpTo <= 0 || interval <= 0 {
		return true
	}
	return load <= g.UpTo+1/interval.Seconds()+1e-6
}
