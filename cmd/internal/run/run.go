// Package run carries a profile out in three phases: it prepares what the load needs before
// any of it is sent, records the run, and concludes with the verdict of what was recorded.
package run

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/cmd/internal/input"
	"github.com/rampload/rampload/cmd/internal/keep"
	"github.com/rampload/rampload/cmd/internal/preflight"
	"github.com/rampload/rampload/cmd/internal/session"
	"github.com/rampload/rampload/cmd/internal/spans"
	"github.com/rampload/rampload/cmd/internal/watch"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/rst"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/render"
	"github.com/rampload/rampload/report/render/layout"
	"github.com/rampload/rampload/report/runlog"
)

const (
	// baseline is the time until the load begins: the probes are opened in it, and
	// look long enough for rates of counters and for what was full from the start.
	baseline = 2 * time.Second
	CoolDown = time.Second
)

// Options are what a run needs beyond its profile.
type Options struct {
	*input.Globals
	SampleEvery time.Duration
	Trace       bool
	Baseline    input.Baseline
	UI          bool          // show the run on the full screen
	Web         string        // address at which browsers can watch; empty: none
	Assets      layout.Assets // of the page there
	Metrics     string        // address at which Prometheus fetches; empty: as the profile says
	Watch       *Watching     // nil: the load of the profile is sent
}

// Finished is a run that was carried out, well or not.
type Finished struct {
	Report  *report.Report
	log     *runlog.Log
	Path    string
	logPath string
}

