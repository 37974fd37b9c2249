package stats_test

import (
	"flag"

	"github.com/rampload/rampload/report/stats/calibration"
)

// The whole grid simulates many more series than a test needs. Thresholds were settled
// on the development seeds alone; the held-out ones, of make calibrate, are only counted.
var (
	eval = flag.Bool("eval", false, "run the whole grid on development seeds")
	grid = calibration.NewGrid(".", "simulated_test.go")
)

// seeds returns how many series to make and the first seed.
func seeds(quick, full int) (int, uint64) {
	switch {
	case grid.Full():
		return full, 1 << 32
	case *eval:
		return full, 1 << 16
	}
	return quick, 0
}
