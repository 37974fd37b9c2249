package kernels

import (
	"math"
	"strings"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/format"
)

// Standing says where the open requests of a hop stand from the onset on. Shares are of
// the time, in [0,1]; NaN is not measured.
type Standing struct {
	Host         string
	NotAccepted  float64 // connections in the accept queue of its own listener, at most
	QueueShare   float64 // of the backlog
	Processor    float64 // use of the serving processes, of what they may use; median
	NoProcessor  float64 // ready, and without processor: throttled or waiting (PSI)
	OnDisk       float64
	Stolen       float64 // processor that the hypervisor took
	StolenBefore float64
}

// Known reports whether enough was read to say that a hop is busy or not.
func (s Standing) Known() bool { return !math.IsNaN(s.Processor) }

// Quiet reports whether a hop has processor, disk and room in its queue: what it owes
// stands inside itself or behind it.
func (s Standing) Quiet() bool {
	return s.Processor < 0.5 && !(s.NoProcessor > 0.3) && !(s.OnDisk > 0.2) && !(s.QueueShare > 0.5)
}

// Text words where requests stand.
func (s Standing) Text() string {
	parts := []string{s.Host + ": processor " + format.Percent(s.Processor)}
	if !math.IsNaN(s.NotAccepted) {
		if s.NotAccepted < 1 {
			parts = append(parts, "no queue")
		} else {
			parts = append(parts, format.Counted(s.NotAccepted, "connection")+" not accepted")
		}
	}
	if s.NoProcessor > 0.05 {
		parts = append(parts, "ready without processor for "+format.Percent(s.NoProcessor)+" of the time")
	}
	if s.OnDisk > 0.05 {
		parts = append(parts, "on disk for "+format.Percent(s.OnDisk)+" of the time")
	}
	return strings.Join(parts, ", ")
}

// StandingAt reads where the open requests of a hop stand from the onset on, for at most
// ten seconds: later, what failed before may keep it busy.
func StandingAt(c *evidence.Case, h evidence.Hop) Standing {
	nan := math.NaN()
	out := Standing{Host: h.Host, NotAccepted: nan, QueueShare: nan, Processor: nan, NoProcessor: nan, OnDisk: nan, Stolen: nan, StolenBefore: nan}
	from := c.At
	if c.Onset.Status == evidence.NoOnset || c.Onset.Status == evidence.LeftCensored {
		from = 0
	}
	to := min(from+10, c.Run.Duration())
	if to-from < 1 {
		return out
	}
	for _, r := range c.Run.Resources {
		m := r.Metric
		if evidence.GeneratorOwn(m) || m.Process != "" && (m.Host != h.Host || evidence.OfAnother(c, m.Host, m.Process, m.PID, h)) || m.Process == "" && !c.Run.SpeaksFor(m, h) {
			continue
		}
		switch m.Name {
		case probe.ProcessCPU, probe.CgroupCPU:
			out.Processor = larger(out.Processor, r.Middle(from, to))
		case probe.ListenQueue:
			if c.Listens(m.Instance, h) {
				out.NotAccepted = larger(out.NotAccepted, r.Middle(from, to))
				if r.Limit > 0 {
					out.QueueShare = larger(out.QueueShare, r.Middle(from, to)/r.Limit)
				}
			}
		case probe.Steal:
			out.Stolen = larger(out.Stolen, r.Middle(from, to))
			out.StolenBefore = larger(out.StolenBefore, r.Middle(0, from))
		case probe.CPUThrottled:
			if r.Counter != nil { // of periods of 100 ms, as every cgroup has that did not ask for another
				out.NoProcessor = larger(out.NoProcessor, min(1, r.Counter.Between(from, to)/(10*(to-from))))
			}
		case probe.CPUPressure:
			if r.Counter != nil && m.Host == h.Host && h.Host != evidence.LocalHost {
				out.NoProcessor = larger(out.NoProcessor, min(1, r.Counter.Between(from, to)/1e6/(to-from)))
			}
		case probe.RunDelay: // summed over threads: two that are ready all the time are short of processor
			out.NoProcessor = larger(out.NoProcessor, min(1, r.Growth(from, to)/2e6))
		case probe.ThreadsOnDisk:
			if n := r.Middle(from, to); n >= 1 {
				out.OnDisk = larger(out.OnDisk, min(1, n/2))
			}
		case probe.IOPressure:
			if r.Counter != nil {
				out.OnDisk = larger(out.OnDisk, min(1, r.Counter.Between(from, to)/1e6/(to-from)))
			}
		}
	}
	return out
}

// larger returns the larger of two numbers, of which the first may not be one.
func larger(x, y float64) float64 {
	if math.IsNaN(x) || y > x {
		return y
	}
	return x
}
