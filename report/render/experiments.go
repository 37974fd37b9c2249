package render

import (
	"fmt"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/render/layout"
)

// experimentFacts says what was tried after the run, and what that told.
func experimentFacts(r *report.Report) []layout.Fact {
	i := r.Investigation
	if i == nil {
		return nil
	}
	lines := []string{fmt.Sprintf("the load of the onset, %s/s, once more: %s of %s requests failed",
		report.FormatNumber(layout.Whole(i.LoadRPS)), report.FormatCount(i.Failed), report.FormatCount(i.Requests))}
	for _, e := range i.Experiments {
		lines = append(lines, fmt.Sprintf("%s (%s): %s of %s failed; %s", e.Name, e.Changed, report.FormatCount(e.Failed), report.FormatCount(e.Requests), e.Tells))
	}
	if i.Depends != "" {
		lines = append(lines, i.Depends)
	}
	lines = append(lines, "ended: "+i.Ended)
	if i.Confirm != "" {
		lines = append(lines, "to prove it: "+i.Confirm)
	}
	return []layout.Fact{{Label: "experiments", Lines: lines}}
}
