package compare

import (
	"fmt"
	"math"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report/format"
	"github.com/rampload/rampload/report/judge"
	"github.com/rampload/rampload/report/stats"
	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// Hold decides a gate on one run, the only one of After, against the runs of its baseline,
// Before: what differs by less than runs do by themselves proves nothing. It sets Old and
// New of the metric. The result is one of [judge.Result].
func (m *Measured) Hold(g profiles.Gate) (result, reason string) {
	if len(m.Before) == 0 || len(m.After) == 0 {
		side := "this run has"
		if len(m.Before) == 0 {
			side = "the baseline has"
		}
		return judge.Undecided, fmt.Sprintf("%s no value of %s", side, m.Metric.Metric)
	}
	base := stats.Median(Values(m.Before))
	now := m.After[0]
	m.Old, m.New = &base, &now.Value
	if !m.Relative && !m.HigherBetter {
		return m.holdShares(g, now)
	}
	open := Censored(m.Before)
	write := func(v float64, atLeast bool) string {
		s := map[profiles.Unit]func(float64) string{
			profiles.UnitRate:     func(v float64) string { return format.Rate(math.Round(v)) },
			profiles.UnitDuration: func(v float64) string { return format.Seconds(v / 1e3) },
			profiles.UnitRatio:    func(v float64) string { return format.FinePercent(v) },
		}[g.Unit](v)
		if atLeast {
			s = "none up to " + s
		}
		return s
	}
	unit := 1.0
	if m.Relative {
		unit = math.Abs(base)
	}
	if unit == 0 {
		return judge.Undecided, "the baseline's value is 0, so a factor on it says nothing"
	}
	sd, quantile, how := m.ownSpread(g.Baseline, unit)
	reason = fmt.Sprintf("%s, the baseline has %s", write(now.Value, now.AtLeast), write(base, open))
	beyond := (now.Value - g.Baseline*base) / unit // above 0: larger than the factor asks for
	if g.Op == profiles.Less || g.Op == profiles.LessOrEqual {
		beyond = -beyond
	}
	if m.Relative && !open && !now.AtLeast {
		reason += fmt.Sprintf(", %s of it", format.FinePercent(now.Value/base))
	}
	switch {
	case open && now.AtLeast && now.Value >= judge.FairCrossing*g.Baseline*base:
		return judge.Passed, reason
	case open && !now.AtLeast && beyond >= 0, !open && now.AtLeast && beyond < 0, open && now.AtLeast:
		return judge.Undecided, reason + ": the load has to go higher to tell"
	case beyond >= quantile*sd:
		return judge.Passed, reason + how
	case beyond < -quantile*sd:
		return judge.Failed, reason + how
	}
	reason += how
	if quantile > 0 && math.Abs(beyond) > quantile*sd/math.Sqrt(1+g.Baseline*g.Baseline/float64(len(m.Before))) {
		return judge.Undecided, reason + "; more baseline runs would decide it"
	}
	return judge.Undecided, reason + fmt.Sprintf(": one run tells only what is more than %s from the limit; compare several with rampload compare --run", format.Percent(quantile*sd))
}

// ownSpread is the standard deviation of a run's distance from a factor on the median of
// the baseline, in units, and the one-sided quantile of a proof.
func (m *Measured) ownSpread(factor, unit float64) (sd, quantile float64, how string) {
	n := float64(len(m.Before))
	sd, quantile = SpreadBetween, mathext.NormalQuantile(judge.Confidence)
	how = fmt.Sprintf("; runs are taken to differ by %s (%d of %d baseline runs that would show it)", format.Percent(SpreadBetween), len(m.Before), MinRuns)
	if len(m.Before) >= 2 && !Censored(m.Before) {
		own := stat.StdDev(Values(m.Before), nil) / unit
		if len(m.Before) >= MinRuns {
			sd, quantile = own, distuv.StudentsT{Sigma: 1, Nu: n - 1}.Quantile(judge.Confidence)
			how = fmt.Sprintf("; the %d baseline runs differ by %s", len(m.Before), format.Percent(own))
		} else if own > sd {
			sd, how = own, fmt.Sprintf("; the %d baseline runs differ by %s", len(m.Before), format.Percent(own))
		}
	}
	within := 0.0
	if now := m.After[0]; !now.AtLeast && len(m.Before) < MinRuns {
		if w := (now.High - now.Low) / unit / (2 * 1.96); !math.IsNaN(w) && !math.IsInf(w, 0) {
			within = w
		}
	}
	return math.Sqrt(sd*sd*(1+factor*factor/n) + within*within), quantile, how
}

// holdShares decides a gate on shares by their own intervals.
func (m *Measured) holdShares(g profiles.Gate, now Observation) (result, reason string) {
	low, high := 0.0, 0.0
	for _, o := range m.Before {
		low, high = low+o.Low/float64(len(m.Before)), high+o.High/float64(len(m.Before))
	}
	base := stat.Mean(Values(m.Before), nil)
	reason = fmt.Sprintf("%s, at most %s; the baseline has %s", format.FinePercent(now.Value), format.Bound(now.High), format.FinePercent(base))
	switch {
	case now.Low > g.Baseline*high:
		return judge.Failed, reason + ", at most " + format.Bound(high)
	case now.High <= g.Baseline*low:
		return judge.Passed, reason
	case now.Value == 0 && now.High <= max(high, g.Baseline*high):
		return judge.Passed, reason + ", and no request fails now"
	}
	return judge.Undecided, reason + fmt.Sprintf(" (%s to %s): too few requests to tell; hold the load for longer", format.Percent(low), format.Bound(high))
}
