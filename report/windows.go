package report

import (
	"time"

	"github.com/rampload/rampload/report/series"
)

// The time series that gates judge, see [series.Series].
type (
	Series = series.Series
	Point  = series.Point
)

// NewSeries returns an empty series of the named targets, for windows of the given
// interval.
func NewSeries(interval time.Duration, names []string) *Series {
	return series.New(interval, names)
}
