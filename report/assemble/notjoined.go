package assemble

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/profiles/spelling"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/spoken"
	"github.com/rampload/rampload/report/format"
	"github.com/rampload/rampload/report/runlog"
)

// nearFailure is how far a line may be from a failure that only its time joins it to.
const nearFailure = time.Second

// heard is what one log has told of.
type heard struct {
	lines, own, foreign uint64 // with the id of a transaction of the run, with another
	joined              bool
	nearest             time.Duration // to a failure; negative: before it
}

// notJoined says of every log that was read and joined to no failure, why.
func notJoined(log *runlog.Log, sources []report.Source) {
	failed, times := failedRequests(log)
	if len(times) == 0 {
		return
	}
	logs := map[probe.Source]*heard{}
	for i := range log.Events {
		e := &log.Events[i]
		if e.Kind != probe.LogLine || e.Line == nil {
			continue
		}
		h := logs[e.Source]
		if h == nil {
			h = &heard{nearest: math.MaxInt64}
			logs[e.Source] = h
		}
		h.lines += max(1, e.Count)
		if n, ours := spoken.RequestOf(log.Header.RunID, e.Line.ID); ours {
			h.own++
			h.joined = h.joined || failed[n]
			continue
		}
		if e.Line.ID != "" {
			h.foreign += max(1, e.Count)
			continue
		}
		if d := nearest(times, e.At); d.Abs() < h.nearest.Abs() {
			h.nearest = d
			h.joined = h.joined || d.Abs() <= nearFailure
		}
	}
	some := false // another log tells of what failed
	for _, h := range logs {
		some = some || h.joined
	}
	for i := range sources {
		s := &sources[i]
		if !strings.HasPrefix(s.Source, "log ") || s.State == string(probe.NotMeasured) {
			continue
		}
		h := logs[probe.Source{Host: s.Host, Name: s.Source}]
		if h != nil && h.joined {
			continue
		}
		why := "not joined to any failure: " + whyNot(h)
		if h != nil || !some || s.State != string(probe.Measured) { // beside one that tells, a silent log is whole
			s.State = string(probe.Partial)
		}
		if s.Reason != "" {
			why += "; " + s.Reason
		}
		s.Reason = why
	}
}

// whyNot says why lines are joined to nothing.
func whyNot(h *heard) string {
	switch {
	case h == nil:
		return "it has no line that tells of a fault"
	case h.own > 0:
		return "all transactions of this run that it names ended well"
	case h.foreign > 0 && h.foreign == h.lines:
		return fmt.Sprintf("all ids in it (%s) are of something else: does the service pass X-Transaction-Id on?", format.Count(h.lines))
	case h.nearest == math.MaxInt64:
		return "its lines have neither an id nor a time"
	}
	when := "after"
	if h.nearest < 0 {
		when = "before"
	}
	return fmt.Sprintf("it has no transaction id in what tells of faults (%s), and the nearest of that is %s %s any failure",
		format.Count(h.lines), spelling.FormatDuration(h.nearest.Abs().Round(time.Second/10)), when)
}

// failedRequests returns the requests that are known to have failed, and when, in order.
func failedRequests(log *runlog.Log) (map[uint64]bool, []time.Duration) {
	failed, times := map[uint64]bool{}, []time.Duration(nil)
	for i := range log.Failures {
		f := &log.Failures[i]
		if f.Phase == attack.PhaseIdle || !f.Fault.Failure() {
			continue
		}
		failed[f.Request] = true
		times = append(times, f.End)
	}
	slices.Sort(times)
	return failed, times
}

// nearest returns how long after the nearest of some times in order another one is.
func nearest(times []time.Duration, at time.Duration) time.Duration {
	i, _ := slices.BinarySearch(times, at)
	best := time.Duration(math.MaxInt64)
	for _, k := range []int{i - 1, i} {
		if k >= 0 && k < len(times) {
			if d := at - times[k]; d.Abs() < best.Abs() {
				best = d
			}
		}
	}
	return best
}
