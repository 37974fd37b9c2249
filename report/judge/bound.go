package judge

import (
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report/stats"
)

// Confidence is that of every one-sided bound by which rare events are judged.
const Confidence = 0.95

// ShareAtMost returns the share below which the true one is with 95 % confidence
// when k of n were seen: close to 3/n for k = 0, and 1 without data.
func ShareAtMost(k, n uint64) float64 { return stats.UpperShare(float64(k), float64(n), Confidence) }

// CleanAtMost returns the share below which the true one is with 95 % confidence after n
// requests of which none failed, where as many can fail together as a gate takes it
// ([OfTogether]): it is what a gate judges by.
func CleanAtMost(n uint64) float64 {
	return stats.UpperShare(0, float64(n)/OfTogether(n), Confidence)
}

// Enough returns how many requests without a single event it takes to pass a
// gate: fewer prove nothing, however well they end. It is 0 for gates that need
// no number of requests: counts, onsets, headrooms, and shares that are to be
// exceeded.
func Enough(g profiles.Gate) uint64 {
	atMost := g.Op == profiles.Less || g.Op == profiles.LessOrEqual
	op, limit := g.Op, g.Value
	switch {
	case !atMost || g.Baseline > 0:
		return 0
	case g.Metric == profiles.GateLatency: // see judgePercentile
		op, limit = profiles.LessOrEqual, 1-g.Percentile
	case g.Unit != profiles.UnitRatio || g.Metric == profiles.GateHeadroom:
		return 0
	}
	if limit <= 0 || limit >= 1 {
		return 0
	}
	if g.Metric == profiles.GateLatency {
		return EnoughTogether(op, limit, 1)
	}
	return enoughOfShare(op, limit)
}

// enoughOfShare is how many requests without an event prove the limit of a share.
func enoughOfShare(op profiles.Op, limit float64) uint64 {
	if op.Holds(stats.UpperShare(0, spells, Confidence), limit) {
		return EnoughTogether(op, limit, 1) // of so short a run a spell is less than a request
	}
	return EnoughTogether(op, limit, Together)
}

// EnoughTogether is how many requests without an event prove a limit where so many can
// come together.
func EnoughTogether(op profiles.Op, limit, together float64) uint64 {
	together = max(1, together)
	n := uint64(float64(stats.CleanTrials(limit, Confidence)-1) * together)
	for !op.Holds(stats.UpperShare(0, float64(n)/together, Confidence), limit) {
		n++
	}
	return n
}

// Together is how many requests may fail together at most: where none failed, or too few
// to tell, a share is proven for failures that come in clusters of this mean size. In a
// short run they are fewer: a spell of failures takes no more than one of spells parts of
// it, else it is not a spell but what the run is like. So a run without a failure proves
// 1.3 % from 240 requests on, and less only beyond 12,000.
const (
	Together = 50
	spells   = 240
)

// OfTogether is how many of n requests may fail together; at least 1.
func OfTogether(n uint64) float64 { return min(Together, max(1, float64(n)/spells)) }

// FairCrossing is up to which part of a load failures must be proven to stay below a
// share: the last part of a ramp holds its end.
const FairCrossing = 0.98
