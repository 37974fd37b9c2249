// Package assemble makes the report of a run from its log: it counts, bins, judges
// gates and takes over what diagnosis concluded. It is pure: the same log and
// gates give the same report. It does not measure, conclude causes
// (report/diagnose) or print (report/render).
package assemble

import (
	"errors"
	"math"
	"time"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose"
	"github.com/rampload/rampload/report/diagnose/spoken"
	"github.com/rampload/rampload/report/runlog"
	"github.com/rampload/rampload/report/traffic"
)

// Options is what a report needs beside the log.
type Options struct {
	// Gates are judged. The log holds the profile they come from as redacted YAML
	// only; whoever can parse that passes them.
	Gates []profiles.Gate
	// Search is what the profile searches for; nil: it does not.
	Search *Search
}

// Build returns the report of a log. A log without an end gives a report that is
// not complete. The error says that the log cannot be reported on at all: it has
// no targets or no interval.
func Build(log *runlog.Log, opt Options) (*report.Report, error) {
	if err := check(log); err != nil {
		return nil, err
	}
	log, counted := traffic.Read(log)
	if counted != nil {
		opt = Options{} // gates are about the profile's own load
	}
	log = withHands(log)
	r := assemble(log, diagnose.Analyze(withSteps(log)), opt)
	r.Watched = counted
	return r, nil
}

func check(log *runlog.Log) error {
	switch {
	case log == nil || len(log.Header.Targets) == 0:
		return errors.New("build report: the run log names no targets; the run ended before its load began")
	case log.Header.Interval <= 0:
		return errors.New("build report: the run log states no window interval; it is damaged")
	}
	return nil
}

// assemble joins what was counted and what was concluded.
func assemble(log *runlog.Log, result diagnose.Result, opt Options) *report.Report {
	series := seriesOf(log)
	h := log.Header
	r := &report.Report{
		Schema:  report.Schema,
		Name:    h.Name,
		Label:   h.Label,
		Started: h.Started.UTC(),
		Ended:   h.Started.UTC().Add(ended(log)),
		Profile: report.Profile{
			YAML:        h.Profile,
			Fingerprint: h.Fingerprint,
			Engine:      h.Generator.Engine,
			DurationS:   planned(h).Seconds(),
			MaxRPS:      maxLoad(h),
			Stages:      stages(h),
		},
		Environment: report.Environment{
			Rampload: h.Rampload, Go: h.Go, OS: h.OS, Kernel: h.Kernel, Host: h.Host,
			CPUs: h.CPUs, GitCommit: h.GitCommit, RunID: h.RunID, SkipVerify: h.Generator.SkipVerify,
		},
		Totals:    runTotals(log, series),
		Targets:   targets(log, series, result, opt.Gates),
		Resources: resources(result),
		Findings:  findings(result),
		Generator: generator(log, result),
		Sources:   sources(log),
		Traces:    spoken.CountTraces(log),
		Warnings:  warnings(log, result),
	}
	if idle := idleFindings(r); idle != nil {
		r.Findings = idle
	}
	r.Warnings = append(r.Warnings, redirects(r.Targets)...)
	r.Hands = hands(log)
	notJoined(log, r.Sources)
	r.Journeys, r.Completions = report.Journeys(r.Targets), report.Completions(r.Targets)
	r.Events, r.EventsLeftOut = events(log)
	r.Marks = marks(log)
	nameMarks(r)
	r.Windows = windows(log, series, result)
	if t := log.Trailer; t != nil {
		r.Complete = !log.Truncated
		r.Interrupted, r.Aborted, r.Error = t.Interrupted, t.Aborted, t.Error
	}
	r.Gates = report.Judge(opt.Gates, judged(log, opt.Gates, series, result, r))
	if r.Capacity = capacity(log, series, opt.Search, result); r.Capacity != nil {
		r.Gates = append([]report.GateResult{searchGate(r.Capacity)}, r.Gates...)
	}
	r.ExitCode = report.Outcome(report.Ending{
		NotCarriedOut: r.Error != "",
		Interrupted:   r.Interrupted || log.Trailer == nil,
		Aborted:       r.Aborted != "",
		Gates:         r.Gates,
	})
	return r
}

// seriesOf folds the log's windows.
func seriesOf(log *runlog.Log) *report.Series {
	names := make([]string, len(log.Header.Targets))
	for i, t := range log.Header.Targets {
		names[i] = t.Name
	}
	s := report.NewSeries(log.Header.Interval, names)
	s.Roles = roles(log)
	for _, windows := range log.Windows {
		for _, w := range windows {
			s.Add(w)
		}
	}
	return s
}

// roles returns what each target of a log counts.
func roles(log *runlog.Log) []profiles.Role {
	out := make([]profiles.Role, len(log.Header.Targets))
	for i, t := range log.Header.Targets {
		out[i] = t.Part
	}
	return out
}

// judged collects the evidence of the gates.
func judged(log *runlog.Log, gates []profiles.Gate, series *report.Series, result diagnose.Result, r *report.Report) report.Judged {
	in := report.Judged{
		Series:    series,
		Onsets:    map[string][]report.Onset{},
		Headrooms: headrooms(log, gates),
		CutShort:  cutShort(log),
	}
	for i := range r.Targets {
		in.Onsets[r.Targets[i].Name] = r.Targets[i].Onsets
	}
	if g := result.Generator; g.Limited {
		in.LimitedAt, in.LimitedReason = &g.At, g.Reason
	}
	return in
}

func cutShort(log *runlog.Log) string {
	switch t := log.Trailer; {
	case t == nil:
		return "the run log has no end"
	case t.Error != "":
		return "the run could not be carried out"
	case t.Aborted != "":
		return "the run was aborted"
	case t.Interrupted:
		return "the run was interrupted"
	}
	return ""
}

// planned is the length of the schedule.
func planned(h runlog.Header) time.Duration {
	if len(h.Stages) == 0 {
		return 0
	}
	return h.Stages[len(h.Stages)-1].End
}

// ended is when the load ended: as recorded, or the end of the last window.
func ended(log *runlog.Log) time.Duration {
	if log.Trailer != nil {
		return log.Trailer.Ended
	}
	var last time.Duration
	for _, windows := range log.Windows {
		if n := len(windows); n > 0 {
			last = max(last, time.Duration(windows[n-1].Index+1)*log.Header.Interval)
		}
	}
	return last
}

func loadUnit(s runlog.Stage) string {
	if s.PerConnection > 0 {
		return report.LoadConnections
	}
	return report.LoadRPS
}

// stages are those of the schedule with the unit of their load. A search has none
// before it is run.
func stages(h runlog.Header) []report.Stage {
	var out []report.Stage
	for _, s := range h.Stages {
		out = append(out, report.Stage{
			Kind: s.Kind, StartS: s.Start.Seconds(), EndS: s.End.Seconds(), FromRPS: s.From, ToRPS: s.To,
			LoadUnit: loadUnit(s), PerConnectionRPS: s.PerConnection,
		})
	}
	return out
}

// maxLoad is the highest scheduled load; nil for a closed loop and for a load that was
// watched, which have none.
func maxLoad(h runlog.Header) *float64 {
	var top float64
	for _, s := range h.Stages {
		if s.Kind == closedLoop || s.Kind == traffic.Kind {
			return nil
		}
		top = max(top, s.From, s.To)
	}
	return number(top)
}

// closedLoop is the stage kind without a schedule of its own.
const closedLoop = "max"

// number returns a value for JSON: nil for what was not measured.
func number(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

// finite returns 0 for what JSON cannot hold, where null is not possible.
func finite(v float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	return v
}
