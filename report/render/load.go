package render

import (
	"math"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/format"
	"github.com/rampload/rampload/report/render/layout"
)

// load words a load in the unit of the stage in which it was offered: requests
// per second, or held connections. Without a time it is that of all stages, if
// they share one.
func load(r *report.Report, rps, at *float64) string {
	each := perConnection(r, at)
	if rps == nil || each == 0 {
		return layout.Rate(rps)
	}
	n := math.Round(*rps / each)
	if n == 1 {
		return "1 connection"
	}
	return format.Number(n) + " connections"
}

// loadInterval words the borders of a load, without the unit.
func loadInterval(r *report.Report, low, high, at *float64) string {
	each := perConnection(r, at)
	if low == nil || high == nil || each == 0 {
		return layout.Interval(low, high)
	}
	from, to := math.Round(*low/each), math.Round(*high/each)
	return layout.Interval(&from, &to)
}

// perConnection is the rate of each connection held at a time; 0 where the load
// is one of requests.
func perConnection(r *report.Report, at *float64) float64 {
	stages := r.Profile.Stages
	each := 0.0
	for i, s := range stages {
		here := 0.0
		if s.LoadUnit == report.LoadConnections {
			here = s.PerConnectionRPS
		}
		switch {
		case at == nil && i > 0 && here != each:
			return 0 // their units differ
		case at == nil:
			each = here
		case *at < s.EndS || i == len(stages)-1:
			return here
		}
	}
	return each
}
