package session

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/profiles"
)

const interval = 250 * time.Millisecond

// steadyLoader reports windows of 100 requests of which failed fail, one each
// interval, until its time is over or ctx is done.
type steadyLoader struct {
	clock  probe.Clock
	length time.Duration
	failed uint64
	err    error
}

func (l steadyLoader) Run(ctx context.Context, sink attack.Sink) (attack.Summary, error) {
	if l.err != nil {
		return attack.Summary{}, l.err
	}
	for i := int32(0); ; i++ {
		next := time.NewTimer(time.Duration(i+1)*interval - l.clock.Now())
		select {
		case <-ctx.Done():
			return attack.Summary{Ended: l.clock.Now(), Interrupted: true}, nil
		case <-next.C:
		}
		sink.Window(attack.Window{Index: i, Scheduled: 100, Sent: 100, Cells: []attack.Cell{
			{DueWindow: i, Phase: attack.PhaseDone, Attempts: 100 - l.failed, Requests: 100 - l.failed},
			{DueWindow: i, Fault: attack.Reset, Phase: attack.PhaseAwait, Attempts: l.failed, Requests: l.failed, WireResets: l.failed},
		}, FromDue: attack.Histogram{{Value: 2000, Count: 100}}})
		if l.clock.Now() >= l.length {
			return attack.Summary{Ended: l.length}, nil
		}
	}
}

// scriptedSampler returns the errors of its script in turn, then good readings.
type scriptedSampler struct {
	name   string
	clock  probe.Clock
	script []error
	reads  int
	closed bool
}

func (s *scriptedSampler) Source() probe.Source { return probe.Source{Host: "local", Name: s.name} }
func (s *scriptedSampler) Close() error         { s.closed = true; return nil }
func (s *scriptedSampler) Sample(_ context.Context, emit func(probe.Sample)) error {
	s.reads++
	if s.reads <= len(s.script) && s.script[s.reads-1] != nil {
		return s.script[s.reads-1]
	}
	s.clock.Stamp(emit)(probe.Reading{Metric: probe.Metric{Host: "local", Name: probe.FileTable}, Value: float64(s.reads), Limit: 100})
	return nil
}

type watcher struct{ err error }

func (watcher) Source() probe.Source { return probe.Source{Host: "local", Name: "trace"} }
func (w watcher) Watch(ctx context.Context, emit func(probe.Event)) error {
	if w.err != nil {
		return w.err
	}
	emit(probe.Event{Kind: probe.RSTSent})
	<-ctx.Done()
	return nil
}

type memory struct {
	mu       sync.Mutex
	windows  int
	failures int
	samples  []time.Duration
	events   []probe.Event
}

func (m *memory) Address(attack.Address) {}
func (m *memory) Window(attack.Window)   { m.mu.Lock(); m.windows++; m.mu.Unlock() }
func (m *memory) Failure(attack.Failure) { m.mu.Lock(); m.failures++; m.mu.Unlock() }
func (m *memory) Event(e probe.Event)    { m.mu.Lock(); m.events = append(m.events, e); m.mu.Unlock() }

func (m *memory) Samples(samples []probe.Sample) {
	m.mu.Lock()
	for _, s := range samples {
		m.samples = append(m.samples, s.At)
	}
	m.mu.Unlock()
}

func config(l *steadyLoader, m *memory) Config {
	l.clock = probe.NewClock(time.Now().Add(time.Second))
	return Config{
		Clock: l.clock, Loader: l, Recorder: m, CoolDown: time.Second, Interval: interval,
		Targets: []string{"orders"}, Offered: func(time.Duration) float64 { return 400 },
	}
}

