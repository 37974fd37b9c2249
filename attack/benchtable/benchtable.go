// Package benchtable writes the one table of `make bench`, to which benchmarks of several
// packages add their rows. It is for tests.
package benchtable

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// Row prints a row, and appends it to the file that RAMPLOAD_BENCH_TABLE names, if it does.
// bar is what is wanted, mark what became of it.
func Row(tb testing.TB, what, bar, measured, mark string) {
	tb.Helper()
	line := strings.TrimRight(fmt.Sprintf("%-60s %9s %14s  %s", what, bar, measured, mark), " ") + "\n"
	fmt.Print(line) // a log is cut short
	path := os.Getenv("RAMPLOAD_BENCH_TABLE")
	if path == "" {
		return
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(line); err != nil {
		tb.Fatal(err)
	}
}
