// Package calibration keeps what simulations measured: one row for each cell of a grid, with
// the hash of the code that it was measured with. A run measures again only the rows of other
// code, and may be stopped at any time: the rows that it has are kept. Tests import it, and
// nothing else does.
//
// A table is two files: NAME.jsonl holds the rows, one JSON object a line, and NAME.md shows
// them below its head line, which it keeps with all that stands above.
package calibration

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rampload/rampload/report/stats"
)

// Row is what one cell of a grid measured: K of N runs.
type Row struct {
	What   string `json:"what"`
	Series string `json:"series"`
	Wanted string `json:"wanted"`
	Runs   int    `json:"runs"` // that were simulated; N of them count
	K      int    `json:"k"`
	N      int    `json:"n"`
	Code   string `json:"code"`
	// Measured says it in other words than as a share.
	Measured string `json:"measured,omitempty"`
	// Parts are K and N by what the runs looked like, for cells that are summed up over it.
	Parts map[string][2]int `json:"parts,omitempty"`
}

// Share is K of N with its 95 % interval, in words.
func (r Row) Share() string {
	if r.Measured != "" {
		return r.Measured
	}
	low, high := stats.Wilson(float64(r.K), float64(r.N), 0.95)
	return fmt.Sprintf("%.1f %% (%.1f-%.1f of %d)", 100*float64(r.K)/float64(max(1, r.N)), 100*low, 100*high, r.N)
}

// Table is a table on disk. Its zero value keeps nothing and measures every cell. One
// process may use a table at a time, and one goroutine.
type Table struct {
	path  string // of the .md file; empty: none
	until time.Time
	rows  []Row
	seen  map[string]bool // by what and series
	left  int
}

// Open reads a table, NAME.md. With a budget above 0, cells that are not begun within it
// are left for another time. Without a path the table keeps nothing.
func Open(path string, budget time.Duration) (*Table, error) {
	t := &Table{path: path, seen: map[string]bool{}}
	if path == "" {
		return t, nil
	}
	if budget > 0 {
		t.until = time.Now().Add(budget)
	}
	data, err := os.ReadFile(t.rowsPath())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read calibration: %w", err)
	}
	lines := bufio.NewScanner(bytes.NewReader(data))
	for lines.Scan() {
		var r Row
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return nil, fmt.Errorf("read calibration %s, row %d: %w", t.rowsPath(), len(t.rows)+1, err)
		}
		t.rows = append(t.rows, r)
	}
	return t, lines.Err()
}

// Full reports whether the table keeps rows, so that the whole grid is wanted.
func (t *Table) Full() bool { return t.path != "" }

// Left is how many cells the budget left out.
func (t *Table) Left() int { return t.left }

// Cell returns the row of a cell: the one that is kept, if it is of the same code and of as
// many runs, else what measure makes of it, which is kept at once. ok is false where the
// budget is spent.
func (t *Table) Cell(r Row, measure func(r *Row)) (Row, bool, error) {
	if !t.Full() {
		measure(&r)
		return r, true, nil
	}
	t.seen[r.key()] = true
	at := slices.IndexFunc(t.rows, func(x Row) bool { return x.key() == r.key() })
	if at >= 0 && t.rows[at].Code == r.Code && t.rows[at].Runs == r.Runs {
		if t.rows[at].Wanted == r.Wanted {
			return t.rows[at], true, nil
		}
		t.rows[at].Wanted = r.Wanted
		return t.rows[at], true, t.write()
	}
	if !t.until.IsZero() && time.Now().After(t.until) {
		t.left++
		return r, false, nil
	}
	measure(&r)
	if at >= 0 {
		t.rows[at] = r
	} else {
		last := len(t.rows)
		for i, x := range t.rows {
			if x.What == r.What {
				last = i + 1
			}
		}
		t.rows = slices.Insert(t.rows, last, r)
	}
	return r, true, t.write()
}

