package host

import (
	"cmp"
	"context"
	"errors"
	"math"
	"os"
	"runtime/metrics"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/profiles"
)

// selfLabel and selfHost are what the readings of rampload itself are called.
const (
	selfLabel = "rampload"
	selfHost  = "local"
)

// Self samples rampload itself: what [Process] reads of a process, and of its Go
// runtime how long goroutines that could run had to wait (probe.GoroutineLag)
// and how long garbage collection stopped them (probe.GCPause), each since the
// last reading.
type Self struct {
	process *Process
	pid     int32
	samples [2]metrics.Sample
	before  [2][]uint64 // counts of the histograms at the last reading
}

// NewSelf opens a sampler of rampload itself, on the host "local".
func NewSelf(o Options) (*Self, error) {
	pid := os.Getpid()
	p, err := newSelfProcess(profiles.Process{PID: pid}, o)
	if err != nil {
		return nil, err
	}
	s := &Self{process: p, pid: int32(pid)}
	s.samples[0].Name = "/sched/latencies:seconds"
	s.samples[1].Name = "/sched/pauses/total/gc:seconds"
	s.readRuntime(func(string, float64) {})
	return s, nil
}

// newSelfProcess opens the process without its children: a service that rampload
// started for a demo is no part of the generator.
func newSelfProcess(sel profiles.Process, o Options) (*Process, error) {
	p, err := NewProcess(sel, selfHost, o)
	if err != nil {
		return nil, err
	}
	p.alone = true
	p.setLabel(selfLabel)
	return p, nil
}

// Source names the sampler in reports.
func (s *Self) Source() probe.Source { return probe.Source{Host: selfHost, Name: "generator"} }

// Missing says what could not be read.
func (s *Self) Missing() []*probe.Unsupported { return s.process.Missing() }

// Close closes its files. It may be called again.
func (s *Self) Close() error { return s.process.Close() }

// Sample reads rampload's process and its runtime.
func (s *Self) Sample(ctx context.Context, emit func(probe.Sample)) error {
	if err := cmp.Or(ctx.Err(), closedErr(s.process.closed)); err != nil {
		return err
	}
	read := s.process.opts.Clock.Stamp(emit)
	s.readRuntime(func(name string, v float64) {
		read(probe.Reading{
			Metric: probe.Metric{Host: selfHost, Process: selfLabel, PID: s.pid, Name: name},
			Value:  v, Limit: probe.NoLimit(),
		})
	})
	err := s.process.Sample(ctx, emit)
	if errors.Is(err, errNoProcess) { // it is us: a fixture, or a system that shows no processes
		return nil
	}
	return err
}

// readRuntime puts the figures of the runtime since the last call.
func (s *Self) readRuntime(put func(name string, v float64)) {
	metrics.Read(s.samples[:])
	for i := range s.samples {
		if s.samples[i].Value.Kind() != metrics.KindFloat64Histogram {
			continue
		}
		h := s.samples[i].Value.Float64Histogram()
		since := difference(s.before[i], h.Counts)
		s.before[i] = append(s.before[i][:0], h.Counts...)
		if i == 0 {
			if v, ok := quantile(since, h.Buckets, 0.99); ok {
				put(probe.GoroutineLag, v)
			}
			continue
		}
		longest, ok := quantile(since, h.Buckets, 1)
		if !ok {
			longest = 0 // no collection, no pause
		}
		put(probe.GCPause, longest)
	}
}

// difference returns how much each count grew.
func difference(before, now []uint64) []uint64 {
	d := make([]uint64, len(now))
	for i, n := range now {
		d[i] = n
		if i < len(before) {
			d[i] -= before[i]
		}
	}
	return d
}

// quantile returns the upper bound of the bucket that holds the q-th part of the
// counts; false if there are none. buckets has one bound more than there are
// counts; the outer ones can be infinite, and then the inner bound is taken.
func quantile(counts []uint64, buckets []float64, q float64) (float64, bool) {
	var total uint64
	for _, n := range counts {
		total += n
	}
	if total == 0 || len(buckets) != len(counts)+1 {
		return 0, false
	}
	rank := uint64(math.Ceil(q * float64(total)))
	var seen uint64
	for i, n := range counts {
		if seen += n; seen < max(rank, 1) {
			continue
		}
		if math.IsInf(buckets[i+1], 1) {
			return max(buckets[i], 0), true
		}
		return max(buckets[i+1], 0), true
	}
	return 0, false
}
