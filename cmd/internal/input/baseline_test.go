package input

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// Files are read from the newest on, whatever they are called.
func TestNewestFirst(t *testing.T) {
	dir := t.TempDir()
	var paths []string
	for i, name := range []string{"a", "b", "c"} {
		path := filepath.Join(dir, name+".json")
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		at := time.Unix(1e9, 0).Add(time.Duration((i+1)%3) * time.Hour)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	newestFirst(paths)
	for i, path := range paths {
		paths[i] = filepath.Base(path)
	}
	if want := []string{"b.json", "a.json", "c.json"}; !slices.Equal(paths, want) {
		t.Errorf("%v, want %v", paths, want)
	}
}
