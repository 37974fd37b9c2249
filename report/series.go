package report

import (
	"time"

	"github.com/rampload/rampload/attack"
)

// Series is the time series that gates and abort conditions judge. Counts are by
// the window in which requests were due, so that a failure is held against the
// load that caused it. The zero value is an empty run; Add is not safe for
// concurrent use.
type Series struct {
	Interval time.Duration
	Names    []string  // targets
	Points   [][]Point // by target, then window
}

// Point is one window of one target.
type Point struct {
	Offered       float64 // total over all targets in requests per second
	Scheduled     uint64
	Sent          uint64
	Requests      uint64 // ended
	Attempts      uint64
	Failures      uint64           // requests
	VisibleResets uint64           // requests
	WireResets    uint64           // connections; idle ones in the window in which they were seen
	LocalFaults   uint64           // attempts
	Latency       attack.Histogram // µs from due time, by the window in which they ended
	LagP99        int64            // µs
}
