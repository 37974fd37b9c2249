package report

import (
	"fmt"
	"math"
	"time"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report/format"
	"github.com/rampload/rampload/report/judge"
)

// maxGap is the longest time without a reading over which a headroom still
// counts as watched: 12 readings at the usual rate.
const maxGap = 3 * time.Second

func judgeHeadroom(g profiles.Gate, e *evidence, all []Headroom) GateResult {
	r := GateResult{Unit: judge.UnitName(profiles.UnitRatio), Result: GateUndecided}
	type place struct{ host, process string }
	seen, order := map[place][]time.Duration{}, []place(nil)
	least, where, when := math.Inf(1), Headroom{}, time.Duration(0)
	for _, h := range all {
		if h.Name != g.Of {
			continue
		}
		p := place{h.Host, h.Process}
		for i, at := range h.At {
			if !e.watches(at) {
				continue
			}
			if seen[p] == nil {
				order = append(order, p)
			}
			seen[p] = append(seen[p], at)
			if h.Free[i] < least {
				least, where, when = h.Free[i], h, at
			}
		}
	}
	if math.IsInf(least, 1) {
		r.Reason = g.Of + " was not measured"
		return r
	}
	r.Value = &least
	r.Reason = fmt.Sprintf("%s left of %s at %s", format.FinePercent(least), nameOf(where), format.Seconds(when.Seconds()))
	if !g.Op.Holds(least, g.Value) {
		r.Result = GateFailed
		return r
	}
	r.Result = GatePassed
	for _, p := range order {
		if from, gap := e.longestGap(seen[p]); gap > maxGap {
			r.Result = GateUndecided
			r.Reason = fmt.Sprintf("not seen on %s for %s from %s; else %s", nameOf(Headroom{Host: p.host, Process: p.process}),
				format.Seconds(gap.Seconds()), format.Seconds(from.Seconds()), r.Reason)
			break
		}
	}
	return r
}

// watches reports whether a reading at a time belongs to the gate's windows.
func (e *evidence) watches(at time.Duration) bool {
	if e.series.Interval <= 0 || at < 0 {
		return false
	}
	i := int(at / e.series.Interval)
	if e.gate.UpTo <= 0 && e.end == e.series.Len() && i >= e.end {
		return true // cool-down
	}
	return e.includes(i)
}

// longestGap returns the longest stretch of the gate's windows without a
// reading, and where it begins. Times need not be in order.
func (e *evidence) longestGap(times []time.Duration) (from, longest time.Duration) {
	read := make([]bool, e.end)
	for _, at := range times {
		if i := int(at / e.series.Interval); i < e.end {
			read[i] = true
		}
	}
	run := 0
	for i := range e.end {
		if read[i] || !e.includes(i) {
			run = 0
			continue
		}
		run++
		if gap := time.Duration(run) * e.series.Interval; gap > longest {
			from, longest = time.Duration(i+1-run)*e.series.Interval, gap
		}
	}
	return from, longest
}

// nameOf says which resource: "open-files of payments on orders-1".
func nameOf(h Headroom) string {
	s := h.Name
	if h.Process != "" {
		if s != "" {
			s += " of "
		}
		s += h.Process
	}
	if h.Instance != "" {
		s += " " + h.Instance
	}
	if s != "" {
		s += " on "
	}
	return s + h.Host
}
