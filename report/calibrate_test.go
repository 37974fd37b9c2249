package report

import (
	"flag"
	"sync"
	"testing"

	"github.com/rampload/rampload/report/stats"
	"github.com/rampload/rampload/report/stats/calibration"
)

var (
	calibrate = flag.String("calibrate", "", "run the whole grid and keep it in this table, NAME.md")
	budget    = flag.Duration("for", 0, "begin no cell of the grid after this time")

	kept = sync.OnceValues(func() (*calibration.Table, error) { return calibration.Open(*calibrate, *budget) })
	code = sync.OnceValues(func() (string, error) {
		return calibration.Code("stats", "series", "judge", "compare", "baseline.go", "compare.go", "compare_metrics.go", "crossing.go", "gate.go", "gate_onset.go", "gate_headroom.go", "simulated_test.go")
	})
)

func calibrationRuns(quick, full int) int {
	if *calibrate != "" {
		return full
	}
	return quick
}

// cell is one cell of the grid: of so many runs measure counts some. It is not ok where there
// is no time left for it.
func cell(t *testing.T, what, series, wanted string, runs int, measure func(r *calibration.Row)) (calibration.Row, bool) {
	t.Helper()
	return calibration.Cell(t, kept, code, calibration.Row{What: what, Series: series, Wanted: wanted, Runs: runs}, measure)
}

// beyond reports whether a share is surely larger than it may be (99 %).
func beyond(r calibration.Row, most float64) bool {
	low, _ := stats.Wilson(float64(r.K), float64(r.N), 0.99)
	return low > most
}
