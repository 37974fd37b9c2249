package search

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/format"
	"github.com/rampload/rampload/report/stats"
)

// Judge judges single loads of a search by the windows in which they were
// held, while the run goes on and again from its log.
type Judge struct {
	Gates  []profiles.Gate // what a load has to hold
	Series *report.Series
	// Connections (of one target) and MaxInFlight are the client's own limits, 0
	// for none: requests that wait for these show a slow target, not a slow client.
	Connections, MaxInFlight int
}

// Verdict is the judgement of one load.
type Verdict struct {
	Result string // passed, failed, undecided, limited
	Clean  bool   // undecided: what was seen so far is within every gate
	Gate   string // that decided; empty where all passed or this machine was the limit
	Reason string
}

// earlyConfidence is what it takes to end a hold before its time: it is looked at
// four times a second, so chance has many.
const earlyConfidence = 0.999

// confidence is that of a gate.
const confidence = 0.95

// Judge judges a load that was held in windows [from, to), when the requests due
// in them have ended. What failed before this machine fell behind is the
// target's; nothing later is.
func (j Judge) Judge(load float64, from, to int) Verdict {
	from, to = j.clip(from), j.clip(to)
	end, limit := to, ""
	if at, reason := j.generatorLimit(load, from, to); reason != "" {
		end, limit = at, reason
	}
	part := j.part(from, end)
	v := Verdict{Result: report.StepPassed, Clean: true}
	var reasons []string
	for i, r := range report.Judge(j.Gates, report.Judged{Series: part, Alone: true}) {
		g := j.Gates[i]
		switch {
		case r.Result == report.GateFailed:
			return Verdict{Result: report.StepFailed, Gate: g.Text, Reason: r.Reason}
		case r.Result == report.GateUndecided && v.Result == report.StepPassed:
			v.Result, v.Gate, reasons = report.StepUndecided, g.Text, []string{r.Reason}
		case v.Result == report.StepPassed:
			reasons = append(reasons, r.Reason)
		}
		if r.Result == report.GateUndecided && (r.Value == nil || !g.Op.Holds(*r.Value, g.Value)) {
			v.Clean = false
		}
	}
	if limit != "" {
		return Verdict{Result: report.StepLimited, Reason: "this machine was the limit: " + limit}
	}
	if len(reasons) > 0 {
		v.Reason = reasons[0]
	}
	return v
}

// Open reports whether a hold that has lasted for the windows [from, to) leaves
// a gate undecided that more of the same would decide within most windows.
// Requests in flight count as well ended.
func (j Judge) Open(from, to, most int) bool {
	part := j.pending(from, to)
	for i, r := range report.Judge(j.Gates, report.Judged{Series: part, Alone: true}) {
		if r.Result != report.GateUndecided {
			continue
		}
		k, n := report.Counts(j.Gates[i], part)
		if k > 0 {
			return true // it may go either way
		}
		limit := j.Gates[i].Value
		if j.Gates[i].Metric == profiles.GateLatency {
			limit = 1 - j.Gates[i].Percentile
		}
		if to > from && float64(n)*float64(most)/float64(to-from) >= float64(stats.CleanTrials(limit, confidence)) {
			return true
		}
	}
	return false
}

// Broken reports whether a hold that goes on has broken a gate beyond doubt.
func (j Judge) Broken(from, to int) bool {
	part := j.pending(from, to)
	for _, g := range j.Gates {
		if g.Within > 0 {
			continue // its spans are judged when they are over
		}
		k, n := report.Counts(g, part)
		switch {
		case n == 0:
		case g.Metric != profiles.GateLatency && (g.Unit == profiles.UnitCount || g.Value == 0):
			if seen := float64(k); seen > g.Value || seen == g.Value && g.Op == profiles.Less {
				return true
			}
		case g.Metric == profiles.GateLatency:
			if stats.LowerShare(float64(k), float64(n), earlyConfidence) > 1-g.Percentile {
				return true
			}
		case stats.LowerShare(float64(k), float64(n), earlyConfidence) > g.Value:
			return true
		}
	}
	return false
}

