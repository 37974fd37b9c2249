package keep

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rampload/rampload/report"
)

// told collects what a person is told.
type told []string

func (t *told) add(s string) { *t = append(*t, s) }

func content(t *testing.T, r *Record) string {
	t.Helper()
	b, err := io.ReadAll(r.Reader())
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestRecordHoldsBackUntilTheLoadBegins(t *testing.T) {
	o, err := Reserve(filepath.Join(t.TempDir(), "r.json"), "", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		r := NewRecord(o.Reserved, time.Now().Add(time.Second), nil)
		_, _ = r.Write([]byte("header "))
		if info, err := os.Stat(o.Log); err != nil || info.Size() != 0 {
			t.Errorf("before the load: %v, %v", info, err)
		}
		time.Sleep(2 * time.Second)
		_, _ = r.Write([]byte("window"))
		if err := r.Finish(); err != nil {
			t.Error(err)
		}
		if got := content(t, r); got != "header window" {
			t.Errorf("record %q", got)
		}
		r.Close()
		if b, err := os.ReadFile(o.Log); string(b) != "header window" {
			t.Errorf("file %q, %v", b, err)
		}
	})
}

func TestRecordThatWasNeverBegunLeavesNothing(t *testing.T) {
	o, err := Reserve(filepath.Join(t.TempDir(), "r.json"), "", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	r := NewRecord(o.Reserved, time.Now().Add(time.Hour), nil)
	_, _ = r.Write([]byte("header"))
	r.Close()
	if _, err := os.Lstat(o.Log); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v, want no file", err)
	}
}

// fullFile is a file on a disk that takes no more: opened for reading.
func fullFile(t *testing.T) (path string, f *os.File) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "r.runlog")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, f
}

func TestRecordGoesOnInMemory(t *testing.T) {
	_, f := fullFile(t)
	var said told
	r := NewRecord(f, time.Time{}, said.add)
	want := strings.Repeat("0123456789", 10_000)
	for i := 0; i < len(want); i += 1000 {
		_, _ = r.Write([]byte(want[i : i+1000]))
	}
	if len(said) != 1 || !strings.Contains(said[0], "r.runlog could not be written") {
		t.Errorf("told %q, want the error once, when it happens", said)
	}
	if err := r.Finish(); err == nil {
		t.Error("finish: no error, though the file is not whole")
	}
	for range 2 { // it may be read again, to be copied
		if got := content(t, r); got != want {
			t.Errorf("%d bytes, want %d", len(got), len(want))
		}
	}
}

func TestRecordTellsOfAFolderThatVanished(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	o, err := Reserve(filepath.Join(dir, "r.json"), "", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	var said told
	r := NewRecord(o.Reserved, time.Time{}, said.add)
	_, _ = r.Write([]byte("a"))
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	_, _ = r.Write([]byte("b"))
	_, _ = r.Write([]byte("c"))
	if len(said) != 1 || !strings.Contains(said[0], "removed") {
		t.Errorf("told %q, want once", said)
	}
	if err := r.Finish(); !errors.Is(err, errMoved) {
		t.Errorf("finish: %v", err)
	}
	if got := content(t, r); got != "abc" {
		t.Errorf("record %q", got)
	}
	kept, err := Save(o.Log, func(w io.Writer) error { _, err := io.Copy(w, r.Reader()); return err })
	if kept == "" || kept == o.Log || err == nil {
		t.Fatalf("kept as %q, %v", kept, err)
	}
	defer os.Remove(kept)
	if b, _ := os.ReadFile(kept); string(b) != "abc" {
		t.Errorf("kept %q", b)
	}
}

func TestReserve(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "r.json")
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

	first, err := Reserve(out, "", now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Reserve(out, "", now); !errors.Is(err, report.ErrExists) || !strings.Contains(err.Error(), "another run") {
		t.Errorf("a second start beside the first: %v", err)
	}
	first.Reserved.Close() // as a killed process does
	again, err := Reserve(out, "", now)
	if err != nil {
		t.Fatalf("after a killed start: %v", err)
	}
	again.Release()

	for _, name := range []string{"r.json", "r.runlog", "r.resets.pcapng"} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("kept"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Reserve(out, "", now); !errors.Is(err, report.ErrExists) {
			t.Errorf("%s is there: %v", name, err)
		}
		os.Remove(path)
		if left, _ := os.ReadDir(dir); len(left) != 0 {
			t.Errorf("%s is there: %v left behind", name, left)
		}
	}
	if err := os.WriteFile(out, nil, 0o600); err != nil { // as mktemp leaves it
		t.Fatal(err)
	}
	empty, err := Reserve(out, "", now)
	if err != nil {
		t.Fatalf("an empty file: %v", err)
	}
	empty.Release()

	t.Chdir(dir)
	var names []string
	for range 3 { // within one second
		o, err := Reserve("", "peak", now)
		if err != nil {
			t.Fatal(err)
		}
		defer o.Release()
		names = append(names, o.Report)
	}
	if want := "rampload-peak-20260102-030405.json rampload-peak-20260102-030405-2.json rampload-peak-20260102-030405-3.json"; strings.Join(names, " ") != want {
		t.Errorf("names %v", names)
	}
}