// Run carries a profile out from preflight to printed report. From its first load
// on no file, and no reader of the output, can end it.
func Run(ctx context.Context, env console.Env, p profiles.Profile, opt Options) (*Finished, error) {
	if opt.LogFormat != "text" && opt.LogFormat != "json" {
		return nil, console.Usage(fmt.Errorf("--log-format %q is not a format: write text or json", opt.LogFormat))
	}
	if err := canShow(env, opt); err != nil {
		return nil, err
	}
	terminal := console.NewTerminal(env)
	sends := p
	if opt.Watch != nil {
		sends = sendsNothing(p)
	}
	plan, err := planLoad(sends)
	if err != nil {
		return nil, console.Usage(err)
	}
	plan.watching = opt.Watch
	if err := sharedLimits(sends); err != nil {
		return nil, console.Usage(err)
	}
	var warnings []string
	if opt.Watch == nil {
		warnings, err = preflight.Look(ctx, p)
	}
	if ctx.Err() != nil {
		return nil, errNothingSent
	}
	if err != nil {
		return nil, notSent(env, terminal, err)
	}
	stderr := console.NewVoice(env.Stderr)
	defer stderr.Settle()
	progress := newProgress(terminal, stderr, plan, opt.Quiet)
	files, err := keep.Reserve(opt.Out, p.Name, time.Now())
	if err != nil {
		return nil, console.Usage(err)
	}
	begun := false
	defer func() {
		if !begun {
			files.Release()
		}
	}()
	addrs := preflight.ResolveTargets(ctx, p.Targets) // before the start: a slow resolver must not eat the baseline
	id := attack.NewRunID()
	places, pods := watch.FindPods(ctx, p)
	sends.Hosts, sends.Targets = places.Hosts, places.Targets
	company, err := gatherCompany(ctx, sends, plan, id, opt, StreamFolder(files.Log), progress.warn)
	if err != nil {
		return nil, err
	}
	others := watch.ConnectAgents(ctx, places, pods, id.String(), opt.SampleEvery, opt.Trace)
	defer others.Close()
	others.Add(company.leads())
	view, err := plan.watched(env, id, company, opt, progress)
	if err != nil {
		company.abandon()
		return nil, console.Usage(err)
	}
	defer view.over(nil)
	var start time.Time // chosen when all is compiled: a file of 100,000 requests takes a while
	tracing, err := spans.Open(spans.Config{
		Sink: sends.Traces.To, RunID: id, Profile: sends, Label: opt.Label, Version: console.Version(), Host: hostName(), Start: func() time.Time { return start },
	})
	if err != nil {
		company.abandon()
		return nil, console.Usage(err)
	}
	loader, err := plan.loader(id, func() time.Time { return start }, tracing.Ended(), company)
	if err != nil {
		company.abandon()
		return nil, console.Usage(err)
	}
	start = time.Now().Add(baseline)
	clock := probe.NewClock(start)
	if ctx.Err() != nil {
		company.abandon()
		return nil, errNothingSent
	}
	if view.cast, err = broadcasts(p, plan, id, start, opt, progress); err != nil {
		company.abandon()
		return nil, console.Usage(err)
	}
	defer view.cast.Over(ctx, nil)
	if err := company.start(ctx, start); err != nil {
		return nil, err
	}
	begun = true
	defer env.InOrder()()
	defer collectInSteps(env, p.Client.Engine)()
	record := keep.NewRecord(files.Reserved, start, progress.warn)
	defer record.Close()
	watched := watch.OpenHosts(ctx, places.Hosts, places.Targets, addrs, clock, opt.Trace, others)
	for _, w := range slices.Concat(warnings, others.Warnings(), watched.AlreadyFull(ctx)) {
		progress.warn(w)
	}
	header := newHeader(p, id, start, opt.Label, watched)
	if opt.Watch != nil {
		header.Role, header.Stages = runlog.RoleWatcher, nil
		if err := blind(p, watched); err != nil {
			watched.Close()
			company.abandon()
			return nil, err
		}
	}
	if company.sends() {
		header.Role = runlog.RoleCoordinator
	}
	log, err := runlog.NewWriter(record, header)
	if err == nil {
		err = company.keep(header, id.String())
	}
	if err != nil {
		company.abandon()
		return nil, console.NotRun(err)
	}
	recorder := company.recorder(log)
	if opt.LogFormat == "json" {
		recorder = newFailureLog(recorder, stderr, TargetNames(p), contents(p), id, start)
	}
	var seen *traffic
	if opt.Watch != nil {
		tellAddresses(recorder, p, addrs)
		seen = newTraffic(recorder, log, p)
		recorder = seen
	}
	marking, stopMarks := context.WithCancel(ctx)
	defer stopMarks()
	if err := takeMarks(marking, env, p.Name, id, clock, log, progress); err != nil && opt.Watch != nil {
		progress.warn(err.Error())
	}
	given := ctx // ends with an interrupt only
	ctx = view.begin(ctx, clock, log, record)
	cfg := session.Config{
		Clock: clock, Loader: loader, Samplers: watched.Samplers, Watchers: watched.Watchers, Recorder: view.cast.Tap(view.tap(recorder), !company.sends()),
		SampleEvery: opt.SampleEvery, CoolDown: CoolDown,
		Targets: TargetNames(p), Roles: Roles(p), Interval: input.WindowInterval, Offered: plan.Rate, AbortIf: sends.AbortIf, Struck: view.cast.Struck, Progress: view.told,
		Others: func(seen func([]probe.Sample)) {
			others.Follow(ctx, clock, log, seen, view.observer())
			company.follow(ctx, log, len(others.Links), seen, view.observer())
		},
		Search: plan.search(company.step(log), company), After: idleStage(sends, id, log, progress),
	}
	if opt.Watch != nil {
		opt.Watch.set(&cfg, seen, view, record)
	}
	outcome, err := session.Run(ctx, cfg)
	stopMarks()
	view.end()
	progress.done()
	ranOut, line := UsedUp(outcome.Summary, p)
	if line != "" {
		progress.warn(line)
	}
	statuses, complete := company.end()
	ofTraces, untold := tracing.Finish(given, func() (*runlog.Log, error) { log.Flush(); return soFar(record) }, progress.announce, recorder.Event)
	for _, w := range untold {
		progress.warn(w)
	}
	trailer := runlog.Trailer{
		Ended: outcome.Summary.Ended, Interrupted: outcome.Summary.Interrupted && outcome.Aborted == "",
		Aborted: outcome.Aborted, Sources: slices.Concat(ranOut, outcome.Sources, watched.Missing, others.Stop(), statuses, ofTraces),
	}
	if opt.Watch != nil { // an interrupt is its usual end
		trailer.Ended, trailer.Interrupted = max(clock.Now(), 0), false
	}
	if why := company.failed(); err == nil && why != nil {
		trailer.Error = why.Error()
	}
	if err != nil {
		trailer.Error = err.Error()
	}
	company.leave(trailer, complete, files.Log, progress.warn)
	if closeErr := log.Close(trailer); closeErr != nil {
		return nil, console.NotRun(fmt.Errorf("keep the run: %w", closeErr))
	}
	if err != nil {
		return nil, console.NotRun(err)
	}
	done, err := conclude(env, terminal, p, opt.Baseline, files, record, watched.Capture, progress)
	if err == nil {
		view.over(done.Report)
		view.cast.Over(given, done.Report)
	}
	if opt.LogFormat == "json" {
		tellCut(env, stderr)
	}
	if why := company.failed(); err == nil && why != nil {
		err = console.NotRun(why)
	}
	return done, err
}

