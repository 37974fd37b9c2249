package regression

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/compare"
	"github.com/rampload/rampload/report/stats"
	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// SameAs returns an error that names a report of another profile or engine than wanted; it
// matches [report.ErrDifferent].
func SameAs(name, fingerprint, engine string, of *report.Report) error {
	switch {
	case of.Profile.Engine != engine:
		return fmt.Errorf("baseline %s: %w: it was run with engine %s, not %s", name, report.ErrDifferent, of.Profile.Engine, engine)
	case of.Profile.Fingerprint != fingerprint:
		return fmt.Errorf("baseline %s: %w: it is of another profile (%s, %s, not %s)", name, report.ErrDifferent,
			of.Name, shortHash(of.Profile.Fingerprint), shortHash(fingerprint))
	case len(of.Hands) > 0:
		return fmt.Errorf("baseline %s: %w: its load was changed by hand (%s)", name, report.ErrDifferent, of.ByHand())
	}
	return nil
}

// HoldAgainst compares a run with earlier ones of its profile and judges the gates that
// name the baseline; files says where they are. The runs must be of one profile and engine
// (see [SameAs]); without any it does nothing. The exit code is set anew.
func HoldAgainst(r *report.Report, gates []profiles.Gate, runs []*report.Report, files []string) error {
	if len(runs) == 0 {
		return nil
	}
	c, err := Compare(runs, []*report.Report{r}, Options{})
	if err != nil {
		return err
	}
	r.Baseline = &report.Baseline{Files: files, Labels: c.Old.Labels, Runs: len(runs), Metrics: c.Metrics, Summary: c.Summary}
	for _, g := range gates {
		if g.Baseline == 0 {
			continue
		}
		result := judgeAgainst(r, g, runs)
		result.Expr = g.Text
		i := slices.IndexFunc(r.Gates, func(x report.GateResult) bool { return x.Expr == g.Text })
		if i < 0 {
			r.Gates = append(r.Gates, result)
		} else {
			r.Gates[i] = result
		}
	}
	r.ExitCode = report.Outcome(report.Ending{NotCarriedOut: r.Error != "", Interrupted: r.Interrupted || !r.Complete, Aborted: r.Aborted != "", Gates: r.Gates})
	return nil
}

// BaselineGates returns the gates of a report that name a baseline.
func BaselineGates(r *report.Report) []profiles.Gate {
	var out []profiles.Gate
	for _, result := range r.Gates {
		if g, err := profiles.ParseGate(result.Expr); err == nil && g.Baseline > 0 {
			out = append(out, g)
		}
	}
	return out
}

// judgeAgainst judges a gate on the target, or the resource, that comes out worst.
func judgeAgainst(r *report.Report, g profiles.Gate, runs []*report.Report) report.GateResult {
	out := report.GateResult{Unit: report.UnitName(g.Unit), Result: report.GateUndecided}
	if r.Interrupted || !r.Complete || r.Error != "" {
		out.Reason = "the run did not go to its end"
		return out
	}
	all := against(r, g, runs)
	if len(all) == 0 {
		out.Reason = fmt.Sprintf("%s has no value in this run and in the baseline's", g.Text[:strings.Index(g.Text, " ")])
		return out
	}
	rank := map[string]int{report.GateFailed: 2, report.GateUndecided: 1}
	worst := -1
	for _, m := range all {
		result, reason := holdAgainst(&m, g)
		if own := r.Generator; own.Limited && (result == report.GatePassed || g.Metric == profiles.GateFailures || g.Metric == profiles.GateLatency) {
			result, reason = report.GateUndecided, "this machine was the limit; so far "+reason
		}
		if rank[result] <= worst {
			continue
		}
		worst = rank[result]
		out.Result, out.Reason, out.Value = result, reason, nil
		if len(m.After) > 0 {
			v := m.After[0].Value
			if g.Unit == profiles.UnitDuration {
				v /= 1e3
			}
			out.Value = &v
		}
		if m.Target != "" && len(all) > 1 {
			out.Reason = m.Target + ": " + reason
		}
	}
	return out
}

