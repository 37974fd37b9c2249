package render

import (
	"fmt"
	"strings"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/format"
	"github.com/rampload/rampload/report/render/layout"
)

// journeyFacts say what became of the journeys.
func journeyFacts(r *report.Report) []layout.Fact {
	var lines []string
	for _, j := range r.Journeys {
		line := fmt.Sprintf("%s: %s began, %s completed", j.Name, format.Number(float64(j.Began)), format.Number(float64(j.Completed)))
		var ends []string
		for _, e := range j.Ended {
			ends = append(ends, fmt.Sprintf("%s at %s", format.Number(float64(e.Count)), e.Step))
		}
		if len(ends) > 0 {
			line += ", ended early: " + strings.Join(ends, ", ")
		}
		lines = append(lines, line)
	}
	if len(lines) == 0 {
		return nil
	}
	return []layout.Fact{{Label: "journeys", Lines: lines}}
}
