package run

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/cmd/internal/keep"
	"github.com/rampload/rampload/cmd/internal/preflight"
	"github.com/rampload/rampload/cmd/internal/spans"
	"github.com/rampload/rampload/cmd/internal/watch"
	"github.com/rampload/rampload/report"
)

// prepare finds out whether the load can be sent, and gathers who and what it needs; at its
// end the start of the load is agreed on. Its error says why nothing was sent.
func (run *running) prepare(ctx context.Context) error {
	if run.opt.LogFormat != "text" && run.opt.LogFormat != "json" {
		return console.Usage(fmt.Errorf("--log-format %q is not a format: write text or json", run.opt.LogFormat))
	}
	if err := canShow(run.env, run.opt); err != nil {
		return err
	}
	if err := run.look(ctx); err != nil {
		return err
	}
	run.stderr = console.NewVoice(run.env.Stderr)
	run.later(run.stderr.Settle)
	run.progress = newProgress(run.terminal, run.stderr, run.plan, run.opt.Quiet)
	var err error
	if run.files, err = keep.Reserve(run.opt.Out, run.profile.Name, time.Now()); err != nil {
		return console.Usage(err)
	}
	run.later(func() {
		if !run.begun {
			run.files.Release()
		}
	})
	if err := run.gather(ctx); err != nil {
		return err
	}
	if err := run.ready(ctx); err != nil {
		run.company.abandon()
		return err
	}
	if err := run.company.start(ctx, run.start); err != nil {
		return err
	}
	run.begun = true
	return nil
}

// look plans the load, and looks whether it can be sent.
func (run *running) look(ctx context.Context) (err error) {
	if run.opt.Watch != nil {
		run.sends = sendsNothing(run.profile)
	}
	if run.plan, err = planLoad(run.sends); err != nil {
		return console.Usage(err)
	}
	run.plan.watching = run.opt.Watch
	if err := sharedLimits(run.sends); err != nil {
		return console.Usage(err)
	}
	if run.opt.Watch == nil {
		run.warnings, err = preflight.Look(ctx, run.profile)
	}
	switch {
	case ctx.Err() != nil:
		return errNothingSent
	case err != nil:
		return notSent(run.env, run.terminal, err)
	}
	return nil
}

// gather finds the hosts, and those who take part in the run.
func (run *running) gather(ctx context.Context) (err error) {
	run.addrs = preflight.ResolveTargets(ctx, run.profile.Targets) // before the start: a slow resolver must not eat the baseline
	run.id = attack.NewRunID()
	places, pods := watch.FindPods(ctx, run.profile)
	run.places = places
	run.sends.Hosts, run.sends.Targets = places.Hosts, places.Targets
	if run.company, err = gatherCompany(ctx, run.sends, run.plan, run.id, run.opt, StreamFolder(run.files.Log), run.progress.warn); err != nil {
		return err
	}
	run.others = watch.ConnectAgents(ctx, places, pods, run.id.String(), run.opt.SampleEvery, run.opt.Trace)
	run.later(run.others.Close)
	run.others.Add(run.company.leads())
	return nil
}

// ready makes what sends the load and what shows it, and chooses the start.
func (run *running) ready(ctx context.Context) (err error) {
	if run.view, err = run.plan.watched(run.env, run.id, run.company, run.opt, run.progress); err != nil {
		return console.Usage(err)
	}
	run.later(func() { run.view.over(nil) })
	// The start is chosen when all is compiled: a file of 100,000 requests takes a while.
	start := func() time.Time { return run.start }
	if run.tracing, err = spans.Open(spans.Config{
		Sink: run.sends.Traces.To, RunID: run.id, Profile: run.sends, Label: run.opt.Label, Version: console.Version(), Host: hostName(), Start: start,
	}); err != nil {
		return console.Usage(err)
	}
	run.later(func() {
		if !run.begun {
			run.tracing.Stop()
		}
	})
	if run.loader, err = run.plan.loader(run.id, start, run.tracing.Ended(), run.company); err != nil {
		return console.Usage(err)
	}
	run.start = time.Now().Add(baseline)
	if ctx.Err() != nil {
		return errNothingSent
	}
	if run.view.cast, err = broadcasts(run.profile, run.plan, run.id, run.start, run.opt, run.progress); err != nil {
		return console.Usage(err)
	}
	run.later(func() { run.view.cast.Over(ctx, nil) })
	return nil
}

// errNothingSent is the end of a run that was interrupted before its load.
var errNothingSent = &console.Error{Code: report.ExitInterrupted, Err: errors.New("interrupted before the load began; nothing was sent")}

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
