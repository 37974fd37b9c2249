package report

import (
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report/stats"
)

// confidence is that of every one-sided bound by which rare events are judged.
const confidence = 0.95

// ShareAtMost returns the share below which the true one is with 95 % confidence
// when k of n were seen: close to 3/n for k = 0, and 1 without data.
func ShareAtMost(k, n uint64) float64 { return upperBound(k, n, confidence) }

func upperBound(k, n uint64, confidence float64) float64 {
	return stats.UpperShare(float64(k), float64(n), confidence)
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
	together := float64(Together)
	if g.Metric == profiles.GateLatency {
		together = 1
	}
	return enough(op, limit, together)
}

// enough is how many requests without an event prove a limit where so many can come together.
func enough(op profiles.Op, limit, together float64) uint64 {
	together = max(1, together)
	n := uint64(float64(stats.CleanTrials(limit, confidence)-1) * together)
	for !op.Holds(stats.UpperShare(0, float64(n)/together, confidence), limit) {
		n++
	}
	return n
}

// Together is how many requests may fail together: where none failed, or too few to tell,
// a share is proven for failures that come in clusters of this mean size.
const Together = 50