func (j Judge) clip(window int) int { return min(max(window, 0), j.Series.Len()) }

// part returns the windows [from, to) as a run of their own.
func (j Judge) part(from, to int) *report.Series {
	s := &report.Series{Interval: j.Series.Interval, Names: j.Series.Names, Roles: j.Series.Roles}
	for _, points := range j.Series.Points {
		s.Points = append(s.Points, slices.Clone(points[j.clip(from):j.clip(to)]))
	}
	return s
}

// pending is part, with what is in flight taken as well ended: the failures of a
// target that answers slowly come first.
func (j Judge) pending(from, to int) *report.Series {
	s := j.part(from, to)
	for _, points := range s.Points {
		for i := range points {
			p := &points[i]
			ended := p.Requests - p.Held + p.LocalFaults
			if p.Sent <= ended {
				continue
			}
			open := p.Sent - ended
			p.Requests += open
			p.Attempts += open
			p.Latency = p.Latency.Merge(attack.Histogram{{Value: 0, Count: open}})
		}
	}
	return s
}

// generatorLimit returns the window in [from, to) from which on this machine kept
// the load from the targets, and how; an empty reason for none.
func (j Judge) generatorLimit(load float64, from, to int) (at int, reason string) {
	s := j.Series
	windows := max(2, int(attack.FairFor/s.Interval))
	late := attack.FairLag(s.Interval)
	var lag time.Duration
	var localFaults, sent, unsent, scheduled uint64
	lateNow := func(i int) bool {
		for t := range s.Points {
			p := &s.Points[t][i]
			if d := time.Duration(p.LagP99) * time.Microsecond; d > late && !j.waits(p) {
				lag = max(lag, d)
				return true
			}
		}
		return false
	}
	faulty := func(i int) bool {
		n := uint64(0)
		for t := range s.Points {
			n += s.Points[t][i].LocalFaults
		}
		localFaults += n
		return n > 0
	}
	excused := false
	for i := from; i < to; i++ {
		for t := range s.Points {
			p := &s.Points[t][i]
			sent, unsent, scheduled = sent+p.Sent, unsent+p.Unsent, scheduled+p.Scheduled
			excused = excused || j.waits(p)
		}
	}
	if i, found := sustained(from, to, windows, faulty); found {
		return i, fmt.Sprintf("%s of its own attempts failed for lack of ports, files or buffers", format.Count(localFaults))
	}
	if i, found := sustained(from, to, windows, lateNow); found {
		return i, "it sent up to " + format.Seconds(lag.Seconds()) + " late"
	}
	planned := load * float64(to-from) * s.Interval.Seconds()
	if due := float64(scheduled); due < attack.FairShare*planned && planned-due > 3 {
		return from, fmt.Sprintf("it got round to %s of %s requests", format.Count(scheduled), format.Number(math.Round(planned)))
	}
	if !excused && float64(sent) < attack.FairShare*float64(scheduled) && scheduled-sent > 3 {
		return from, fmt.Sprintf("it sent %s of %s requests", format.Count(sent), format.Count(scheduled))
	}
	return 0, ""
}

// waits reports whether requests wait for one of the client's own limits.
func (j Judge) waits(p *report.Point) bool {
	return attack.Waiting(p.InFlight, j.Connections, j.MaxInFlight)
}

// sustained returns the first of so many windows of which three in four are so,
// in a stretch of which at least a third is.
func sustained(from, to, windows int, is func(int) bool) (int, bool) {
	all := make([]bool, max(0, to-from))
	n := 0
	for i := range all {
		if all[i] = is(from + i); all[i] {
			n++
		}
	}
	if 3*n < len(all) {
		return 0, false
	}
	for i := 0; i+windows <= len(all); i++ {
		k := 0
		for _, x := range all[i : i+windows] {
			if x {
				k++
			}
		}
		if all[i] && 4*k >= 3*windows {
			return from + i, true
		}
	}
	return 0, false
}
