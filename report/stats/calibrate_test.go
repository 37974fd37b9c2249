package stats_test

import (
	"flag"
	"sync"
	"testing"

	"github.com/rampload/rampload/report/stats"
	"github.com/rampload/rampload/report/stats/calibration"
)

// The whole grid simulates many more series than a test needs. Thresholds were settled
// on the development seeds alone; the held-out ones, of make calibrate, are only counted.
var (
	eval      = flag.Bool("eval", false, "run the whole grid on development seeds")
	calibrate = flag.String("calibrate", "", "run the whole grid on held-out seeds and keep it in this table, NAME.md")
	budget    = flag.Duration("for", 0, "begin no cell of the grid after this time")

	kept = sync.OnceValues(func() (*calibration.Table, error) { return calibration.Open(*calibrate, *budget) })
	code = sync.OnceValues(func() (string, error) { return calibration.Code(".", "simulated_test.go") })
)

// seeds returns how many series to make and the first seed.
func seeds(quick, full int) (int, uint64) {
	switch {
	case *calibrate != "":
		return full, 1 << 32
	case *eval:
		return full, 1 << 16
	}
	return quick, 0
}

// cell is one cell of the grid: of so many series measure counts some. It is not ok where
// there is no time left for it.
func cell(t *testing.T, what, series, wanted string, runs int, measure func(r *calibration.Row)) (calibration.Row, bool) {
	t.Helper()
	return calibration.Cell(t, kept, code, calibration.Row{What: what, Series: series, Wanted: wanted, Runs: runs}, measure)
}

// gridEnds drops what the grid no longer has of a kind of measurement, unless there was no
// time for all of it.
func gridEnds(t *testing.T, what ...string) {
	t.Helper()
	table, err := kept()
	if err != nil {
		t.Fatal(err)
	}
	if n := table.Left(); n > 0 {
		t.Logf("no time for %d cells: run it again", n)
		return
	}
	if err := table.Done(what...); err != nil {
		t.Fatal(err)
	}
}

// beyond reports whether a share is surely larger than it may be, below whether it is surely
// smaller than it must be (99 %).
func beyond(r calibration.Row, most float64) bool {
	low, _ := stats.Wilson(float64(r.K), float64(r.N), 0.99)
	return low > most
}

func below(r calibration.Row, least float64) bool {
	_, high := stats.Wilson(float64(r.K), float64(r.N), 0.99)
	return high < least
}
