package report

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/rampload/rampload/report/compare"
	"github.com/rampload/rampload/report/format"
)

// ErrDifferent means that reports are not of one profile and engine, so that a
// difference between them says nothing of the release.
var ErrDifferent = errors.New("reports differ in more than the release")

// CompareOptions is how releases are compared. The zero value is the careful one.
type CompareOptions struct {
	// Force compares runs of different profiles or engines all the same.
	Force bool
	// Strict makes an indicative regression one (exit 1), and a comparison that
	// stays inconclusive undecided (exit 4).
	Strict bool
	// History are older runs of the profile. Where a side has too few runs to show how
	// much runs differ by themselves, these do.
	History []*Report
}

// Outcomes of one compared metric, see [compare].
const (
	Regression           = compare.Regression
	Improvement          = compare.Improvement
	Equivalent           = compare.Equivalent
	Inconclusive         = compare.Inconclusive
	IndicativeRegression = compare.IndicativeRegression
	IndicativeChange     = compare.IndicativeChange
	NoDifference         = compare.NoDifference
	NotComparable        = compare.NotComparable
)

// Side is the runs of one release.
type Side struct {
	Labels []string `json:"labels"`
	Runs   int      `json:"runs"`
}

// MetricComparison is one metric over all runs of both sides.
type MetricComparison = compare.Metric

// Comparison is the difference between two releases.
type Comparison struct {
	Schema     int                `json:"schema"`
	Name       string             `json:"name"` // of the profile
	Old        Side               `json:"old"`
	New        Side               `json:"new"`
	Indicative bool               `json:"indicative"` // too few runs for a proof
	Metrics    []MetricComparison `json:"metrics"`
	// OldFull and NewFull are the resource that was full first, by run.
	OldFull  []string `json:"old_first_saturated"`
	NewFull  []string `json:"new_first_saturated"`
	OldCause []string `json:"old_causes"` // by run
	NewCause []string `json:"new_causes"`
	Summary  string   `json:"summary"`
	Warnings []string `json:"warnings"`
	ExitCode int      `json:"exit_code"`
}

// Compare compares the runs of two releases. The replicate is the run, never the
// window: windows of one run are not independent (taken as such they flag half of
// all unchanged releases). With five or more runs on each side each metric is
// tested by Mann-Whitney with the Hodges-Lehmann shift, primary metrics corrected
// by Holm, the others by Benjamini-Hochberg; a regression is p < 0.05 and a shift
// of more than 3 %. With fewer the result is indicative: it proves nothing, and
// only Strict lets it fail.
//
// The error matches [ErrDifferent] when the runs are not of one profile and
// engine.
func Compare(old, new []*Report, opt CompareOptions) (Comparison, error) {
	if len(old) == 0 || len(new) == 0 {
		return Comparison{}, errors.New("compare reports: each side needs at least one report")
	}
	c := Comparison{
		Schema: Schema, Name: new[0].Name, Old: side(old), New: side(new), Warnings: []string{},
		Indicative: min(len(old), len(new)) < compare.MinRuns,
		OldFull:    each(old, firstFull), NewFull: each(new, firstFull),
		OldCause: each(old, causeOf), NewCause: each(new, causeOf),
	}
	if err := sameProfile(old, new); err != nil {
		if !opt.Force {
			return Comparison{}, fmt.Errorf("compare reports: %w; compare runs of one profile, or pass --force to compare all the same", err)
		}
		c.Warnings = append(c.Warnings, err.Error()+": a difference may be of the profile, not of the release")
	}
	if len(sharedTargets(old, new)) == 0 {
		return Comparison{}, fmt.Errorf("compare reports: %w: they have no target in common (%s; %s)", ErrDifferent, strings.Join(targetNames(old), ", "), strings.Join(targetNames(new), ", "))
	}
	c.Warnings = append(c.Warnings, doubts(old, new)...)
	c.Metrics = compare.Judge(compareMetrics(old, new, opt.History), c.Indicative)
	if c.Indicative {
		c.Warnings = append(c.Warnings, fmt.Sprintf("indicative only: %d and %d runs; a proof needs %d of each release, taken in turns (old, new, new, old)",
			len(old), len(new), compare.MinRuns))
	}
	c.Summary, c.ExitCode = conclude(c, opt)
	return c, nil
}

// targetNames are the names of all targets, each once, in order.
func targetNames(reports []*Report) []string {
	var out []string
	for _, r := range reports {
		for _, t := range r.Targets {
			if !slices.Contains(out, t.Name) {
				out = append(out, t.Name)
			}
		}
	}
	return out
}

func side(reports []*Report) Side {
	s := Side{Runs: len(reports), Labels: []string{}}
	for _, r := range reports {
		if r.Label != "" && !slices.Contains(s.Labels, r.Label) {
			s.Labels = append(s.Labels, r.Label)
		}
	}
	return s
}

func each(reports []*Report, of func(*Report) string) []string {
	out := make([]string, len(reports))
	for i, r := range reports {
		out[i] = of(r)
	}
	return out
}

