package render

import (
	"fmt"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/format"
	"github.com/rampload/rampload/report/render/layout"
)

// experimentFacts says what was tried after the run, and what that told.
func experimentFacts(r *report.Report) []layout.Fact {
	i := r.Investigation
	if i == nil {
		return nil
	}
	lines := []string{fmt.Sprintf("the load of the onset, %s/s, once more: %s of %s requests failed",
		format.Number(i.LoadRPS), format.Count(i.Failed), format.Count(i.Requests))}
	for _, e := range i.Experiments {
		lines = append(lines, fmt.Sprintf("%s (%s): %s of %s failed; %s", e.Name, e.Changed, format.Count(e.Failed), format.Count(e.Requests), e.Tells))
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
