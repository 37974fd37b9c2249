package render

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/render/comparison"
	"github.com/rampload/rampload/report/render/layout"
)

func pageOf(r *report.Report) layout.Page {
	p := layout.Page{Exit: r.ExitCode}
	p.Word, p.Mark, p.Headline = verdict(r)
	p.Facts = slices.Concat(handFacts(r), markFacts(r), withCapacity(r, facts(r)), experimentFacts(r), comparison.BaselineFact(r))
	p.Grids = []layout.Grid{
		targetsGrid(r), searchGrid(r), idleGrid(r), faultsGrid(r), detailsGrid(r), answersGrid(r), saidGrid(r), requestsGrid(r), addressesGrid(r), onsetsGrid(r), wayGrid(r), resourcesGrid(r),
	}
	p.Grids = append(append(p.Grids, comparison.BaselineGrids(r)...), gatesGrid(r))
	if idleOnly(r) { // the facts have said the rest
		p.Grids = []layout.Grid{idleGrid(r)}
		return p
	}
	for i, f := range r.Findings {
		label := f.Target
		if label == "" {
			label = "run"
		}
		lines := []string{}
		if f.Summary != "" {
			lines = append(lines, f.Summary)
		}
		if i > 0 { // those of the first stand on top
			for _, e := range evidence(f, 3) {
				if !strings.Contains(f.Summary, e) {
					lines = append(lines, e)
				}
			}
			for _, a := range f.Advice {
				lines = append(lines, "fix: "+a)
			}
		}
		if len(lines) > 0 {
			p.Findings = append(p.Findings, layout.Fact{Label: label, Lines: lines})
		}
	}
	p.Closing = slices.Concat(completionFacts(r), journeyFacts(r), p.Closing)
	if lines := notSeen(r); len(lines) > 0 && !isPass(p.Word) {
		p.Closing = append(p.Closing, layout.Fact{Label: "not seen", Lines: lines})
	}
	if len(r.Warnings) > 0 {
		p.Closing = append(p.Closing, layout.Fact{Label: "note", Lines: r.Warnings})
	}
	return p
}

// handFacts says how the load was changed by hand.
func handFacts(r *report.Report) []layout.Fact {
	done := r.ByHand()
	if done == "" {
		return nil
	}
	return []layout.Fact{{Label: "by hand", Lines: []string{done}}}
}

// markFacts are what people said of times, with the time of day: other logs have that.
func markFacts(r *report.Report) []layout.Fact {
	var lines []string
	for _, m := range r.Marks {
		lines = append(lines, fmt.Sprintf("%s (%s UTC) %s", layout.Seconds(&m.AtS), clockAt(r, m.AtS), m.Text))
	}
	if len(lines) == 0 {
		return nil
	}
	return []layout.Fact{{Label: "marks", Lines: lines}}
}

// clockAt is the time of day of a time of the run.
func clockAt(r *report.Report, seconds float64) string {
	return r.Started.UTC().Add(time.Duration(seconds * float64(time.Second))).Format(time.TimeOnly)
}

func isPass(word string) bool { return word == wordPassed || word == wordHealthy }

// manyParts is the number of parts from which on only the reason is shown: the JSON
// report lists them.
const manyParts = 4

// brief leaves the parts of a source out of why it was measured in part, where one
// reason stands for many: "a, b, c, d not measured: no fentry" is "no fentry".
func brief(reason string) string {
	whys := strings.Split(reason, "; ")
	for i, why := range whys {
		if what, because, ok := strings.Cut(why, " not measured: "); ok && strings.Count(what, ", ")+1 >= manyParts {
			whys[i] = because
		}
	}
	return strings.Join(whys, "; ")
}

// notSeen lists what was not or only partly measured, one line a reason.
func notSeen(r *report.Report) []string {
	var order []string
	what := map[string][]string{}
	for _, s := range r.Sources {
		if s.State == "measured" {
			continue
		}
		key := strings.TrimPrefix(s.Reason, s.Source+" not measured: ")
		if s.State == "partial" {
			key = "in part: " + brief(key)
		}
		if _, ok := what[key]; !ok {
			order = append(order, key)
		}
		what[key] = append(what[key], s.Source+" on "+s.Host)
	}
	var out []string
	for _, key := range order {
		line := strings.Join(what[key], ", ")
		if key != "" {
			line += " (" + key + ")"
		}
		out = append(out, line)
	}
	return out
}