func TestRunRecordsBaselineLoadAndCoolDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		cfg := config(&steadyLoader{length: 10 * time.Second}, m)
		good := &scriptedSampler{clock: cfg.Clock, name: "host"}
		cfg.Samplers = []probe.Sampler{good}
		cfg.Watchers = []probe.Watcher{watcher{}}
		var last Progress
		cfg.Progress = func(p Progress) { last = p }
		out, err := Run(t.Context(), cfg)
		if err != nil || out.Summary.Interrupted || out.Aborted != "" {
			t.Fatalf("%+v, %v", out, err)
		}
		if m.windows != 40 {
			t.Errorf("%d windows, want 40", m.windows)
		}
		if first, end := m.samples[0], m.samples[len(m.samples)-1]; first != -time.Second || end < 10*time.Second+500*time.Millisecond {
			t.Errorf("samples from %s to %s, want from -1s into the cool-down", first, end)
		}
		if len(m.events) != 1 || !good.closed {
			t.Errorf("events %+v, sampler closed %v", m.events, good.closed)
		}
		for _, s := range out.Sources {
			if s.State != probe.Measured || s.Reads == 0 {
				t.Errorf("source %+v", s)
			}
		}
		if last.Requests != 4000 || last.Achieved != 400 || last.P99 != 2*time.Millisecond || len(last.Fullest) != 1 {
			t.Errorf("progress %+v", last)
		}
	})
}

// Sources read at moments of their own, and each in its period.
func TestSourcesReadApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		cfg := config(&steadyLoader{length: 5 * time.Second}, m)
		const sources = 4
		var all []*scriptedSampler
		for range sources {
			s := &scriptedSampler{clock: cfg.Clock, name: "host"}
			all, cfg.Samplers = append(all, s), append(cfg.Samplers, s)
		}
		if _, err := Run(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		at := map[time.Duration]int{}
		for _, when := range m.samples {
			at[when]++
		}
		for when, n := range at {
			if when > -time.Second && n > 1 {
				t.Errorf("%d readings at %s", n, when)
			}
		}
		for i, s := range all {
			if s.reads < 25 || s.reads > 30 { // 7 s
				t.Errorf("source %d was read %d times", i, s.reads)
			}
		}
	})
}

func TestAbortStopsTheLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		cfg := config(&steadyLoader{length: time.Minute, failed: 60}, m)
		abort, err := profiles.ParseGate("failures within 5s > 50%")
		if err != nil {
			t.Fatal(err)
		}
		cfg.AbortIf = []profiles.Gate{abort}
		out, err := Run(t.Context(), cfg)
		if err != nil || out.Aborted != abort.Text {
			t.Fatalf("aborted %q, %v", out.Aborted, err)
		}
		if out.Summary.Ended > 10*time.Second {
			t.Errorf("the load went on until %s", out.Summary.Ended)
		}
	})
}

func TestInterruptSkipsTheCoolDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		begun := time.Now()
		out, err := Run(ctx, config(&steadyLoader{length: time.Minute}, &memory{}))
		if err != nil || !out.Summary.Interrupted {
			t.Fatalf("%+v, %v", out, err)
		}
		if took := time.Since(begun); took != 3*time.Second {
			t.Errorf("ended after %s", took)
		}
	})
}

func TestSourcesFailEachInTheirOwnWay(t *testing.T) {
	flaky := errors.New("read: input/output error")
	unsupported := &probe.Unsupported{What: "reset trace", Reason: "tracefs is not readable", Needs: "root"}
	silent := make([]error, 200)
	for i := range silent {
		silent[i] = flaky
	}
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		cfg := config(&steadyLoader{length: 5 * time.Second}, m)
		gap := &scriptedSampler{clock: cfg.Clock, name: "gap", script: append([]error{nil, nil}, silent[:8]...)}
		cfg.Samplers = []probe.Sampler{
			&scriptedSampler{clock: cfg.Clock, name: "never", script: silent},
			&scriptedSampler{clock: cfg.Clock, name: "unsupported", script: []error{unsupported}},
			&scriptedSampler{clock: cfg.Clock, name: "lost", script: []error{nil, nil, unsupported}},
			gap,
		}
		cfg.Watchers = []probe.Watcher{watcher{err: unsupported}}
		out, err := Run(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]probe.State{
			"never": probe.NotMeasured, "unsupported": probe.NotMeasured,
			"lost": probe.Partial, "gap": probe.Partial, "trace": probe.NotMeasured,
		}
		for _, s := range out.Sources {
			if s.State != want[s.Source.Name] || s.Reason == "" {
				t.Errorf("%s is %s (%q), want %s with a reason", s.Source.Name, s.State, s.Reason, want[s.Source.Name])
			}
			delete(want, s.Source.Name)
		}
		if len(want) > 0 {
			t.Errorf("no status of %v", want)
		}
		if len(m.events) != 1 || m.events[0].Kind != probe.Gap || m.events[0].Value != 9*interval.Seconds() {
			t.Errorf("gap events %+v, want one of 2.25 s", m.events)
		}
	})
}

func TestLoaderErrorEndsTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("no such file")
		if _, err := Run(t.Context(), config(&steadyLoader{err: broken}, &memory{})); !errors.Is(err, broken) {
			t.Errorf("%v", err)
		}
	})
}

// What is done after the load belongs to the run: the probes are on, and an
// interrupt in it interrupts the run. A load that was stopped has no after.
func TestAfterTheLoad(t *testing.T) {
	for name, c := range map[string]struct {
		cancel      time.Duration // 0: never
		noLoad      bool
		called      bool
		interrupted bool
		ended       time.Duration
		err         error
	}{
		"after the load":       {called: true, ended: 12 * time.Second},
		"without a load":       {noLoad: true, called: true, ended: 5 * time.Second},
		"interrupted in it":    {cancel: 10 * time.Second, called: true, interrupted: true, ended: 9 * time.Second},
		"interrupted before":   {cancel: 5 * time.Second, interrupted: true, ended: 4 * time.Second},
		"it cannot be carried": {called: true, err: errors.New("no such target")},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := &memory{}
				cfg := config(&steadyLoader{length: 7 * time.Second}, m)
				if c.noLoad {
					cfg.Loader = nil
				}
				cfg.Samplers = []probe.Sampler{&scriptedSampler{clock: cfg.Clock, name: "host"}}
				called := false
				cfg.After = func(ctx context.Context) error {
					called = true
					timer := time.NewTimer(5 * time.Second)
					defer timer.Stop()
					select {
					case <-timer.C:
					case <-ctx.Done():
					}
					return c.err
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if c.cancel > 0 {
					time.AfterFunc(c.cancel, cancel)
				}
				out, err := Run(ctx, cfg)
				if !errors.Is(err, c.err) || called != c.called {
					t.Fatalf("called %v, error %v", called, err)
				}
				if late := out.Summary.Ended - c.ended; err == nil && (out.Summary.Interrupted != c.interrupted || late < 0 || late > 260*time.Millisecond) {
					t.Errorf("%+v, want the end at %v, interrupted %v", out.Summary, c.ended, c.interrupted)
				}
				if last := m.samples[len(m.samples)-1]; err == nil && last < c.ended-250*time.Millisecond {
					t.Errorf("the last sample is of %v, before the end", last)
				}
			})
		})
	}
}

// restingSampler reads once in eight calls, as one that keeps to a budget does.
type restingSampler struct {
	clock probe.Clock
	calls int
}

func (r *restingSampler) Source() probe.Source { return probe.Source{Host: "h", Name: "resting"} }
func (r *restingSampler) Close() error         { return nil }

func (r *restingSampler) Sample(_ context.Context, emit func(probe.Sample)) error {
	if r.calls++; r.calls%8 == 1 {
		emit(probe.Sample{At: r.clock.Now(), Reading: probe.Reading{Metric: probe.Metric{Host: "h", Name: probe.CPU}, Value: 1}})
	}
	return nil
}

// TestRestIsNoGap tells a source that chose to be silent from one that failed.
func TestRestIsNoGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		cfg := config(&steadyLoader{length: 5 * time.Second}, m)
		resting := &restingSampler{clock: cfg.Clock}
		cfg.Samplers = []probe.Sampler{resting}
		if _, err := Run(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		if len(m.events) > 0 || resting.calls < 17 {
			t.Errorf("%d readings, events %+v", resting.calls, m.events)
		}
	})
}
