package assemble

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rampload/rampload/report"
)

// redirects tells of targets that sent every request elsewhere: what was to be tested
// was not, and nothing failed. Steps of journeys are left out, whose next step goes on
// where a log-in redirects to.
func redirects(targets []report.Target) []string {
	var out []string
	for _, t := range targets {
		var codes []string
		other := false
		for code := range t.StatusCodes {
			switch code {
			case "301", "302", "303", "307", "308":
				codes = append(codes, code)
			default:
				other = true
			}
		}
		if len(codes) == 0 || other || strings.Contains(t.Name, "/") {
			continue
		}
		slices.Sort(codes)
		out = append(out, fmt.Sprintf("every answer of %s is a redirect (%s), which is not followed: write the url and path that it leads to (rampload run --once shows them), or expect: 2xx to have them fail",
			t.Name, strings.Join(codes, ", ")))
	}
	return out
}