// sameProfile returns an error that names the first difference.
func sameProfile(old, new []*Report) error {
	first := old[0]
	for _, r := range slices.Concat(old[1:], new) {
		switch {
		case r.Profile.Fingerprint != first.Profile.Fingerprint:
			return fmt.Errorf("%w: profile %s (%s) and profile %s (%s)", ErrDifferent,
				first.Name, shortHash(first.Profile.Fingerprint), r.Name, shortHash(r.Profile.Fingerprint))
		case r.Profile.Engine != first.Profile.Engine:
			return fmt.Errorf("%w: engine %s and engine %s", ErrDifferent, first.Profile.Engine, r.Profile.Engine)
		}
	}
	for _, r := range slices.Concat(old, new) {
		if done := r.ByHand(); done != "" {
			return fmt.Errorf("%w: the load of the run of %s was changed by hand (%s)", ErrDifferent, r.Started.Format(time.DateTime), done)
		}
	}
	return nil
}

func shortHash(s string) string { return s[:min(len(s), 12)] }

// doubts are reasons to trust the comparison less.
func doubts(old, new []*Report) []string {
	var out []string
	say := func(format string, args ...any) {
		if s := fmt.Sprintf(format, args...); !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	first := old[0].Environment
	for i, r := range slices.Concat(old, new) {
		name := "old"
		if i >= len(old) {
			name = "new"
		}
		if r.Generator.Limited {
			say("a run of the %s release was limited by its generator: its loads are lower bounds", name)
		}
		if !r.Complete || r.Interrupted {
			say("a run of the %s release was cut short: it counts as far as it went", name)
		}
		if e := r.Environment; e.Kernel != first.Kernel || e.Host != first.Host || e.CPUs != first.CPUs {
			say("runs were made on different machines or kernels (%s %s, %s %s)", first.Host, first.Kernel, e.Host, e.Kernel)
		}
		if r.Environment.Rampload != first.Rampload {
			say("runs were made by different versions of rampload (%s, %s)", first.Rampload, r.Environment.Rampload)
		}
	}
	return out
}

// firstFull names the resource that was full first, with its load.
func firstFull(r *Report) string {
	var best *Resource
	for i, res := range r.Resources {
		limited := res.Kind == "hard-limit" || res.Kind == "utilisation"
		// A plateau far below the limit is saturation of something else.
		full := res.Verdict == "cause" || res.Utilisation != nil && *res.Utilisation >= 0.9
		if res.SaturatedAtS == nil || !limited || !full || res.Verdict == "full-throughout" {
			continue
		}
		if best == nil || *res.SaturatedAtS < *best.SaturatedAtS {
			best = &r.Resources[i]
		}
	}
	if best == nil {
		return "none"
	}
	s := best.Name + " on " + best.Host
	if best.LoadRPS != nil {
		s += " at " + format.Rate(math.Round(*best.LoadRPS))
	}
	return s
}

func causeOf(r *Report) string {
	if len(r.Findings) == 0 {
		return ""
	}
	if c := r.Findings[0].Cause; c != "" {
		return c
	}
	return r.Findings[0].Verdict
}

// conclude sums the comparison up and gives its exit code.
func conclude(c Comparison, opt CompareOptions) (string, int) {
	count := map[string][]string{}
	var open, blank []string // main metrics that neither regressed nor held; those without a value
	for _, m := range c.Metrics {
		name := m.Metric
		if m.Target != "" {
			name = m.Target + " " + name
		}
		count[m.Outcome] = append(count[m.Outcome], name)
		if m.Primary && m.Outcome == NotComparable {
			blank = append(blank, name)
		}
		if m.Primary && (m.Outcome == Inconclusive || m.Outcome == NotComparable) {
			open = append(open, name+" ("+m.Outcome+")")
		}
	}
	list := func(outcome string) string { return strings.Join(count[outcome], ", ") }
	if !slices.ContainsFunc(c.Metrics, func(m MetricComparison) bool {
		return m.Outcome != NotComparable && (m.Target != "" || m.Primary)
	}) {
		if len(open) == 0 {
			return "undecided: a release has no run with a value", ExitUndecided
		}
		return "undecided: " + strings.Join(open, ", "), ExitUndecided
	}
	switch {
	case len(count[Regression]) > 0:
		return "regressed: " + list(Regression), ExitFailed
	case len(count[IndicativeRegression]) > 0:
		s := "indicative regression, not proven: " + list(IndicativeRegression)
		if opt.Strict {
			return s, ExitFailed
		}
		return s, ExitPassed
	case opt.Strict && len(open) > 0:
		return "undecided: " + strings.Join(open, ", "), ExitUndecided
	case len(count[Improvement]) > 0:
		return "no regression; improved: " + list(Improvement), ExitPassed
	case len(count[Inconclusive]) > 0:
		return "no regression proven; inconclusive: " + list(Inconclusive), ExitPassed
	}
	s := "no regression"
	if c.Indicative {
		s += " seen"
	}
	if len(blank) > 0 {
		s += "; not comparable: " + strings.Join(blank, ", ")
	}
	return s, ExitPassed
}
