package render

import (
	"slices"
	"strings"

	"github.com/rampload/rampload/report"
)

// page is what a report says, before it is laid out for a format: the first
// line, the facts below it, the tables, and what was and was not concluded.
type page struct {
	word     string
	mark     mark
	headline string
	facts    []fact
	grids    []grid
	findings []fact // label: the target
	closing  []fact
	exit     int
}

// fact is a label with lines of text; each line wraps by itself.
type fact struct {
	label string
	lines []string
}

func pageOf(r *report.Report) page {
	p := page{exit: r.ExitCode}
	p.word, p.mark, p.headline = verdict(r)
	p.facts = slices.Concat(handFacts(r), withCapacity(r, facts(r)), experimentFacts(r), baselineFact(r))
	p.grids = []grid{
		targetsGrid(r), searchGrid(r), idleGrid(r), faultsGrid(r), detailsGrid(r), answersGrid(r), saidGrid(r), requestsGrid(r), addressesGrid(r), onsetsGrid(r), wayGrid(r), resourcesGrid(r), baselineGrid(r), gatesGrid(r),
	}
	if idleOnly(r) { // the facts have said the rest
		p.grids = []grid{idleGrid(r)}
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
			p.findings = append(p.findings, fact{label, lines})
		}
	}
	p.closing = append(journeyFacts(r), p.closing...)
	if lines := notSeen(r); len(lines) > 0 && !isPass(p.word) {
		p.closing = append(p.closing, fact{"not seen", lines})
	}
	if len(r.Warnings) > 0 {
		p.closing = append(p.closing, fact{"note", r.Warnings})
	}
	return p
}

// handFacts says how the load was changed by hand.
func handFacts(r *report.Report) []fact {
	done := r.ByHand()
	if done == "" {
		return nil
	}
	return []fact{{"by hand", []string{done}}}
}

func isPass(word string) bool { return word == wordPassed }

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
