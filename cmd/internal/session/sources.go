package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/rampload/rampload/probe"
)

// gapPeriods is how many sampling periods a source may be silent before the
// silence is recorded as a gap.
const gapPeriods = 3

// sample reads one source at its own pace until ctx is done: at once, and then each period,
// apart later than others. Sources never wait for each other, and a slow one skips
// readings rather than queue them.
func sample(ctx context.Context, s probe.Sampler, apart time.Duration, cfg Config, live *live) probe.Status {
	status := probe.Status{Source: s.Source(), State: probe.Measured}
	defer s.Close()
	every := cfg.SampleEvery
	if paced, ok := s.(probe.PacedSource); ok {
		every = max(every, paced.Every())
	}
	ticker := time.NewTicker(every + apart) // until the second reading
	defer ticker.Stop()

	var (
		readings []probe.Sample
		lastGood time.Duration // on the clock of the source
		rested   bool          // since then it chose to read nothing
		failures int
		reason   string
	)
	for {
		readings = readings[:0]
		cost, err := measureCPU(func() error {
			return s.Sample(ctx, func(r probe.Sample) { readings = append(readings, r) })
		})
		status.CPU += cost
		if events, ok := s.(probe.EventSource); ok {
			events.DrainEvents(func(e probe.Event) { cfg.Recorder.Event(e) })
		}
		switch {
		case ctx.Err() != nil:
			// A reading that the end of the run cut short is no failure of the source.
		case errors.Is(err, probe.ErrUnsupported):
			status.State, status.Reason = probe.NotMeasured, err.Error()
			if status.Reads > 0 {
				status.State = probe.Partial
			}
			return status
		case err != nil:
			failures++
			reason = err.Error()
		case len(readings) == 0:
			rested = true // to keep to its budget, or for want of anything to read
		}
		if len(readings) > 0 {
			now := readings[len(readings)-1].At
			if silent := now - lastGood; status.Reads > 0 && !rested && silent > gapPeriods*every {
				cfg.Recorder.Event(probe.Event{
					Kind: probe.Gap, At: lastGood, Source: status.Source,
					Host: status.Source.Host, Value: silent.Seconds(),
				})
			}
			lastGood, rested = now, false
			status.Reads++
			cfg.Recorder.Samples(readings)
			live.samples(readings)
		}
		select {
		case <-ctx.Done():
			switch {
			case status.Reads == 0:
				status.State, status.Reason = probe.NotMeasured, cmp.Or(reason, "there was nothing to read")
			case failures > 0:
				status.State = probe.Partial
				status.Reason = fmt.Sprintf("%d of %d readings failed: %s", failures, failures+int(status.Reads), reason)
			default:
				lacking(s, &status)
			}
			return status
		case <-ticker.C:
			if apart > 0 {
				ticker.Reset(every)
				apart = 0
			}
		}
	}
}

// watch follows one source of events until ctx is done.
func watch(ctx context.Context, w probe.Watcher, cfg Config) probe.Status {
	status := probe.Status{Source: w.Source(), State: probe.Measured}
	cost, err := measureCPU(func() error {
		return w.Watch(ctx, func(e probe.Event) {
			status.Reads++
			cfg.Recorder.Event(e)
		})
	})
	status.CPU = cost
	switch {
	case err == nil:
		lacking(w, &status)
	case errors.Is(err, probe.ErrUnsupported):
		status.State, status.Reason = probe.NotMeasured, err.Error()
	default:
		status.State, status.Reason = probe.Partial, fmt.Sprintf("ended early: %s", err)
	}
	return status
}

// lacking marks a source partial that could not measure all that it stands for.
func lacking(source any, status *probe.Status) {
	partial, ok := source.(probe.PartialSource)
	if !ok {
		return
	}
	var reasons []string
	for _, missing := range partial.Missing() {
		reasons = append(reasons, missing.Error())
	}
	if len(reasons) > 0 {
		status.State, status.Reason = probe.Partial, strings.Join(reasons, "; ")
	}
}

// measureCPU runs f on one thread and returns the CPU time that it took there.
func measureCPU(f func() error) (time.Duration, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := threadCPU()
	err := f()
	return threadCPU() - before, err
}
