package evidence

import (
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/runlog"
	"github.com/rampload/rampload/report/stats"
)

const (
	gapPeriods = 3.0
	leastGap   = 0.9 // seconds: a sampler that waited for a busy processor lost nothing
	gapReach   = 2.0 // seconds around an onset in which a gap hides the answer
)

// gap is a time in which a series has no samples.
type gap struct{ From, To float64 }

func (g gap) touches(from, to float64) bool { return g.From < to && g.To > from }

// FindGaps returns where a series is silent for more than three of its periods
// (and most of a second) during the load, before its first and after its last sample included.
func FindGaps(s *runlog.Series, duration float64) []gap {
	var steps []float64
	for i := 1; i < len(s.At); i++ {
		steps = append(steps, (s.At[i] - s.At[i-1]).Seconds())
	}
	period := 0.25
	if len(steps) > 0 {
		period = max(0.01, stats.Median(steps))
	}
	var out []gap
	last := 0.0
	if len(s.At) > 0 && s.At[0].Seconds() > gapPeriods*period {
		last = 0
	} else if len(s.At) > 0 {
		last = max(0, s.At[0].Seconds())
	}
	for _, at := range s.At {
		t := at.Seconds()
		if t < 0 {
			continue
		}
		if t > duration {
			break
		}
		if t-last > max(gapPeriods*period, leastGap) {
			out = append(out, gap{last, t})
		}
		last = t
	}
	if duration-last > max(gapPeriods*period, 1) {
		out = append(out, gap{last, duration})
	}
	return out
}

// GapAt returns a gap of a series within 2 s of an onset. A process that ended
// leaves its series for good; that is no gap of its probe.
func (run *Run) GapAt(r *Resource, onset Span) *gap {
	from, to := onset.Value-gapReach, onset.Value+gapReach
	for i, g := range r.Gaps {
		if !g.touches(from, to) {
			continue
		}
		if r.Metric.PID != 0 && (g.To >= run.Duration()-1e-9 || g.From <= 0) && run.pidEvent(r.Metric.PID) {
			continue
		}
		return &r.Gaps[i]
	}
	return nil
}

func (run *Run) pidEvent(pid int32) bool {
	for _, e := range run.Log.Events {
		if (e.Kind == probe.ProcessExit || e.Kind == probe.ProcessStart || e.Kind == probe.OOMKill) && e.PID == pid {
			return true
		}
	}
	return false
}

// windowGap returns the longest stretch of windows missing from a target's record
// within 2 s of an onset, in seconds.
func (run *Run) windowGap(t *Target, onset Span) float64 {
	seen := make(map[int32]bool, len(t.Windows))
	for _, w := range t.Windows {
		seen[w.Index] = true
	}
	from, to := run.Window(onset.Value-gapReach), run.Window(onset.Value+gapReach)
	longest, missed := 0, 0
	for i := from; i <= to; i++ {
		if missed++; seen[int32(i)] {
			missed = 0
		}
		longest = max(longest, missed)
	}
	if float64(longest) <= gapPeriods {
		return 0
	}
	return float64(longest) * run.Step
}

// ClockError is how far the clock of a host may be off the generator's, in
// seconds (one standard deviation). Parts of this machine share its clock.
func (run *Run) ClockError(host string) float64 {
	if host == "" || host == LocalHost {
		return 0
	}
	for _, h := range run.Log.Header.Hosts {
		switch {
		case h.Name != host:
		case h.SameAs == LocalHost:
			return 0
		case h.ClockError != nil:
			return h.ClockError.Seconds()
		}
	}
	if run.Log.Trailer != nil {
		if e, ok := run.Log.Trailer.ClockErrors[host]; ok {
			return e.Seconds()
		}
	}
	for _, h := range run.Log.Header.Hosts {
		if h.Name == host && h.SameAs != "" && h.SameAs != host {
			return run.ClockError(h.SameAs)
		}
	}
	return unknownClockError
}

// unknownClockError is assumed of other hosts whose clock was not compared: what
// NTP keeps in a data centre is a few milliseconds, with a margin.
const unknownClockError = 0.05

// MaxClockError is beyond what the order of events across hosts means nothing.
const MaxClockError = 0.5
