package eval

import (
	"slices"
	"strings"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report/runlog"
)

// Evidence is a choice of the sources that an analysis may use.
type Evidence struct {
	Name string
	// Keep returns a copy of a log as a run with these sources only would have
	// recorded it: what was taken away is listed as not measured, never as zero.
	// The log itself is not changed; the copy shares what was kept.
	Keep func(*runlog.Log) *runlog.Log
}

// Names of sources as the probes give them, and of the generator.
const (
	sourceTrace    = "reset trace"
	sourceCapture  = "reset capture"
	sourceCounters = "kernel counters"
	sourceSockets  = "sockets"
	sourceHost     = "host"
	sourceProcess  = "process"
	sourceSelf     = "generator"

	generatorHost    = profiles.LocalHost
	generatorProcess = "rampload"
)

// Ablations returns the choices that are evaluated: all sources first, each
// group of sources taken away alone, and at last what any client sees.
func Ablations() []Evidence {
	return []Evidence{
		{"all sources", func(log *runlog.Log) *runlog.Log { return log }},
		{"without the kernel's reset trace", removal{sources: []string{sourceTrace}}.from},
		{"without captured packets", removal{sources: []string{sourceCapture}}.from},
		{"without trace and capture (no root)", removal{sources: []string{sourceTrace, sourceCapture}}.from},
		{"without gauges of processes and hosts", removal{metric: isGauge, partly: []string{sourceCounters}, sources: []string{sourceSockets, sourceHost}}.from},
		{"without kernel counters", removal{metric: isCounter, sources: []string{sourceCounters}}.from},
		{"without process events", removal{event: isProcessEvent, partly: []string{sourceProcess, sourceCounters}}.from},
		{"the client and captured packets", clientWith(sourceCapture)},
		{"the client alone", clientWith()},
	}
}

// removal says what is taken away from a log.
type removal struct {
	sources []string                // whole, by the beginning of their names, with their events
	partly  []string                // sources that lose a part: their state becomes partial
	metric  func(probe.Metric) bool // series to take away
	event   func(probe.Event) bool  // events to take away
}

const leftOut = "left out of this evaluation"

func (r removal) from(log *runlog.Log) *runlog.Log {
	out := *log
	out.Series, out.Events = nil, nil
	for _, s := range log.Series {
		if generatorOwn(s.Metric) || r.metric == nil || !r.metric(s.Metric) {
			out.Series = append(out.Series, s)
		}
	}
	for _, e := range log.Events {
		if !startsWithAny(e.Source.Name, r.sources) && (r.event == nil || !r.event(e)) {
			out.Events = append(out.Events, e)
		}
	}
	out.Trailer = withSources(log.Trailer, func(s probe.Status) probe.Status {
		switch {
		case s.Source.Name == sourceSelf || s.State == probe.NotMeasured:
		case startsWithAny(s.Source.Name, r.sources):
			s.State, s.Reason = probe.NotMeasured, leftOut
		case startsWithAny(s.Source.Name, r.partly):
			s.State, s.Reason = probe.Partial, leftOut
		}
		return s
	})
	return &out
}

// clientWith keeps what the generator knows of itself and of its attempts, and
// the named sources on its host. Such a run names no hosts of its targets.
func clientWith(sources ...string) func(*runlog.Log) *runlog.Log {
	return func(log *runlog.Log) *runlog.Log {
		out := *log
		out.Series, out.Events, out.Header.Hosts = nil, nil, nil
		out.Header.Targets = slices.Clone(log.Header.Targets)
		for i := range out.Header.Targets {
			out.Header.Targets[i].Hosts = nil
		}
		for _, h := range log.Header.Hosts {
			if h.Name == generatorHost {
				out.Header.Hosts = append(out.Header.Hosts, h)
			}
		}
		for _, s := range log.Series {
			if generatorOwn(s.Metric) {
				out.Series = append(out.Series, s)
			}
		}
		kept := func(s probe.Source) bool {
			return s.Host == generatorHost && (s.Name == sourceSelf || startsWithAny(s.Name, sources))
		}
		for _, e := range log.Events {
			if kept(e.Source) {
				out.Events = append(out.Events, e)
			}
		}
		out.Trailer = withSources(log.Trailer, func(s probe.Status) probe.Status {
			if !kept(s.Source) && s.State != probe.NotMeasured {
				s.State, s.Reason = probe.NotMeasured, leftOut
			}
			return s
		})
		if out.Trailer != nil {
			out.Trailer.Sources = slices.DeleteFunc(out.Trailer.Sources, func(s probe.Status) bool { return s.Source.Host != generatorHost })
		}
		return &out
	}
}

func withSources(t *runlog.Trailer, change func(probe.Status) probe.Status) *runlog.Trailer {
	if t == nil {
		return nil
	}
	out := *t
	out.Sources = make([]probe.Status, len(t.Sources))
	for i, s := range t.Sources {
		out.Sources[i] = change(s)
	}
	return &out
}

func startsWithAny(name string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) })
}

// generatorOwn reports whether a metric is about the generator's own process,
// which no evaluation takes away.
func generatorOwn(m probe.Metric) bool {
	return m.Host == generatorHost && m.Process == generatorProcess
}

func isGauge(m probe.Metric) bool {
	d, ok := m.Def()
	return !ok || d.Kind == probe.HardLimit || d.Kind == probe.Utilisation || d.Kind == probe.Gauge
}

func isCounter(m probe.Metric) bool {
	d, ok := m.Def()
	return ok && (d.Kind == probe.Counter || d.Kind == probe.Symptom)
}

func isProcessEvent(e probe.Event) bool {
	return e.Kind == probe.ProcessStart || e.Kind == probe.ProcessExit || e.Kind == probe.OOMKill
}
