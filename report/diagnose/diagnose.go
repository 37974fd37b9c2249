// Package diagnose turns a run log into findings: it is the order of the steps, whose
// rooms are its sub-packages. It is pure: the same log gives the same result. It does
// not judge gates (package report) and does not print (report/render).
package diagnose

import (
	"slices"

	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/gather"
	"github.com/rampload/rampload/report/diagnose/generator"
	"github.com/rampload/rampload/report/diagnose/inquiry"
	"github.com/rampload/rampload/report/diagnose/kernels"
	"github.com/rampload/rampload/report/diagnose/onset"
	"github.com/rampload/rampload/report/diagnose/ranking"
	"github.com/rampload/rampload/report/diagnose/saturation"
	"github.com/rampload/rampload/report/diagnose/spoken"
	"github.com/rampload/rampload/report/diagnose/verdicts"
	"github.com/rampload/rampload/report/runlog"
	"github.com/rampload/rampload/report/stats"
)

// Analyze draws the conclusions of a run. It is pure: it neither reads a clock
// nor changes the log, and the same log gives the same result. A log without
// load gives the verdict inconclusive, never an error.
//
// The order is that of trust: first what the generator could not do, then where
// faults begin, then what ran out when, then which of the possible causes fits
// both, and last the words.
func Analyze(log *runlog.Log) Result { return AnalyzeWithout(log, nil) }

// AnalyzeWithout is Analyze with a catalogue that lacks the causes for which without
// holds: what is said of a fault that nobody foresaw is measured so.
func AnalyzeWithout(log *runlog.Log, without func(inquiry.Kind) bool) Result {
	return AnalyzeWith(log, Options{Without: without})
}

// Options change the rules, to measure what they are worth.
type Options struct {
	Without   func(inquiry.Kind) bool // causes that the catalogue lacks; nil: none
	Strengths inquiry.Strengths       // of what is seen, instead of the usual ones
}

// AnalyzeWith is Analyze with other rules.
func AnalyzeWith(log *runlog.Log, o Options) Result {
	a := evidence.NewRun(log)
	out, cases := analyze(a, generator.State(a), o)
	if g := out.Generator; g.Limited && len(cases) > 0 && !slices.ContainsFunc(cases, judged) {
		borne, sooner := analyze(evidence.NewRun(log.Until(g.At)), g, o)
		out = joined(out, borne, sooner)
	}
	return out
}

// analyze draws the conclusions of a run that a generator sent so.
func analyze(a *evidence.Run, g evidence.GeneratorState, o Options) (Result, []*evidence.Case) {
	out := Result{Generator: g}
	saturation.ReadResources(a)
	cases := make([]*evidence.Case, len(a.Targets))
	for i, t := range a.Targets {
		onsets := onset.Onsets(a, t)
		out.Targets = append(out.Targets, TargetResult{
			Name: t.Info.Name, Onsets: onsets,
			Recovery: onset.Recovery(a, t, onsets), MinDetectable: onset.MinDetectable(a, t), DetectableFor: stats.DetectableFor(stats.Rates{Step: a.Step}),
		})
		verdicts.SayClimbs(a, t, onsets)
		cases[i] = gather.Investigate(a, t, onsets)
		out.Targets[i].Said = spoken.Report(cases[i].Spoken, a.LoadAt)
	}
	a.CompareTargets(cases)
	generator.Limit(&out.Generator, cases)
	ranked := make([]*inquiry.Investigation, len(cases))
	for i, c := range cases {
		ranked[i] = &inquiry.Investigation{Case: c, Without: o.Without, Strengths: o.Strengths}
		ranking.Rank(ranked[i])
	}
	out.Findings = verdicts.Findings(a, ranked, out.Generator)
	for i, c := range cases {
		out.Targets[i].Way = c.Way.Report(verdicts.FailingHost(out.Findings, out.Targets[i].Name))
	}
	out.Resources = verdicts.ResourceVerdicts(a, ranked, out.Generator)
	verdicts.MarkSlowing(out.Findings, out.Resources)
	for _, c := range cases {
		if text := kernels.Translated(c); text != "" {
			a.Warnings = append(a.Warnings, c.Target.Info.Name+": "+text)
		}
	}
	out.Warnings = a.Warnings
	return out, cases
}