// Done drops the rows of a kind of measurement that no cell asked for: the grid no longer
// has them. Call it when all cells of the kind were asked for.
func (t *Table) Done(what ...string) error {
	if !t.Full() {
		return nil
	}
	rows := slices.DeleteFunc(slices.Clone(t.rows), func(r Row) bool { return slices.Contains(what, r.What) && !t.seen[r.key()] })
	if len(rows) == len(t.rows) {
		return nil
	}
	t.rows = rows
	return t.write()
}

func (r Row) key() string { return r.What + "\x00" + r.Series }

func (t *Table) rowsPath() string { return strings.TrimSuffix(t.path, filepath.Ext(t.path)) + ".jsonl" }

// head is the line under which the rows stand.
const head = "| what | series | measured | wanted | code |"

// write replaces both files.
func (t *Table) write() error {
	var rows, shown bytes.Buffer
	fmt.Fprintf(&shown, "%s\n|---|---|---|---|---|\n", head)
	for _, r := range t.rows {
		line, err := json.Marshal(r)
		if err != nil {
			return fmt.Errorf("write calibration: %w", err)
		}
		rows.Write(append(line, '\n'))
		fmt.Fprintf(&shown, "| %s | %s | %s | %s | %s |\n", r.What, r.Series, r.Share(), r.Wanted, r.Code)
	}
	above, err := os.ReadFile(t.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("write calibration: %w", err)
	}
	before, _, _ := strings.Cut(string(above), head)
	return cmp.Or(replace(t.rowsPath(), rows.Bytes()), replace(t.path, append([]byte(before), shown.Bytes()...)))
}

func replace(path string, data []byte) error {
	if err := os.WriteFile(path+".new", data, 0o644); err != nil {
		return fmt.Errorf("write calibration: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("write calibration: %w", err)
	}
	return nil
}

// Cell is [Table.Cell] of the table and code of a test, which an error ends, and logs what
// was measured.
func Cell(t testing.TB, table func() (*Table, error), code func() (string, error), r Row, measure func(r *Row)) (Row, bool) {
	t.Helper()
	kept, err := table()
	if err != nil {
		t.Fatal(err)
	}
	if r.Code, err = code(); err != nil {
		t.Fatal(err)
	}
	r, ok, err := kept.Cell(r, measure)
	if err != nil {
		t.Fatal(err)
	}
	if ok {
		t.Logf("%s; %s: %s, wanted %s", r.What, r.Series, r.Share(), r.Wanted)
	}
	return r, ok
}

// Code returns a short hash of what a measurement depends on: of folders all Go files but
// tests, and of files themselves. Comments and layout do not count.
func Code(paths ...string) (string, error) {
	var files []string
	for _, path := range paths {
		if strings.HasSuffix(path, ".go") {
			files = append(files, path)
			continue
		}
		all, err := filepath.Glob(filepath.Join(path, "*.go"))
		if err != nil {
			return "", fmt.Errorf("hash code of %s: %w", path, err)
		}
		files = append(files, slices.DeleteFunc(all, func(f string) bool { return strings.HasSuffix(f, "_test.go") })...)
	}
	sum := sha256.New()
	for _, file := range files {
		set := token.NewFileSet()
		// Without parser.ParseComments the tree has none.
		tree, err := parser.ParseFile(set, file, nil, parser.SkipObjectResolution)
		if err != nil {
			return "", fmt.Errorf("hash code of %s: %w", file, err)
		}
		// Sorted by name, so that a declaration may move.
		var parts []string
		for _, d := range tree.Decls {
			if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.IMPORT {
				continue
			}
			var b strings.Builder
			if err := printer.Fprint(&b, token.NewFileSet(), d); err != nil {
				return "", fmt.Errorf("hash code of %s: %w", file, err)
			}
			parts = append(parts, strings.Join(strings.Fields(b.String()), " "))
		}
		slices.Sort(parts)
		for _, p := range parts {
			fmt.Fprintln(sum, p)
		}
	}
	return hex.EncodeToString(sum.Sum(nil))[:8], nil
}