// against collects what a gate compares, as [Compare] does.
func against(r *report.Report, g profiles.Gate, runs []*report.Report) []compare.Measured {
	here := []*report.Report{r}
	var out []compare.Measured
	add := func(m compare.Metric, of func(*report.Report) (compare.Observation, bool)) {
		x := compare.Measured{Metric: m, Before: observe(runs, of), After: observe(here, of)}
		x.OldRuns, x.NewRuns = len(x.Before), len(x.After)
		out = append(out, x)
	}
	if g.Metric == profiles.GateHeadroom {
		for _, key := range sharedResources(runs, here) {
			if key.name == g.Of {
				add(compare.Metric{Target: key.host, Metric: g.Of, HigherBetter: true}, func(r *report.Report) (compare.Observation, bool) { return headroomOf(r, key) })
			}
		}
		return out
	}
	for _, name := range sharedTargets(runs, here) {
		if g.Of != "" && g.Of != name {
			continue
		}
		bins := matchedBins(name, runs, here)
		if g.UpTo > 0 {
			bins.upTo(g.UpTo, targetOf(r, name))
		}
		m := compare.Metric{Target: name, Metric: string(g.Metric)}
		switch g.Metric {
		case profiles.GateOnset:
			m.HigherBetter, m.Relative = true, true
			add(m, func(r *report.Report) (compare.Observation, bool) { return onsetLoad(r, name) })
		case profiles.GateCrosses:
			m.HigherBetter, m.Relative = true, true
			add(m, func(r *report.Report) (compare.Observation, bool) { return crossingLoad(r, name, g.Share) })
		case profiles.GateLatency:
			m.Relative, m.Note = true, bins.note()
			add(m, func(r *report.Report) (compare.Observation, bool) { return matchedLatency(r, name, bins, g.Percentile) })
		default:
			add(m, func(r *report.Report) (compare.Observation, bool) { return shareOf(r, g.Metric, name, bins) })
		}
	}
	return out
}

// shareOf is a share at shared loads, whose interval counts events that come together as
// fewer ones.
func shareOf(r *report.Report, metric profiles.GateMetric, name string, bins bins) (compare.Observation, bool) {
	resets := metric != profiles.GateFailures
	column := "/failures"
	if resets {
		column = "/wire_resets"
	}
	var k, n uint64
	for _, b := range targetOf(r, name).ByLoad {
		switch {
		case !bins.has(b.LowRPS):
		case resets:
			k, n = k+b.WireResets, n+max(b.Attempts, b.WireResets)
		default:
			k, n = k+b.Failed, n+b.Requests
		}
	}
	if n == 0 {
		return compare.Observation{}, false
	}
	together, _ := clustering(r, name+column, name+"/requests")
	low, high := stats.ClopperPearson(float64(k)/together, float64(n)/together, 2*report.Confidence-1)
	return compare.Observation{Value: float64(k) / float64(n), Low: low, High: high}, true
}

// clustering is how much less the events of a column say than independent ones would, as
// likely as not and at most.
func clustering(r *report.Report, events, of string) (likely, most float64) {
	y, e := r.Windows.Columns[events], r.Windows.Columns[of]
	if len(y) == 0 || len(y) != len(e) || r.Windows.IntervalMS <= 0 {
		return 1, 1
	}
	ys, es := make([]float64, len(y)), make([]float64, len(y))
	for i := range y {
		if y[i] != nil && e[i] != nil {
			ys[i], es[i] = *y[i], *e[i]
		}
	}
	return stats.Clustering(ys, es, r.Windows.IntervalMS/1e3)
}

