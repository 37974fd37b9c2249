package assemble

import (
	"fmt"
	"slices"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/format"
	"github.com/rampload/rampload/report/runlog"
)

// marks are what people said of times, in their order.
func marks(log *runlog.Log) []report.Mark {
	var out []report.Mark
	for _, m := range log.Marks {
		out = append(out, report.Mark{AtS: m.At.Seconds(), Text: m.Text})
	}
	slices.SortStableFunc(out, func(a, b report.Mark) int {
		switch {
		case a.AtS < b.AtS:
			return -1
		case a.AtS > b.AtS:
			return 1
		}
		return 0
	})
	return out
}

const (
	// markReach is how long after a mark an onset can be said to follow it: a release
	// takes some minutes to be everywhere.
	markReach = 300.0
	// markSlack is how much before a mark an onset may be dated that follows it: whoever
	// marks a release does it by hand.
	markSlack = 0.5
)

// nameMarks names the mark that each onset follows, and says so of the findings on that
// target: what changed just before is what everybody asks for first.
func nameMarks(r *report.Report) {
	for i := range r.Targets {
		t := &r.Targets[i]
		for k := range t.Onsets {
			t.Onsets[k].Mark = markBefore(r.Marks, t.Onsets[k])
		}
		t.Onset.Mark = markBefore(r.Marks, t.Onset)
		m := t.Onset.Mark
		if m == nil {
			continue
		}
		for k := range r.Findings {
			f := &r.Findings[k]
			if f.Target != t.Name || f.Verdict == "healthy" {
				continue
			}
			at := m.AtS
			text := fmt.Sprintf("it began %s after the mark %q", format.Seconds(m.AfterS), m.Text)
			f.Evidence = append([]report.Evidence{{Source: "mark", Text: text, AtS: &at}}, f.Evidence...)
		}
	}
}

// markBefore returns the latest mark before an onset; nil without any near it.
func markBefore(marks []report.Mark, o report.Onset) *report.MarkBefore {
	if o.AtS == nil || o.Status == report.OnsetFromStart {
		return nil
	}
	var found *report.MarkBefore
	for _, m := range marks {
		if after := *o.AtS - m.AtS; after >= -markSlack && after <= markReach {
			found = &report.MarkBefore{Mark: m, AfterS: max(0, after)}
		}
	}
	return found
}
