// Package golden compares what a test got with a file in its testdata. It is for tests
// alone.
package golden

import (
	"os"
	"path/filepath"
	"testing"
)

// File fails the test where got is not what the named file has. With update it writes the
// file first, for somebody to look at.
func File(t testing.TB, update bool, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; look at it and run go test -update:\n%s", path, got)
	}
}
