package calibration

import (
	"flag"
	"sync"
	"testing"

	"github.com/rampload/rampload/report/stats"
)

// Grid is the cells that the tests of one package measure. It belongs to one test at a
// time.
type Grid struct {
	table func() (*Table, error)
	code  func() (string, error)
	path  *string
}

// NewGrid returns the grid of a package whose rows depend on code (see [Code]). It adds
// the flags -calibrate and -for to those of the tests: with the first the whole grid is
// measured, and kept in a table.
func NewGrid(code ...string) *Grid {
	path := flag.String("calibrate", "", "run the whole grid on held-out seeds and keep it in this table, NAME.md")
	budget := flag.Duration("for", 0, "begin no cell of the grid after this time")
	return &Grid{
		path:  path,
		table: sync.OnceValues(func() (*Table, error) { return Open(*path, *budget) }),
		code:  sync.OnceValues(func() (string, error) { return Code(code...) }),
	}
}

// Full reports whether the whole grid is wanted.
func (g *Grid) Full() bool { return *g.path != "" }

// Runs is how many to make: quick of them, or full ones of the whole grid.
func (g *Grid) Runs(quick, full int) int {
	if g.Full() {
		return full
	}
	return quick
}

// Cell is one cell of the grid: of so many runs measure counts some. It is not ok where
// there is no time left for it.
func (g *Grid) Cell(t *testing.T, what, series, wanted string, runs int, measure func(r *Row)) (Row, bool) {
	t.Helper()
	table, err := g.table()
	if err != nil {
		t.Fatal(err)
	}
	hash, err := g.code()
	if err != nil {
		t.Fatal(err)
	}
	r, ok, err := table.Cell(Row{What: what, Series: series, Wanted: wanted, Runs: runs, Code: hash}, measure)
	if err != nil {
		t.Fatal(err)
	}
	if ok && table.Full() {
		t.Logf("%s; %s: %s, wanted %s", what, series, r.Share(), wanted)
	}
	return r, ok
}

// Ends drops what the grid no longer has of a kind of measurement, unless there was no
// time for all of it.
func (g *Grid) Ends(t *testing.T, what ...string) {
	t.Helper()
	table, err := g.table()
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

// Beyond reports whether a share is surely larger than it may be (99 %).
func (r Row) Beyond(most float64) bool {
	low, _ := stats.Wilson(float64(r.K), float64(r.N), 0.99)
	return low > most
}

// Below reports whether a share is surely smaller than it must be (99 %).
func (r Row) Below(least float64) bool {
	_, high := stats.Wilson(float64(r.K), float64(r.N), 0.99)
	return high < least
}
