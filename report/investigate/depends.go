package investigate

import (
	"slices"
	"strings"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/causes"
)

// exploring is the order in which a plan is tried where the run named no causes: what
// decides most about where to look comes first.
var exploring = []causes.Experiment{
	causes.HalfConcurrency, causes.HalfRate, causes.OtherAddresses, causes.Small, causes.Fresh, causes.Kept, causes.NoRetries, causes.AroundProxy, causes.TwoSources,
}

// Explore returns the next experiment where nothing is suspected; ok is false when all
// that can be made were.
func Explore(can []causes.Experiment) (e causes.Experiment, ok bool) {
	for _, e := range exploring {
		if slices.Contains(can, e) {
			return e, true
		}
	}
	return "", false
}

// factors says what an experiment changes, as what failures depend on.
var factors = map[string]string{
	string(causes.HalfConcurrency): "how many connections there are at once",
	string(causes.HalfRate):        "how many requests come in a second",
	string(causes.OtherAddresses):  "which address is asked",
	string(causes.OneAddress):      "which address is asked",
	string(causes.Small):           "how large requests and answers are",
	string(causes.Large):           "how large requests and answers are",
	string(causes.Fresh):           "whether connections are used again",
	string(causes.Kept):            "whether connections are used again",
	string(causes.NoRetries):       "whether failures are tried again",
	string(causes.AroundProxy):     "whether requests go through the proxy",
	string(causes.TwoSources):      "whether one address sends all of it",
	string(causes.GapBelow):        "how long connections rest",
	string(causes.GapAbove):        "how long connections rest",
}

// Depends says what the failures depend on, and on what not, by what experiments showed;
// empty where they showed neither.
func Depends(made []report.Experiment) string {
	var on, not []string
	for _, e := range made {
		f := factors[e.Name]
		switch {
		case f == "" || slices.Contains(on, f) || slices.Contains(not, f):
		case e.Outcome == causes.Goes.String() && e.Name != string(causes.GapAbove):
			on = append(on, f)
		case e.Outcome == causes.Stays.String() && e.Name != string(causes.GapAbove) && e.Name != string(causes.OneAddress) && e.Name != string(causes.Large):
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
