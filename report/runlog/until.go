package runlog

import (
	"math"
	"slices"
	"sort"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
)

// Until returns the log as it stood at a time of the run: what ended, was read or happened
// later is left out, and of requests that were under way nothing is known. What is known of
// the whole run, the header and the trailer, stays. The log that it was made from keeps its
// records; both share them, so neither may be changed afterwards.
func (l *Log) Until(at time.Duration) *Log {
	out := *l
	out.Header.Stages = nil
	for _, s := range l.Header.Stages {
		if s.Start < at {
			out.Header.Stages = append(out.Header.Stages, s)
		}
	}
	whole := int32(math.MaxInt32) // windows that had ended
	if l.Header.Interval > 0 {
		whole = int32(at / l.Header.Interval)
	}
	out.Windows = make([][]attack.Window, len(l.Windows))
	for i, windows := range l.Windows {
		out.Windows[i] = kept(windows, func(w attack.Window) bool { return w.Index < whole })
	}
	out.Failures = kept(l.Failures, func(f attack.Failure) bool { return f.End <= at })
	out.Events = kept(l.Events, func(e probe.Event) bool { return e.At <= at })
	out.Steps = kept(l.Steps, func(s attack.Step) bool { return s.End > 0 && s.End <= at })
	out.Clocks = kept(l.Clocks, func(r ClockReading) bool { return r.Asked <= at })
	out.Takeovers = kept(l.Takeovers, func(t Takeover) bool { return t.At <= at })
	out.Hands = kept(l.Hands, func(h Hand) bool { return h.At <= at })
	out.Marks = kept(l.Marks, func(m Mark) bool { return m.At <= at })
	out.Idle = nil // an idle stage comes behind all load
	out.Series = make([]Series, len(l.Series))
	for i, s := range l.Series {
		n := sort.Search(len(s.At), func(k int) bool { return s.At[k] > at })
		s.At, s.Value, s.Limit = s.At[:n:n], s.Value[:n:n], s.Limit[:min(n, len(s.Limit)):min(n, len(s.Limit))]
		out.Series[i] = s
	}
	return &out
}

func kept[T any](all []T, keep func(T) bool) []T {
	return slices.DeleteFunc(slices.Clone(all), func(x T) bool { return !keep(x) })
}
