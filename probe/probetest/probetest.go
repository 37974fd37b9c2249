// Package probetest holds the contracts that every sampler and watcher of
// rampload keeps, as suites to be run on each: what they emit is in the
// catalogue and believable, what they cannot read is absent and explained and
// never 0, they stop when told, and leave nothing behind.
//
// It is for tests only.
package probetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/rampload/rampload/probe"
)

// readings is how often a suite samples: twice for what is a difference, and
// once more for what the second one broke.
const readings = 3

// RunSampler runs the contract of [probe.Sampler] on what open opens. open is
// called several times and may skip the test.
func RunSampler(t *testing.T, open func(t *testing.T) probe.Sampler) {
	t.Helper()
	t.Run("readings", func(t *testing.T) { samplerReadings(t, open(t)) })
	t.Run("canceled", func(t *testing.T) { samplerCanceled(t, open(t)) })
	t.Run("close", func(t *testing.T) { samplerClose(t, open(t)) })
	t.Run("leaks", func(t *testing.T) {
		leaks(t, func() {
			s := open(t)
			_ = s.Sample(t.Context(), func(probe.Sample) {})
			closeSource(t, s)
		})
	})
}

func samplerReadings(t *testing.T, s probe.Sampler) {
	defer closeSource(t, s)
	source := s.Source()
	CheckSource(t, source)
	totals := map[probe.Metric]float64{}
	some, last := false, time.Duration(0)
	for i := range readings {
		seen := map[probe.Metric]bool{}
		returned := false
		err := s.Sample(t.Context(), func(r probe.Sample) {
			if returned {
				t.Errorf("emit was called after Sample had returned: %+v", r)
			}
			if some && r.At < last {
				t.Errorf("%+v was read before the reading before it, at %v", r, last)
			}
			some, last = true, r.At
			CheckReading(t, source, r.Reading)
			if seen[r.Metric] {
				t.Errorf("reading %d holds %+v twice", i, r.Metric)
			}
			seen[r.Metric] = true
			if d, _ := r.Metric.Def(); d.Cumulative {
				if before, ok := totals[r.Metric]; ok && r.Value < before {
					t.Errorf("total %+v went from %v to %v", r.Metric, before, r.Value)
				}
				totals[r.Metric] = r.Value
			}
		})
		returned = true
		if err != nil {
			CheckUnsupported(t, err)
		}
		if got := s.Source(); got != source {
			t.Errorf("source changed from %v to %v", source, got)
		}
		checkParts(t, s)
	}
	if p, ok := s.(probe.PartialSource); !some && (!ok || len(p.Missing()) == 0) {
		t.Logf("%v gave no reading and says of nothing that it is missing", source)
	}
}

// checkParts checks what a sampler says besides its readings.
func checkParts(t *testing.T, s any) {
	t.Helper()
	if p, ok := s.(probe.PartialSource); ok {
		whats := map[string]bool{}
		for _, u := range p.Missing() {
			CheckUnsupported(t, u)
			if whats[u.What] {
				t.Errorf("%q is missing twice", u.What)
			}
			whats[u.What] = true
		}
	}
	if e, ok := s.(probe.EventSource); ok {
		e.DrainEvents(func(e probe.Event) { CheckEvent(t, e.Source, e) })
		e.DrainEvents(func(e probe.Event) { t.Errorf("event %+v was drained before", e) })
	}
}

func samplerCanceled(t *testing.T, s probe.Sampler) {
	defer closeSource(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := s.Sample(ctx, func(r probe.Sample) { t.Errorf("reading after the context ended: %+v", r) })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("sample with an ended context: %v, want context.Canceled", err)
	}
}

func samplerClose(t *testing.T, s probe.Sampler) {
	_ = s.Sample(t.Context(), func(probe.Sample) {})
	closeSource(t, s)
	closeSource(t, s)
	_ = s.Sample(t.Context(), func(probe.Sample) {}) // whatever it does, it lives
}

func closeSource(t *testing.T, s probe.Sampler) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

// RunWatcher runs the contract of [probe.Watcher] on what open opens. open is
// called several times and may skip the test. provoke causes at least one event
// while Watch runs, and is called until one came; nil if nothing can.
func RunWatcher(t *testing.T, open func(t *testing.T) probe.Watcher, provoke func(t *testing.T)) {
	t.Helper()
	t.Run("events", func(t *testing.T) { watcherEvents(t, open(t), provoke) })
	t.Run("leaks", func(t *testing.T) {
		leaks(t, func() {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := open(t).Watch(ctx, func(probe.Event) {}); err != nil {
				CheckUnsupported(t, err)
			}
		})
	})
}

func watcherEvents(t *testing.T, w probe.Watcher, provoke func(t *testing.T)) {
	source := w.Source()
	CheckSource(t, source)
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	came := make(chan struct{}, 1)
	done := make(chan error, 1)
	returned := false
	go func() {
		err := w.Watch(ctx, func(e probe.Event) {
			if returned {
				t.Errorf("emit was called after Watch had returned: %+v", e)
			}
			CheckEvent(t, source, e)
			select {
			case came <- struct{}{}:
			default:
			}
		})
		returned = true
		done <- err
	}()
	if provoke != nil {
		again := time.NewTicker(50 * time.Millisecond)
		defer again.Stop()
	wait:
		for provoke(t); ; provoke(t) {
			select {
			case <-came:
				break wait
			case err := <-done:
				t.Errorf("watch ended early: %v", err)
				return
			case <-ctx.Done():
				t.Error("no event came")
				break wait
			case <-again.C:
			}
		}
	}
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("watch ended with %v after its context, want nil", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("watch did not end with its context")
	}
	checkParts(t, w)
}

