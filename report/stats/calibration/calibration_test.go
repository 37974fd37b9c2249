package calibration_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rampload/rampload/report/stats/calibration"
)

// A table goes on where it was left: rows of the same code are kept, those of other code
// measured again, and those of a grid that no longer has them dropped.
func TestTableGoesOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "CALIBRATION.md")
	if err := os.WriteFile(path, []byte("# Calibration\n\nWords.\n\n| what | series | measured | wanted | code |\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	measured := 0
	run := func(code string, budget time.Duration, series ...string) *calibration.Table {
		t.Helper()
		table, err := calibration.Open(path, budget)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range series {
			r, ok, err := table.Cell(calibration.Row{What: "false onsets", Series: s, Wanted: "≤ 2 %", Runs: 100, Code: code}, func(r *calibration.Row) {
				measured++
				r.K, r.N = 1, 100
			})
			if err != nil || ok && r.N != 100 {
				t.Fatalf("%+v: %v", r, err)
			}
		}
		return table
	}
	run("a", 0, "ramp", "hold")
	run("a", 0, "ramp", "hold", "staircase")
	if measured != 3 {
		t.Errorf("%d cells were measured, want 3", measured)
	}
	if left := run("b", time.Nanosecond, "ramp", "hold").Left(); left != 2 || measured != 3 {
		t.Errorf("without time %d cells are left, and %d were measured", left, measured)
	}
	table := run("b", 0, "ramp")
	if err := table.Done("false onsets"); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := "# Calibration\n\nWords.\n\n| what | series | measured | wanted | code |\n|---|---|---|---|---|\n| false onsets | ramp | 1.0 % (0.2-5.4 of 100) | ≤ 2 % | b |\n"
	if string(got) != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestCodeIsWithoutComments(t *testing.T) {
	dir := t.TempDir()
	write := func(s string) string {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "a.go"), []byte("package a\n"+s), 0o644); err != nil {
			t.Fatal(err)
		}
		code, err := calibration.Code(dir)
		if err != nil {
			t.Fatal(err)
		}
		return code
	}
	first := write("func F() int { return 1 }\n")
	if got := write("// F is one.\nfunc F() int {\n\treturn 1 // one\n}\n"); got != first {
		t.Errorf("a comment made another hash: %s, not %s", got, first)
	}
	if got := write("func F() int { return 2 }\n"); got == first {
		t.Error("other code has the same hash")
	}
	if _, err := calibration.Code(filepath.Join(dir, "none.go")); err == nil || !strings.Contains(err.Error(), "none.go") {
		t.Errorf("a missing file: %v", err)
	}
}
