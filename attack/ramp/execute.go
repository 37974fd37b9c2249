package ramp

import (
	"context"
	"sync"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/ramp/tally"
	"github.com/rampload/rampload/profiles/redaction"
)

// interrupted reports whether what was begun is not to go on.
func (run *run) interrupted() bool {
	select {
	case <-run.broken:
		return true
	default:
		return false
	}
}

// pause waits, and returns false at once when the run is interrupted. Where rows are used
// up, what was begun with the last of them goes on.
func (run *run) pause(d time.Duration) bool {
	if run.interrupted() {
		return false
	}
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-run.broken:
		return false
	}
}

// execute runs the load: drive sends everything and returns when every request
// has ended.
func (run *run) execute(ctx context.Context, sink attack.Sink, drive func([]*pacer)) (attack.Summary, error) {
	run.start = time.Now()
	if run.cfg.Start != nil {
		// A time from another process has no monotonic reading: take it now.
		run.start = run.start.Add(run.cfg.Start().Sub(run.start))
	}
	first := int32(run.cfg.From / run.cfg.Window)
	run.coll = tally.NewCollector(run.agg, collected{run}, first, redaction.Of(run.cfg.Profile), run.cfg.Ended)
	run.counted, run.due = first, run.first()
	run.rows = newRows(run.cfg, run.first())
	if err := (equipment{run}).connect(); err != nil {
		run.close()
		return attack.Summary{}, err
	}
	run.compiled = nil
	pacers := make([]*pacer, len(run.flights.left))
	for i := range pacers {
		var err error
		if pacers[i], err = newPacer(run, len(pacers)); err != nil {
			run.close()
			return attack.Summary{}, err
		}
		defer pacers[i].close()
	}
	if !run.await(ctx) {
		run.close()
		return attack.Summary{Interrupted: true}, nil
	}

	sent := make(chan struct{})
	finished := make(chan struct{})
	var background, gatherer, deliverer sync.WaitGroup
	interrupted := false
	background.Go(func() { interrupted = run.interrupt(ctx, sent) })
	background.Go(func() { run.hold(sent) })
	gatherer.Go(func() { run.coll.Gather(finished) })
	delivered := make(chan struct{})
	deliverer.Go(func() { run.coll.Deliver(sink, delivered) })

	stopFollowing := followUp{run}.follow()
	drive(pacers)
	stopFollowing()
	ended := run.now()
	close(sent)
	background.Wait()
	close(finished)
	gatherer.Wait()
	stats := collected{run}.Stats(ended)
	run.close() // after a last look at idle connections
	last := ended
	usedUp := run.rows.usedUp.Load()
	if !interrupted && usedUp == nil {
		last = max(last, run.sched.End()-1)
	}
	run.coll.Finish(stats, max(run.agg.Window(last), run.agg.Latest()))
	close(delivered)
	deliverer.Wait()
	summary := attack.Summary{Ended: ended, Interrupted: interrupted}
	if usedUp != nil {
		summary.UsedUp = *usedUp
	}
	return summary, nil
}

// first is the first request of the schedule that is not somebody else's.
func (run *run) first() uint64 {
	if run.cfg.From == 0 {
		return 0
	}
	return run.sched.Count(run.cfg.From - 1)
}

// await waits for the start of the load.
func (run *run) await(ctx context.Context) bool {
	timer := time.NewTimer(run.cfg.From - run.now())
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil
	}
}

// interrupt stops the run when ctx is done: it ends the sending, gives what is
// in flight the time of one attempt, and then aborts it.
func (run *run) interrupt(ctx context.Context, sent <-chan struct{}) bool {
	select {
	case <-sent:
		return false
	case <-ctx.Done():
	}
	early := !run.final() || run.now() < run.sched.End()
	run.stop()
	close(run.broken)
	for _, g := range run.groups {
		g.via.Drain() // what still waits for a connection is not to be sent any more
	}
	drain := run.cfg.Profile.Client.Timeout
	if drain <= 0 {
		drain = defaultDrain
	}
	timer := time.NewTimer(drain)
	defer timer.Stop()
	select {
	case <-sent:
	case <-timer.C:
		for _, g := range run.groups {
			g.via.Abort()
		}
	}
	return early
}

func (run *run) close() {
	for _, f := range run.followers {
		f.close()
	}
	run.followers = nil
	for _, g := range run.groups {
		// Everything has ended: there is nothing that an error could say.
		_ = g.via.Close()
	}
	run.targets, run.groups = nil, nil
}