// CheckSource checks that a source has a host and a name.
func CheckSource(t testing.TB, s probe.Source) {
	t.Helper()
	if s.Host == "" || s.Name == "" {
		t.Errorf("source %+v has no host or no name", s)
	}
}

// CheckReading checks that a reading of a source is in the catalogue and can be
// true.
func CheckReading(t testing.TB, s probe.Source, r probe.Reading) {
	t.Helper()
	d, ok := r.Metric.Def()
	if !ok {
		t.Errorf("%q is not in the catalogue", r.Metric.Name)
		return
	}
	if why := implausible(d, s, r); why != "" {
		t.Errorf("%+v: %s", r, why)
	}
}

// implausible says why a reading cannot be true; empty if it can.
func implausible(d probe.Definition, s probe.Source, r probe.Reading) string {
	v, limit := r.Value, r.Limit
	switch {
	case r.Metric.Host != s.Host:
		return fmt.Sprintf("is of another host than its source, %q", s.Host)
	case d.PerProcess && r.Metric.Process == "":
		return "is of a process, and has no label"
	case r.Metric.PID < 0:
		return "has a negative pid"
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "was not measured, and must be left out"
	case v < 0:
		return "is negative"
	case math.IsInf(limit, 0) || limit < 0:
		return "has no limit or a negative one, which is written NaN"
	case d.Unit == "share" && (v > 1.01 || limit != 1):
		return "is a share outside [0, 1], or its limit is not 1"
	case (d.Kind == probe.Counter || d.Kind == probe.Symptom || d.Kind == probe.Gauge) && !math.IsNaN(limit):
		return "has a limit, and its kind has none"
	case d.Unit != "share" && d.Unit != "seconds" && !d.Cumulative && d.Name != probe.Load1 && v != math.Trunc(v):
		return "counts something, and is no whole number"
	default:
		return ""
	}
}

// CheckEvent checks that an event of a source can be true.
func CheckEvent(t testing.TB, s probe.Source, e probe.Event) {
	t.Helper()
	switch {
	case e.Source != s:
		t.Errorf("event %+v: is of another source than %v", e, s)
	case e.Host != s.Host:
		t.Errorf("event %+v: is of another host than its source", e)
	case e.Kind.String() == "invalid":
		t.Errorf("event %+v: has an unknown kind", e)
	case e.PID < 0:
		t.Errorf("event %+v: has a negative pid", e)
	case math.IsNaN(e.Value) || math.IsInf(e.Value, 0):
		t.Errorf("event %+v: its value is not finite", e)
	case (e.Kind == probe.RSTPacket) != (e.Packet != nil):
		t.Errorf("event %+v: a packet belongs to %v and to nothing else", e, probe.RSTPacket)
	case e.Packet != nil && (!e.Local.IsValid() || !e.Remote.IsValid()):
		t.Errorf("event %+v: a packet without addresses", e)
	}
}

// CheckUnsupported checks that an error, if it says that something is not
// supported, says what and why.
func CheckUnsupported(t testing.TB, err error) {
	t.Helper()
	if !errors.Is(err, probe.ErrUnsupported) {
		return
	}
	var u *probe.Unsupported
	if !errors.As(err, &u) {
		t.Errorf("%v matches ErrUnsupported and holds no reason", err)
		return
	}
	if u.What == "" || u.Reason == "" {
		t.Errorf("%+v does not say what or why", *u)
	}
}

// Absent checks that a sampler gives none of some metrics, which it cannot read,
// and that it says so: by its error, or by what is missing. It returns what it
// said.
func Absent(t testing.TB, s probe.Sampler, names ...string) string {
	t.Helper()
	said := ""
	for range readings {
		err := s.Sample(context.Background(), func(r probe.Sample) {
			for _, name := range names {
				if r.Metric.Name == name {
					t.Errorf("%+v, which cannot be read here", r)
				}
			}
		})
		if err != nil {
			CheckUnsupported(t, err)
			said = err.Error()
		}
	}
	if p, ok := s.(probe.PartialSource); ok {
		for _, u := range p.Missing() {
			said += "; " + u.Error()
		}
	}
	if said == "" {
		t.Errorf("%v cannot read %v, and does not say so", s.Source(), names)
	}
	return said
}

// leaks checks that f leaves no goroutines and no descriptors behind.
func leaks(t *testing.T, f func()) {
	t.Helper()
	f() // what is opened once for ever is opened now
	goroutines, files := runtime.NumGoroutine(), openFiles()
	f()
	deadline := time.After(20 * time.Second)
	for runtime.NumGoroutine() > goroutines || openFiles() > files {
		select {
		case <-deadline:
			t.Errorf("%d goroutines and %d descriptors before, %d and %d after",
				goroutines, files, runtime.NumGoroutine(), openFiles())
			return
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// openFiles counts rampload's descriptors where /proc tells; else 0.
func openFiles() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(entries)
}
