package run

import (
	"context"
	"fmt"
	"slices"

	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/cmd/internal/input"
	"github.com/rampload/rampload/cmd/internal/keep"
	"github.com/rampload/rampload/cmd/internal/session"
	"github.com/rampload/rampload/cmd/internal/watch"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/runlog"
)

// record sends the load, and keeps what is seen of it and of the hosts. Its error says why
// the run could not be carried out to its end; what was recorded until then is kept.
func (run *running) record(ctx context.Context) error {
	run.later(run.env.InOrder())
	run.later(collectInSteps(run.env, run.profile.Client.Engine))
	run.kept = keep.NewRecord(run.files.Reserved, run.start, run.progress.warn)
	run.later(run.kept.Close)
	clock := probe.NewClock(run.start)
	if err := run.open(ctx, clock); err != nil {
		run.company.abandon()
		return err
	}
	recorder, seen := run.recorder()
	marking, stopMarks := context.WithCancel(ctx)
	defer stopMarks()
	if err := takeMarks(marking, run.env, run.profile.Name, run.id, clock, run.log, run.progress); err != nil && run.opt.Watch != nil {
		run.progress.warn(err.Error())
	}
	shown := run.view.begin(ctx, clock, run.log, run.kept) // ends where the person who watches ends the run, too
	outcome, err := session.Run(shown, run.session(shown, clock, recorder, seen))
	stopMarks()
	run.view.end()
	run.progress.done()
	return run.end(ctx, clock, recorder, outcome, err)
}

// open opens the probes, and begins the run log.
func (run *running) open(ctx context.Context, clock probe.Clock) error {
	run.watched = watch.OpenHosts(ctx, run.places.Hosts, run.places.Targets, run.addrs, clock, run.opt.Trace, run.others)
	for _, w := range slices.Concat(run.warnings, run.others.Warnings(), run.watched.AlreadyFull(ctx)) {
		run.progress.warn(w)
	}
	header := newHeader(run.profile, run.id, run.start, run.opt.Label, run.watched)
	if run.opt.Watch != nil {
		header.Role, header.Stages = runlog.RoleWatcher, nil
		if err := blind(run.profile, run.watched); err != nil {
			run.watched.Close()
			return err
		}
	}
	if run.company.sends() {
		header.Role = runlog.RoleCoordinator
	}
	var err error
	if run.log, err = runlog.NewWriter(run.kept, header); err == nil {
		err = run.company.keep(header, run.id.String())
	}
	if err != nil {
		run.watched.Close()
		return console.NotRun(err)
	}
	return nil
}

// recorder is what the session records to; the traffic that others send is nil unless it is
// watched.
func (run *running) recorder() (session.Recorder, *traffic) {
	run.unanswered = newUnanswered(run.company.recorder(run.log))
	var recorder session.Recorder = run.unanswered
	if run.opt.LogFormat == "json" {
		recorder = newFailureLog(recorder, run.stderr, TargetNames(run.profile), contents(run.profile), run.id, run.start)
	}
	if run.opt.Watch == nil {
		return recorder, nil
	}
	tellAddresses(recorder, run.profile, run.addrs)
	seen := newTraffic(recorder, run.log, run.profile)
	return seen, seen
}

// session is how the load is sent and the hosts are watched.
func (run *running) session(ctx context.Context, clock probe.Clock, recorder session.Recorder, seen *traffic) session.Config {
	cfg := session.Config{
		Clock: clock, Loader: run.loader, Samplers: run.watched.Samplers, Watchers: run.watched.Watchers,
		Recorder:    run.view.cast.Tap(run.view.tap(recorder), !run.company.sends()),
		SampleEvery: run.opt.SampleEvery, CoolDown: CoolDown,
		Targets: TargetNames(run.profile), Roles: Roles(run.profile), Interval: input.WindowInterval, Offered: run.plan.Rate,
		AbortIf: run.sends.AbortIf, Struck: run.view.cast.Struck, Progress: run.view.told,
		Others: func(full func([]probe.Sample)) {
			run.others.Follow(ctx, clock, run.log, full, run.view.observer())
			run.company.follow(ctx, run.log, len(run.others.Links), full, run.view.observer())
		},
		Search: run.plan.search(run.company.step(run.log), run.company), After: idleStage(run.sends, run.id, run.log, run.progress),
	}
	if run.opt.Watch != nil {
		run.opt.Watch.set(&cfg, seen, run.view, run.kept)
	}
	return cfg
}

// end ends the run log, with how the session went and how each source of it was.
func (run *running) end(ctx context.Context, clock probe.Clock, recorder session.Recorder, outcome session.Outcome, err error) error {
	ranOut, line := UsedUp(outcome.Summary, run.profile)
	if line != "" {
		run.progress.warn(line)
	}
	elsewhere := run.unanswered.sources(ctx, run.sends.Targets)
	for _, s := range elsewhere {
		run.progress.warn(s.Source.Name + ": " + s.Reason)
	}
	statuses, complete := run.company.end()
	recorded := func() (*runlog.Log, error) { run.log.Flush(); return soFar(run.kept) }
	ofTraces, untold := run.tracing.Finish(ctx, recorded, run.progress.announce, recorder.Event)
	for _, w := range untold {
		run.progress.warn(w)
	}
	trailer := runlog.Trailer{
		Ended: outcome.Summary.Ended, Interrupted: outcome.Summary.Interrupted && outcome.Aborted == "",
		Aborted: outcome.Aborted, Sources: slices.Concat(ranOut, elsewhere, outcome.Sources, run.watched.Missing, run.others.Stop(), statuses, ofTraces),
	}
	if run.opt.Watch != nil { // an interrupt is its usual end
		trailer.Ended, trailer.Interrupted = max(clock.Now(), 0), false
	}
	if why := run.company.failed(); err == nil && why != nil {
		trailer.Error = why.Error()
	}
	if err != nil {
		trailer.Error = err.Error()
	}
	run.company.leave(trailer, complete, run.files.Log, run.progress.warn)
	if closeErr := run.log.Close(trailer); closeErr != nil {
		return console.NotRun(fmt.Errorf("keep the run: %w", closeErr))
	}
	if err != nil {
		return console.NotRun(err)
	}
	return nil
}
