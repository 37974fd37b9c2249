package investigate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/format"
)

// Conclude returns a report with what an investigation told: the findings of its target
// have the beliefs that are left, and explain where one is. The report that was given
// stays as it is.
func Conclude(before *report.Report, told report.Investigation) *report.Report {
	out := *before
	out.Investigation = &told
	out.Findings = slices.Clone(before.Findings)
	if len(told.Experiments) == 0 {
		return &out
	}
	if len(told.Candidates) == 0 { // nothing was suspected: what it depends on says where to look
		for i := range out.Findings {
			if f := &out.Findings[i]; f.Target == told.Target {
				f.Summary = strings.TrimSpace(f.Summary + " " + told.Depends)
				f.Evidence = append(slices.Clone(f.Evidence), evidence(told)...)
			}
		}
		return &out
	}
	share := map[string]float64{}
	for _, c := range told.Candidates {
		share[c.Cause] = c.After
	}
	var mine, rest []report.Finding
	for _, f := range out.Findings {
		after, known := share[f.Cause]
		if f.Target != told.Target || !known {
			rest = append(rest, f)
			continue
		}
		f.Confidence = after
		f.Evidence = append(slices.Clone(f.Evidence), evidence(told)...)
		mine = append(mine, f)
	}
	slices.SortStableFunc(mine, func(x, y report.Finding) int {
		switch {
		case x.Confidence > y.Confidence:
			return -1
		case x.Confidence < y.Confidence:
			return 1
		}
		return 0
	})
	for i := range mine {
		f := &mine[i]
		said := alone(f.Summary)
		switch {
		case i == 0 && f.Confidence >= enough:
			f.Verdict = "explains"
			f.Summary = fmt.Sprintf("Experiments leave %s. %s", f.Cause, said)
		case i == 0:
			f.Summary = fmt.Sprintf("After %s, %s is likeliest (%s). %s", times(len(told.Experiments)), f.Cause, format.Percent(f.Confidence), said)
		default:
			f.Summary = fmt.Sprintf("Or %s (%s): %s", f.Cause, format.Percent(f.Confidence), said)
		}
	}
	if len(mine) > 0 && mine[0].Verdict == "explains" {
		mine = mine[:1]
	}
	out.Findings = append(mine, rest...)
	return &out
}

// evidence tells the experiments.
func evidence(told report.Investigation) (out []report.Evidence) {
	for _, e := range told.Experiments {
		out = append(out, report.Evidence{
			Source: "experiment " + e.Name,
			Text:   fmt.Sprintf("%s: %s of %s requests failed; %s", e.Changed, format.Count(e.Failed), format.Count(e.Requests), e.Tells),
		})
	}
	return out
}

// alone returns what a summary says of a cause, without its place among others.
func alone(summary string) string {
	said, _, _ := strings.Cut(summary, " The evidence does not ")
	if rest, ok := strings.CutPrefix(said, "Or "); ok {
		if _, text, ok := strings.Cut(rest, "): "); ok {
			return text
		}
	}
	return said
}

func times(n int) string {
	if n == 1 {
		return "one experiment"
	}
	return fmt.Sprintf("%d experiments", n)
}
