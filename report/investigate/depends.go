package investigate

import (
	"slices"
	"strings"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// exploring is the order in which a plan is tried where the run named no causes: what
// decides most about where to look comes first.
var exploring = []inquiry.Experiment{
	inquiry.HalfConcurrency, inquiry.HalfRate, inquiry.OtherAddresses, inquiry.Small, inquiry.Fresh, inquiry.Kept, inquiry.NoRetries, inquiry.AroundProxy, inquiry.TwoSources,
}

// Explore returns the next experiment where nothing is suspected; ok is false when all
// that can be made were.
func Explore(can []inquiry.Experiment) (e inquiry.Experiment, ok bool) {
	for _, e := range exploring {
		if slices.Contains(can, e) {
			return e, true
		}
	}
	return "", false
}

// factors says what an experiment changes, as what failures depend on.
var factors = map[string]string{
	string(inquiry.HalfConcurrency): "how many connections there are at once",
	string(inquiry.HalfRate):        "how many requests come in a second",
	string(inquiry.OtherAddresses):  "which address is asked",
	string(inquiry.OneAddress):      "which address is asked",
	string(inquiry.Small):           "how large requests and answers are",
	string(inquiry.Large):           "how large requests and answers are",
	string(inquiry.Fresh):           "whether connections are used again",
	string(inquiry.Kept):            "whether connections are used again",
	string(inquiry.NoRetries):       "whether failures are tried again",
	string(inquiry.AroundProxy):     "whether requests go through the proxy",
	string(inquiry.TwoSources):      "whether one address sends all of it",
	string(inquiry.GapBelow):        "how long connections rest",
	string(inquiry.GapAbove):        "how long connections rest",
}

// Depends says what the failures depend on, and on what not, by what experiments showed;
// empty where they showed neither.
func Depends(made []report.Experiment) string {
	var on, not []string
	for _, e := range made {
		f := factors[e.Name]
		switch {
		case f == "" || slices.Contains(on, f) || slices.Contains(not, f):
		case e.Outcome == inquiry.Goes.String() && e.Name != string(inquiry.GapAbove):
			on = append(on, f)
		case e.Outcome == inquiry.Stays.String() && e.Name != string(inquiry.GapAbove) && e.Name != string(inquiry.OneAddress) && e.Name != string(inquiry.Large):
			not = append(not, f)
		}
	}
	switch {
	case len(on) > 0 && len(not) > 0:
		return "The failures depend on " + strings.Join(on, " and ") + ", and not on " + strings.Join(not, " or ") + "."
	case len(on) > 0:
		return "The failures depend on " + strings.Join(on, " and ") + "."
	case len(not) > 0:
		return "The failures do not depend on " + strings.Join(not, " or ") + "."
	}
	return ""
}
