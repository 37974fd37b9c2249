package cli

import (
	"bytes"
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

func content(t *testing.T, r *record) string {
	t.Helper()
	b, err := io.ReadAll(r.reader())
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestRecordHoldsBackUntilTheLoadBegins(t *testing.T) {
	o, err := reserve(filepath.Join(t.TempDir(), "r.json"), "", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		r := newRecord(o.reserved, time.Now().Add(time.Second), nil)
		_, _ = r.Write([]byte("header "))
		if info, err := os.Stat(o.log); err != nil || info.Size() != 0 {
			t.Errorf("before the load: %v, %v", info, err)
		}
		time.Sleep(2 * time.Second)
		_, _ = r.Write([]byte("window"))
		if err := r.finish(); err != nil {
			t.Error(err)
		}
		if got := content(t, r); got != "header window" {
			t.Errorf("record %q", got)
		}
		r.close()
		if b, err := os.ReadFile(o.log); string(b) != "header window" {
			t.Errorf("file %q, %v", b, err)
		}
	})
}

func TestRecordThatWasNeverBegunLeavesNothing(t *testing.T) {
	o, err := reserve(filepath.Join(t.TempDir(), "r.json"), "", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	r := newRecord(o.reserved, time.Now().Add(time.Hour), nil)
	_, _ = r.Write([]byte("header"))
	r.close()
	if _, err := os.Lstat(o.log); !errors.Is(err, os.ErrNotExist) {
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
	r := newRecord(f, time.Time{}, said.add)
	want := strings.Repeat("0123456789", 10_000)
	for i := 0; i < len(want); i += 1000 {
		_, _ = r.Write([]byte(want[i : i+1000]))
	}
	if len(said) != 1 || !strings.Contains(said[0], "r.runlog could not be written") {
		t.Errorf("told %q, want the error once, when it happens", said)
	}
	if err := r.finish(); err == nil {
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
	o, err := reserve(filepath.Join(dir, "r.json"), "", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	var said told
	r := newRecord(o.reserved, time.Time{}, said.add)
	_, _ = r.Write([]byte("a"))
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	_, _ = r.Write([]byte("b"))
	_, _ = r.Write([]byte("c"))
	if len(said) != 1 || !strings.Contains(said[0], "removed") {
		t.Errorf("told %q, want once", said)
	}
	if err := r.finish(); !errors.Is(err, errMoved) {
		t.Errorf("finish: %v", err)
	}
	if got := content(t, r); got != "abc" {
		t.Errorf("record %q", got)
	}
	kept, err := keep(o.log, func(w io.Writer) error { _, err := io.Copy(w, r.reader()); return err })
	if kept == "" || kept == o.log || err == nil {
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

	first, err := reserve(out, "", now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reserve(out, "", now); !errors.Is(err, report.ErrExists) || !strings.Contains(err.Error(), "another run") {
		t.Errorf("a second start beside the first: %v", err)
	}
	first.reserved.Close() // as a killed process does
	again, err := reserve(out, "", now)
	if err != nil {
		t.Fatalf("after a killed start: %v", err)
	}
	again.release()

	for _, name := range []string{"r.json", "r.runlog", "r.resets.pcapng"} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("kept"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := reserve(out, "", now); !errors.Is(err, report.ErrExists) {
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
	empty, err := reserve(out, "", now)
	if err != nil {
		t.Fatalf("an empty file: %v", err)
	}
	empty.release()

	t.Chdir(dir)
	var names []string
	for range 3 { // within one second
		o, err := reserve("", "peak", now)
		if err != nil {
			t.Fatal(err)
		}
		defer o.release()
		names = append(names, o.report)
	}
	if want := "rampload-peak-20260102-030405.json rampload-peak-20260102-030405-2.json rampload-peak-20260102-030405-3.json"; strings.Join(names, " ") != want {
		t.Errorf("names %v", names)
	}
}

// stalled is a reader that takes nothing until it is let go.
type stalled struct {
	free chan struct{}
	buf  bytes.Buffer
	err  error
}

func (s *stalled) Write(p []byte) (int, error) {
	<-s.free
	if s.err != nil {
		return 0, s.err
	}
	return s.buf.Write(p)
}

func TestVoiceWaitsForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &stalled{free: make(chan struct{})}
		v := newVoice(out)
		line := bytes.Repeat([]byte("x"), 1024)
		for range 3 * voiceRoom / len(line) {
			_, _ = v.Write(line)
		}
		began := time.Now()
		v.settle() // gives up on it
		if took := time.Since(began); took > 2*voicePatience {
			t.Errorf("settle took %s", took)
		}
		cut, err := v.lost()
		if err != nil || cut == 0 {
			t.Errorf("cut %d, %v", cut, err)
		}
		close(out.free)
		v.settle()
		if got := out.buf.Len()/len(line) + cut; got != 3*voiceRoom/len(line) || out.buf.Len()%len(line) != 0 {
			t.Errorf("%d bytes written, %d lines cut", out.buf.Len(), cut)
		}
	})
}

func TestVoiceRemembersThatItsReaderWentAway(t *testing.T) {
	gone := errors.New("gone")
	out := &stalled{free: make(chan struct{}), err: gone}
	close(out.free)
	v := newVoice(out)
	_, _ = v.Write([]byte("a"))
	v.settle()
	_, _ = v.Write([]byte("b"))
	if cut, err := v.lost(); cut != 1 || !errors.Is(err, gone) {
		t.Errorf("cut %d, %v", cut, err)
	}
}
