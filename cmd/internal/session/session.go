// Package session carries a run through: baseline, load, cool-down. It joins a
// loader, samplers and watchers to a recorder and knows them as interfaces
// only; what they are is chosen in cmd/internal/cli. It draws no conclusions
// beyond the abort conditions that it is given.
package session

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/profiles"
)

// Recorder takes everything that a run produces; a run log writer is one. Its
// methods are called from several goroutines.
type Recorder interface {
	attack.Sink
	Samples([]probe.Sample)
	Event(probe.Event)
}

// Config is one run. Clock, Loader and Recorder are needed.
type Config struct {
	Clock    probe.Clock   // reads 0 when the load begins; the baseline is the time until then
	Loader   attack.Loader // nil: no load is sent
	Samplers []probe.Sampler
	Watchers []probe.Watcher
	Recorder Recorder

	SampleEvery time.Duration // 0: 250 ms
	CoolDown    time.Duration // probes go on for this long after the load
	// Others begins to follow what other machines record, once, before the load; what
	// they read is handed to seen, for the progress alone. May be nil.
	Others func(seen func([]probe.Sample))
	// After is done between load and cool-down, with the probes on, unless the load
	// was stopped; may be nil.
	After func(ctx context.Context) error

	Targets  []string        // names, by index
	Roles    []profiles.Role // what each counts, by index; those beyond it are requests
	Interval time.Duration   // of windows
	Offered  func(at time.Duration) float64
	AbortIf  []profiles.Gate
	Struck   func(condition string) // called once when one of them ends the run, may be nil; must not block
	Search   *Search                // decides the loads; nil: they are planned
	Progress func(Progress)         // called once a window, may be nil; must not block
}

// Outcome is what a session knows at its end.
type Outcome struct {
	Summary attack.Summary
	Aborted string // the abort condition that struck, as the profile states it
	Sources []probe.Status
}

// Run carries the run through. It returns when everything has stopped: after the
// schedule and the cool-down, or soon after ctx is done. A canceled context is
// not an error (see Outcome.Summary); the loader's own failure is.
func Run(ctx context.Context, cfg Config) (Outcome, error) {
	if cfg.SampleEvery == 0 {
		cfg.SampleEvery = 250 * time.Millisecond
	}
	probing, stopProbing := context.WithCancel(context.WithoutCancel(ctx))
	defer stopProbing()
	loading, stopLoading := context.WithCancel(ctx)
	defer stopLoading()

	live := newLive(cfg, stopLoading)
	var (
		wg       sync.WaitGroup
		mu       sync.Mutex
		statuses []probe.Status
	)
	finish := func(s probe.Status) {
		mu.Lock()
		defer mu.Unlock()
		statuses = append(statuses, s)
	}
	if cfg.Others != nil {
		cfg.Others(live.samples)
	}
	for i, s := range cfg.Samplers {
		// Not all at one moment: together they would keep a core from the load for as long
		// as they take in all, which shows in its latency.
		apart := cfg.SampleEvery * time.Duration(i) / time.Duration(len(cfg.Samplers))
		wg.Go(func() { finish(sample(probing, s, apart, cfg, live)) })
	}
	for _, w := range cfg.Watchers {
		wg.Go(func() { finish(watch(probing, w, cfg)) })
	}

	if cfg.Loader == nil && cfg.Progress != nil {
		wg.Go(func() { live.tellEachSecond(probing) })
	}
	summary, err := live.load(loading)
	if err == nil && cfg.After != nil && loading.Err() == nil {
		if err = cfg.After(ctx); err == nil {
			summary.Ended, summary.Interrupted = cfg.Clock.Now(), ctx.Err() != nil
		}
	}
	if err == nil && ctx.Err() == nil {
		coolDown(ctx, cfg.CoolDown)
	}
	stopProbing()
	wg.Wait()
	return Outcome{Summary: summary, Aborted: live.aborted(), Sources: statuses}, err
}

// load sends the load; without any it is over when it would have begun.
func (l *live) load(ctx context.Context) (attack.Summary, error) {
	if l.cfg.Loader == nil {
		coolDown(ctx, -l.cfg.Clock.Now())
		return attack.Summary{Interrupted: ctx.Err() != nil}, nil
	}
	summary, err := l.cfg.Loader.Run(ctx, l)
	if err == nil && l.searcher != nil {
		err = l.searcher.err
	}
	if err != nil {
		err = fmt.Errorf("run load: %w", err)
	}
	return summary, err
}

// tellEachSecond tells the progress of a session without a load: no window does.
func (l *live) tellEachSecond(ctx context.Context) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		at := l.cfg.Clock.Now()
		if at < 0 {
			continue
		}
		l.mu.Lock()
		p := Progress{At: at, Fullest: l.fullestFirst()}
		l.mu.Unlock()
		l.cfg.Progress(p)
	}
}

// coolDown waits, at most until ctx is done.
func coolDown(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