// errNothingSent is the end of a run that was interrupted before its load.
var errNothingSent = &console.Error{Code: report.ExitInterrupted, Err: errors.New("interrupted before the load began; nothing was sent")}

// tellCut says where the failure log is not whole, on the output that is left.
func tellCut(env console.Env, stderr *console.Voice) {
	stderr.Settle()
	switch lines, err := stderr.Lost(); {
	case err != nil:
		fmt.Fprintf(env.Stdout, "\nthe failure log is cut, its reader went away (%s): %s lines are missing; the run log has the failures\n",
			err, report.FormatNumber(float64(lines)))
	case lines > 0:
		fmt.Fprintf(env.Stderr, "rampload: warning: the failure log has gaps, its reader was too slow: %s lines are missing; the run log has the failures\n",
			report.FormatNumber(float64(lines)))
	}
}

// conclude reads the run log back, so that a report made now and one made later
// from the log are the same, prints the verdict and writes the report. What cannot
// be written where it belongs is told, and costs no verdict.
func conclude(env console.Env, t console.Terminal, p profiles.Profile, earlier input.Baseline, f *keep.Outputs, record *keep.Record, capture *rst.Capture, progress *progress) (*Finished, error) {
	defer input.Frugal(env)()
	lost := record.Finish()
	log, err := runlog.Read(record.Reader())
	if err != nil {
		return nil, console.NotRun(fmt.Errorf("%s: %w", f.Log, err))
	}
	done := &Finished{log: log}
	if done.logPath = f.Log; lost != nil {
		done.logPath = progress.keep(f.Log, lost, func(w io.Writer) error { _, err := io.Copy(w, record.Reader()); return err })
	}
	if done.Report, err = input.BuildReport(log, p); err != nil {
		return nil, console.NotRun(fmt.Errorf("make the report of %s: %w", done.logPath, err))
	}
	if err := done.Report.HoldAgainst(p.RunGates(), earlier.Reports, earlier.Files); len(done.Report.Watched) == 0 && err != nil {
		progress.warn(fmt.Sprintf("the run is not held against its baseline: %s", err))
	}
	done.Path = progress.keep(f.Report, nil, done.Report.Write)
	opt := t.RenderOptions()
	for _, file := range []string{done.Path, done.logPath, writeCapture(capture, log, f.Capture, progress)} {
		if file != "" {
			opt.Files = append(opt.Files, file)
		}
	}
	progress.settle() // what is printed now is the end
	var table bytes.Buffer
	if err := render.Table(&table, done.Report, opt); err != nil {
		return nil, console.NotRun(fmt.Errorf("print the report: %w", err))
	}
	if _, err := env.Stdout.Write(table.Bytes()); err != nil {
		progress.warn(fmt.Sprintf("%s; the verdict is in the report: rampload report %s", keep.CannotWrite("standard output", err), done.Path))
	}
	return done, nil
}

func TargetNames(p profiles.Profile) []string {
	var names []string
	for _, c := range p.Counted() {
		names = append(names, c.Name)
	}
	return names
}

// Roles returns what is counted under each of the names of [TargetNames].
func Roles(p profiles.Profile) []profiles.Role {
	var roles []profiles.Role
	for _, c := range p.Counted() {
		roles = append(roles, c.Role)
	}
	return roles
}

// notSent ends a run whose targets cannot be spoken to. Where stdout goes to a file or
// another program it gets the verdict too: whoever reads it there sees nothing else.
func notSent(env console.Env, t console.Terminal, err error) error {
	var coded *console.Error
	if !t.Shown && errors.As(err, &coded) && coded.Code == report.ExitNotRun {
		// An error shows in the exit code; this line is for readers.
		fmt.Fprintf(console.Plain(env.Stdout), "NO VERDICT  nothing was sent: %s\n\nexit %d\n", err, coded.Code)
	}
	return err
}
