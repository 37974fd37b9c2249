package compare

import (
	"fmt"
	"math"

	"github.com/rampload/rampload/report/stats"
	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// SpreadBetween is how much runs of one release are taken to differ by themselves (one
// standard deviation, relative or in points of a headroom), where too few runs show it.
const SpreadBetween = 0.03

// familyAlpha is the two-sided error rate of one of three primary metrics.
const familyAlpha = alpha / 3

// spread is how much runs of one release differ by themselves.
type spread struct {
	sd       float64 // relative to the old value where the metric is
	quantile float64 // so many standard deviations of a shift are no play of chance
	assumed  bool    // too few runs show it
	of       string  // which runs show it
}

// between returns the spread of the older runs, else of the old side, else what is
// assumed. Of fewer than five runs the larger of both counts.
func (m *Measured) between() spread {
	unit := 1.0
	if m.Relative {
		unit = math.Abs(*m.Old)
	}
	out := spread{sd: SpreadBetween, quantile: mathext.NormalQuantile(1 - familyAlpha/2), assumed: true}
	for _, from := range []struct {
		side []Observation
		of   string
	}{{m.History, "the baseline runs"}, {m.Before, "the old runs"}} {
		if len(from.side) < 2 || Censored(from.side) {
			continue
		}
		sd := stat.StdDev(Values(from.side), nil) / unit
		if n := len(from.side); n >= MinRuns && sd > 0 {
			t := distuv.StudentsT{Sigma: 1, Nu: float64(n - 1)}
			return spread{sd: sd, quantile: t.Quantile(1 - familyAlpha/2), of: fmt.Sprintf("%d of %s", n, from.of)}
		}
		out.sd = max(out.sd, sd)
	}
	return out
}

// deviation is the standard deviation of a shift: between runs, and of what the interval
// within each leaves open.
func (m *Measured) deviation(between spread) float64 {
	unit := 1.0
	if m.Relative {
		unit = math.Abs(*m.Old)
	}
	variance := between.sd * between.sd * (1/float64(len(m.Before)) + 1/float64(len(m.After)))
	if !between.assumed {
		return math.Sqrt(variance) // has that in it
	}
	for _, side := range [][]Observation{m.Before, m.After} {
		for _, o := range side {
			if w := (o.High - o.Low) / unit / (2 * 1.96); !math.IsNaN(w) && !math.IsInf(w, 0) {
				variance += w * w / float64(len(side)*len(side))
			}
		}
	}
	return math.Sqrt(variance)
}

const (
	powerShift  = 0.05 // the change for the worse whose power is told
	powerWanted = 0.8
	mostRuns    = 100
)

// power says how surely so many runs show a change for the worse by 5 %, and how many
// would in 80 of 100 comparisons. family is how many metrics are tested together.
func (m *Measured) power(family int) *Power {
	if !m.Primary || !m.Relative || m.Shift == nil || m.OldAtLeast && m.NewAtLeast {
		return nil
	}
	between := m.between()
	p := &Power{Shift: powerShift, Spread: between.sd, Assumed: between.assumed, Runs: min(len(m.Before), len(m.After))}
	if m.HigherBetter {
		p.Shift = -powerShift
	}
	if len(m.Before) >= MinRuns && len(m.After) >= MinRuns {
		// Both sides show it.
		p.Spread = math.Sqrt((stat.Variance(Values(m.Before), nil)+stat.Variance(Values(m.After), nil))/2) / math.Abs(*m.Old)
		p.Assumed = false
	}
	level := alpha / float64(max(1, family))
	prove := func(n int) float64 { return stats.ShiftPower(n, powerShift, p.Spread, level, Material) }
	if p.Runs >= MinRuns {
		p.Share = prove(p.Runs)
	} else {
		// As indicative: beyond what chance does.
		sd := max(1e-9, m.deviation(between))
		least := max(between.quantile*sd, Material)
		p.Share = stats.NormalCDF((powerShift-least)/sd) + stats.NormalCDF((-powerShift-least)/sd)
	}
	p.NeedRuns = runsOfPower(p.Spread, level, prove)
	return p
}

// runsOfPower is how many runs of each release prove the shift as surely as is wanted; 0:
// more than mostRuns. The normal approximation (the efficiency of the Mann-Whitney test is
// 3/π) says where to begin, simulation the rest.
func runsOfPower(spread, level float64, prove func(n int) float64) int {
	z := mathext.NormalQuantile(1-level/2) + mathext.NormalQuantile(powerWanted)
	need := 2 * z * z * spread * spread / (powerShift * powerShift) * math.Pi / 3
	if need > mostRuns {
		return 0
	}
	n := max(MinRuns, int(math.Ceil(need)))
	const exact = 40 // beyond it the approximation is as good, and simulation slow
	if n > exact {
		return n
	}
	for n > MinRuns && prove(n-1) >= powerWanted {
		n--
	}
	for n < mostRuns && prove(n) < powerWanted {
		n++
	}
	return n
}
