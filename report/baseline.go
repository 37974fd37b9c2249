package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report/compare"
	"github.com/rampload/rampload/report/judge"
	"github.com/rampload/rampload/report/stats"
)

// Baseline is the earlier runs that a run was held against, and what came of it.
type Baseline struct {
	Files   []string           `json:"files"`
	Labels  []string           `json:"labels"`
	Runs    int                `json:"runs"`
	Metrics []MetricComparison `json:"metrics"` // Old is the baseline, New this run
	Summary string             `json:"summary"`
}

// noBaseline is why a gate against a baseline is undecided without one.
const noBaseline = "no baseline to hold it against: name earlier runs with --baseline FILE, a glob in quotes, or latest:DIR"

// SameAs returns an error that names a report of another profile or engine than wanted; it
// matches [ErrDifferent].
func SameAs(name, fingerprint, engine string, of *Report) error {
	switch {
	case of.Profile.Engine != engine:
		return fmt.Errorf("baseline %s: %w: it was run with engine %s, not %s", name, ErrDifferent, of.Profile.Engine, engine)
	case of.Profile.Fingerprint != fingerprint:
		return fmt.Errorf("baseline %s: %w: it is of another profile (%s, %s, not %s)", name, ErrDifferent,
			of.Name, shortHash(of.Profile.Fingerprint), shortHash(fingerprint))
	case len(of.Hands) > 0:
		return fmt.Errorf("baseline %s: %w: its load was changed by hand (%s)", name, ErrDifferent, of.ByHand())
	}
	return nil
}

// HoldAgainst compares a run with earlier ones of its profile and judges the gates that
// name the baseline; files says where they are. The runs must be of one profile and engine
// (see [SameAs]); without any it does nothing. The exit code is set anew.
func (r *Report) HoldAgainst(gates []profiles.Gate, runs []*Report, files []string) error {
	if len(runs) == 0 {
		return nil
	}
	c, err := Compare(runs, []*Report{r}, CompareOptions{})
	if err != nil {
		return err
	}
	r.Baseline = &Baseline{Files: files, Labels: c.Old.Labels, Runs: len(runs), Metrics: c.Metrics, Summary: c.Summary}
	for _, g := range gates {
		if g.Baseline == 0 {
			continue
		}
		result := r.judgeAgainst(g, runs)
		result.Expr = g.Text
		i := slices.IndexFunc(r.Gates, func(x GateResult) bool { return x.Expr == g.Text })
		if i < 0 {
			r.Gates = append(r.Gates, result)
		} else {
			r.Gates[i] = result
		}
	}
	r.ExitCode = Outcome(Ending{NotCarriedOut: r.Error != "", Interrupted: r.Interrupted || !r.Complete, Aborted: r.Aborted != "", Gates: r.Gates})
	return nil
}

// BaselineGates returns the gates of a report that name a baseline.
func (r *Report) BaselineGates() []profiles.Gate {
	var out []profiles.Gate
	for _, result := range r.Gates {
		if g, err := profiles.ParseGate(result.Expr); err == nil && g.Baseline > 0 {
			out = append(out, g)
		}
	}
	return out
}

// judgeAgainst judges a gate on the target, or the resource, that comes out worst.
func (r *Report) judgeAgainst(g profiles.Gate, runs []*Report) GateResult {
	out := GateResult{Unit: judge.UnitName(g.Unit), Result: GateUndecided}
	if r.Interrupted || !r.Complete || r.Error != "" {
		out.Reason = "the run did not go to its end"
		return out
	}
	all := r.against(g, runs)
	if len(all) == 0 {
		out.Reason = fmt.Sprintf("%s has no value in this run and in the baseline's", g.Text[:strings.Index(g.Text, " ")])
		return out
	}
	rank := map[string]int{GateFailed: 2, GateUndecided: 1}
	worst := -1
	for _, m := range all {
		result, reason := m.Hold(g)
		if own := r.Generator; own.Limited && (result == GatePassed || g.Metric == profiles.GateFailures || g.Metric == profiles.GateLatency) {
			result, reason = GateUndecided, "this machine was the limit; so far "+reason
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
func (r *Report) against(g profiles.Gate, runs []*Report) []compare.Measured {
	here := []*Report{r}
	var out []compare.Measured
	add := func(m MetricComparison, of func(*Report) (compare.Observation, bool)) {
		x := compare.Measured{Metric: m, Before: observe(runs, of), After: observe(here, of)}
		x.OldRuns, x.NewRuns = len(x.Before), len(x.After)
		out = append(out, x)
	}
	if g.Metric == profiles.GateHeadroom {
		for _, key := range sharedResources(runs, here) {
			if key.name == g.Of {
				add(MetricComparison{Target: key.host, Metric: g.Of, HigherBetter: true}, func(r *Report) (compare.Observation, bool) { return headroomOf(r, key) })
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
		m := MetricComparison{Target: name, Metric: string(g.Metric)}
		switch g.Metric {
		case profiles.GateOnset:
			m.HigherBetter, m.Relative = true, true
			add(m, func(r *Report) (compare.Observation, bool) { return onsetLoad(r, name) })
		case profiles.GateCrosses:
			m.HigherBetter, m.Relative = true, true
			add(m, func(r *Report) (compare.Observation, bool) { return crossingLoad(r, name, g.Share) })
		case profiles.GateLatency:
			m.Relative, m.Note = true, bins.note()
			add(m, func(r *Report) (compare.Observation, bool) { return matchedLatency(r, name, bins, g.Percentile) })
		default:
			add(m, func(r *Report) (compare.Observation, bool) { return r.shareOf(g.Metric, name, bins) })
		}
	}
	return out
}

// shareOf is a share at shared loads, whose interval counts events that come together as
// fewer ones.
func (r *Report) shareOf(metric profiles.GateMetric, name string, bins bins) (compare.Observation, bool) {
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
	together, _ := r.clustering(name+column, name+"/requests")
	low, high := stats.ClopperPearson(float64(k)/together, float64(n)/together, 2*judge.Confidence-1)
	return compare.Observation{Value: float64(k) / float64(n), Low: low, High: high}, true
}

// clustering is how much less the events of a column say than independent ones would, as
// likely as not and at most.
func (r *Report) clustering(events, of string) (likely, most float64) {
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