// judge decides a gate on one run against the runs of the baseline: what differs by less
// than runs do by themselves proves nothing.
func holdAgainst(m *compare.Measured, g profiles.Gate) (result, reason string) {
	if len(m.Before) == 0 || len(m.After) == 0 {
		side := "this run has"
		if len(m.Before) == 0 {
			side = "the baseline has"
		}
		return report.GateUndecided, fmt.Sprintf("%s no value of %s", side, m.Metric.Metric)
	}
	base := stats.Median(compare.Values(m.Before))
	now := m.After[0]
	m.Old, m.New = &base, &now.Value
	if !m.Relative && !m.HigherBetter {
		return holdShares(m, g, now)
	}
	open := compare.Censored(m.Before)
	format := func(v float64, atLeast bool) string {
		s := map[profiles.Unit]func(float64) string{
			profiles.UnitRate:     func(v float64) string { return report.FormatRate(math.Round(v)) },
			profiles.UnitDuration: func(v float64) string { return report.FormatSeconds(v / 1e3) },
			profiles.UnitRatio:    func(v float64) string { return report.FormatPercent(v, 3) },
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
		return report.GateUndecided, "the baseline's value is 0, so a factor on it says nothing"
	}
	sd, quantile, how := ownSpread(m, g.Baseline, unit)
	reason = fmt.Sprintf("%s, the baseline has %s", format(now.Value, now.AtLeast), format(base, open))
	beyond := (now.Value - g.Baseline*base) / unit // above 0: larger than the factor asks for
	if g.Op == profiles.Less || g.Op == profiles.LessOrEqual {
		beyond = -beyond
	}
	if m.Relative && !open && !now.AtLeast {
		reason += fmt.Sprintf(", %s of it", report.FormatPercent(now.Value/base, 3))
	}
	switch {
	case open && now.AtLeast && now.Value >= report.FairCrossing*g.Baseline*base:
		return report.GatePassed, reason
	case open && !now.AtLeast && beyond >= 0, !open && now.AtLeast && beyond < 0, open && now.AtLeast:
		return report.GateUndecided, reason + ": the load has to go higher to tell"
	case beyond >= quantile*sd:
		return report.GatePassed, reason + how
	case beyond < -quantile*sd:
		return report.GateFailed, reason + how
	}
	reason += how
	if quantile > 0 && math.Abs(beyond) > quantile*sd/math.Sqrt(1+g.Baseline*g.Baseline/float64(len(m.Before))) {
		return report.GateUndecided, reason + "; more baseline runs would decide it"
	}
	return report.GateUndecided, reason + fmt.Sprintf(": one run tells only what is more than %s from the limit; compare several with rampload compare --run", report.FormatPercent(quantile*sd, 2))
}

// ownSpread is the standard deviation of a run's distance from a factor on the median of
// the baseline, in units, and the one-sided quantile of a proof.
func ownSpread(m *compare.Measured, factor, unit float64) (sd, quantile float64, how string) {
	n := float64(len(m.Before))
	sd, quantile = compare.SpreadBetween, mathext.NormalQuantile(report.Confidence)
	how = fmt.Sprintf("; runs are taken to differ by %s (%d of %d baseline runs that would show it)", report.FormatPercent(compare.SpreadBetween, 2), len(m.Before), compare.MinRuns)
	if len(m.Before) >= 2 && !compare.Censored(m.Before) {
		own := stat.StdDev(compare.Values(m.Before), nil) / unit
		if len(m.Before) >= compare.MinRuns {
			sd, quantile = own, distuv.StudentsT{Sigma: 1, Nu: n - 1}.Quantile(report.Confidence)
			how = fmt.Sprintf("; the %d baseline runs differ by %s", len(m.Before), report.FormatPercent(own, 2))
		} else if own > sd {
			sd, how = own, fmt.Sprintf("; the %d baseline runs differ by %s", len(m.Before), report.FormatPercent(own, 2))
		}
	}
	within := 0.0
	if now := m.After[0]; !now.AtLeast && len(m.Before) < compare.MinRuns {
		if w := (now.High - now.Low) / unit / (2 * 1.96); !math.IsNaN(w) && !math.IsInf(w, 0) {
			within = w
		}
	}
	return math.Sqrt(sd*sd*(1+factor*factor/n) + within*within), quantile, how
}

// judgeShares decides a gate on shares by their own intervals.
func holdShares(m *compare.Measured, g profiles.Gate, now compare.Observation) (result, reason string) {
	low, high := 0.0, 0.0
	for _, o := range m.Before {
		low, high = low+o.Low/float64(len(m.Before)), high+o.High/float64(len(m.Before))
	}
	base := stat.Mean(compare.Values(m.Before), nil)
	reason = fmt.Sprintf("%s, at most %s; the baseline has %s", report.FormatPercent(now.Value, 3), report.FormatBound(now.High), report.FormatPercent(base, 3))
	switch {
	case now.Low > g.Baseline*high:
		return report.GateFailed, reason + ", at most " + report.FormatBound(high)
	case now.High <= g.Baseline*low:
		return report.GatePassed, reason
	case now.Value == 0 && now.High <= max(high, g.Baseline*high):
		return report.GatePassed, reason + ", and no request fails now"
	}
	return report.GateUndecided, reason + fmt.Sprintf(" (%s to %s): too few requests to tell; hold the load for longer", report.FormatPercent(low, 2), report.FormatBound(high))
}
