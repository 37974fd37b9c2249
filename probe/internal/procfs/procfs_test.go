package procfs_test

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/internal/procfs"
)

func TestFileReadsAgainFromTheStart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	for _, content := range []string{"one\n", "", strings.Repeat("long ", 10_000), "short"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := procfs.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if b, err := f.Read(); err != nil || string(b) != content {
				t.Errorf("read %d bytes, %v; want %d", len(b), err, len(content))
			}
		}
		if b, err := f.Head(3); err != nil || string(b) != content[:min(3, len(content))] {
			t.Errorf("head %q, %v", b, err)
		}
		for range 2 {
			if err := f.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		}
		if _, err := f.Read(); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("read after close: %v", err)
		}
	}
	var none *procfs.File
	if _, err := none.Read(); !errors.Is(err, fs.ErrNotExist) || none.Close() != nil {
		t.Errorf("file that is none: %v", err)
	}
}

func TestUint(t *testing.T) {
	for in, want := range map[string]float64{"12\n": 12, " 7 8": 7, "max\n": math.Inf(1), "18446744073709551615": math.MaxUint64} {
		path := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(path, []byte(in), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := procfs.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := f.Uint(); err != nil || got != want {
			t.Errorf("%q: %v, %v; want %v", in, got, err, want)
		}
		_ = f.Close()
	}
	for _, in := range []string{"", "-1", "1x", "18446744073709551616", "0x10"} {
		if v, ok := procfs.Uint([]byte(in)); ok {
			t.Errorf("%q parsed as %d", in, v)
		}
	}
}

func TestHex(t *testing.T) {
	for in, want := range map[string]uint64{"0": 0, "0000001f": 31, "fFfFfFfFfFfFfFfF": math.MaxUint64} {
		if got, ok := procfs.Hex([]byte(in)); !ok || got != want {
			t.Errorf("%q: %d, %v", in, got, ok)
		}
	}
	for _, in := range []string{"", "g", "10000000000000000"} {
		if v, ok := procfs.Hex([]byte(in)); ok {
			t.Errorf("%q parsed as %d", in, v)
		}
	}
}

func TestKeyed(t *testing.T) {
	text := []byte("oom 4\noom_kill 3\nMemFree:   7 kB\nlast 9")
	for key, want := range map[string]float64{"oom": 4, "oom_kill": 3, "MemFree:": 7, "last": 9} {
		if got, ok := procfs.Keyed(text, key); !ok || got != want {
			t.Errorf("%s: %v, %v; want %v", key, got, ok, want)
		}
	}
	for _, key := range []string{"oo", "kill", "MemFree", "none"} {
		if got, ok := procfs.Keyed(text, key); ok {
			t.Errorf("%s: %v, want none", key, got)
		}
	}
}

func TestFields(t *testing.T) {
	if f, rest := procfs.Field([]byte("  a b")); string(f) != "a" || string(rest) != " b" {
		t.Errorf("%q %q", f, rest)
	}
	if f := procfs.Nth([]byte("a  b\tc\n"), 2); string(f) != "c" {
		t.Errorf("%q", f)
	}
	if f := procfs.Nth([]byte("a b"), 2); f != nil {
		t.Errorf("%q", f)
	}
	if l, rest := procfs.Line([]byte("x\ny")); string(l) != "x" || string(rest) != "y" {
		t.Errorf("%q %q", l, rest)
	}
}

func TestUnsupportedNamesWhatIsNeeded(t *testing.T) {
	_, err := procfs.Open(filepath.Join(t.TempDir(), "nf_conntrack"))
	u := procfs.Unsupported("conntrack", err, "the nf_conntrack module")
	if !errors.Is(u, probe.ErrUnsupported) || u.Needs != "the nf_conntrack module" {
		t.Errorf("%v", u)
	}
	if u := procfs.Unsupported("x", fs.ErrPermission, "luck"); u.Needs != "root" {
		t.Errorf("permission error needs %q, want root", u.Needs)
	}
}
