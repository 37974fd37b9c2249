package verdicts

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"

	"github.com/rampload/rampload/report/diagnose/inquiry"
	"github.com/rampload/rampload/report/diagnose/words"
	"github.com/rampload/rampload/report/format"
)

// minor is the share of a run's failures below which those of a target are told after the
// others, however well they are explained.
const minor = 0.1

// order puts first what a user must know first: targets that fail before what the generator
// could not show, and that before what is well. Of those that fail, the ones with few of the
// run's failures come after the others; then what is explained comes first, then what fails
// most. Findings of one target stay together.
func order(findings []Finding, cases []*inquiry.Investigation) {
	failed, total := map[string]float64{}, 0.0
	for _, c := range cases {
		failed[c.Target.Info.Name] = c.Target.Total.Failed
		total += c.Target.Total.Failed
	}
	few := func(f Finding) int {
		if fails(f) && failed[f.Target] < minor*total {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(findings, func(x, y Finding) int {
		if fails(x) && fails(y) {
			return cmp.Or(cmp.Compare(few(x), few(y)), cmp.Compare(severity(x), severity(y)), cmp.Compare(failed[y.Target], failed[x.Target]))
		}
		return cmp.Compare(severity(x), severity(y))
	})
	if first := &findings[0]; fails(*first) && failed[first.Target] < total {
		first.Summary += fmt.Sprintf(" %s of the run's %s are its own.", format.Number(failed[first.Target]), format.Counted(total, "failure"))
	}
}

// fails reports whether a finding is about failures of its target.
func fails(f Finding) bool {
	return f.Verdict == Explains || f.Verdict == Ambiguous || f.Verdict == Unexplained
}

func severity(f Finding) int {
	return slices.Index([]Verdict{Explains, Ambiguous, Unexplained, GeneratorLimited, Inconclusive, Degraded, Healthy}, f.Verdict)
}

// mostNames is how many targets an advice names.
const mostNames = 5

// adviseOnce leaves each advice with the first finding that gives it, and names there the
// other targets that it is for. An advice is the same where only the name or the port of the
// target differs.
func adviseOnce(findings []Finding, cases []*inquiry.Investigation) {
	ports := map[string]int{}
	for _, c := range cases {
		ports[c.Target.Info.Name] = c.Target.Info.ListenPort
	}
	type place struct{ finding, advice int }
	first, others := map[string]place{}, map[place][]string{}
	for i := range findings {
		f := &findings[i]
		own := ownWords(f.Target, ports[f.Target])
		var kept []string
		for _, text := range f.Advice {
			key := own.ReplaceAllString(text, "\x00")
			at, said := first[key]
			if !said {
				first[key] = place{i, len(kept)}
				kept = append(kept, text)
				continue
			}
			if f.Target != findings[at.finding].Target && !slices.Contains(others[at], f.Target) {
				others[at] = append(others[at], f.Target)
			}
		}
		f.Advice = kept
	}
	for at, names := range others {
		if more := len(names) - mostNames; more > 0 {
			names = append(names[:mostNames:mostNames], fmt.Sprintf("%d more", more))
		}
		findings[at.finding].Advice[at.advice] += " (likewise for " + words.List(names) + ")"
	}
}

// ownWords matches the name and the port of a target where they are words.
func ownWords(name string, port int) *regexp.Regexp {
	if name == "" {
		name = "\x00"
	}
	return regexp.MustCompile(fmt.Sprintf(`\b(%s|%d)\b`, regexp.QuoteMeta(name), port))
}
