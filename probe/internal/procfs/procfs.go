// Package procfs reads small kernel files again and again: /proc, /sys and
// cgroups. A file is opened once and read in place into its own buffer, which
// costs a fraction of opening it each time and keeps the file bound to what it
// was opened for: the network namespace, the process, the cgroup. The numbers
// are parsed without allocating.
//
// It knows neither metrics nor samplers.
package procfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"

	"github.com/rampload/rampload/probe"
)

// File is a kernel file held open. It is not for concurrent use. The zero value
// reads as a file that does not exist.
type File struct {
	f   *os.File
	buf []byte
	err error // why it could not be opened; each reading returns it
}

// Open opens a file for repeated reading.
func Open(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return &File{f: f}, nil
}

// Try opens a file for repeated reading. Where that fails each reading returns why: a
// file that may not be read is not taken for one that is not there.
func Try(path string) *File {
	f, err := Open(path)
	if err != nil {
		return &File{err: err}
	}
	return f
}

// NewFile makes a File of one that is open already, and owns it.
func NewFile(f *os.File) *File { return &File{f: f} }

// Read returns the file's whole content from its start. The bytes are good
// until the next Read.
func (f *File) Read() ([]byte, error) {
	if f == nil || f.f == nil {
		return nil, f.absent()
	}
	if f.buf == nil {
		f.buf = make([]byte, 1024)
	}
	// A kernel file has no size to ask for, so read until one does not fill the
	// buffer: its end is the only sign that it was whole.
	for {
		n, err := f.f.ReadAt(f.buf, 0)
		switch {
		case errors.Is(err, io.EOF):
			return f.buf[:n], nil
		case err != nil:
			return nil, err
		case len(f.buf) >= 64<<20:
			return nil, fmt.Errorf("read %s: larger than %d MB", f.f.Name(), len(f.buf)>>20)
		}
		f.buf = make([]byte, 4*len(f.buf))
	}
}

func (f *File) absent() error {
	if f == nil || f.err == nil {
		return fs.ErrNotExist
	}
	return f.err
}

// Head returns the first bytes of the file, up to n; it costs less than Read
// for files that the kernel makes line by line. The bytes are good until the
// next Read or Head.
func (f *File) Head(n int) ([]byte, error) {
	if f == nil || f.f == nil {
		return nil, f.absent()
	}
	if len(f.buf) < n {
		f.buf = make([]byte, n)
	}
	got, err := f.f.ReadAt(f.buf[:n], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return f.buf[:got], nil
}

// Uint reads a file that holds one number. "max" reads as no limit, +Inf.
func (f *File) Uint() (float64, error) {
	b, err := f.Read()
	if err != nil {
		return 0, err
	}
	field, _ := Field(b)
	if string(field) == "max" {
		return math.Inf(1), nil
	}
	v, ok := Uint(field)
	if !ok {
		return 0, fmt.Errorf("read %s: %q is no number", f.f.Name(), field)
	}
	return float64(v), nil
}

// Close closes the file; a second call and a nil File do nothing.
func (f *File) Close() error {
	if f == nil || f.f == nil {
		return nil
	}
	err := f.f.Close()
	f.f = nil
	return err
}

// Field returns the first field of b, separated by spaces, tabs or line ends,
// and what follows it. Both are empty at the end.
func Field(b []byte) (field, rest []byte) {
	i := 0
	for i < len(b) && b[i] <= ' ' {
		i++
	}
	j := i
	for j < len(b) && b[j] > ' ' {
		j++
	}
	return b[i:j], b[j:]
}

// Line returns the first line of b without its end, and what follows it.
func Line(b []byte) (line, rest []byte) {
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		return b[:i], b[i+1:]
	}
	return b, nil
}

// Nth returns the field with an index, from 0; empty if there are fewer.
func Nth(b []byte, n int) []byte {
	var f []byte
	for range n + 1 {
		if f, b = Field(b); len(f) == 0 {
			return nil
		}
	}
	return f
}

// Uint parses a decimal number; false if it is none or above 2⁶⁴−1.
func Uint(b []byte) (uint64, bool) {
	if len(b) == 0 {
		return 0, false
	}
	var v uint64
	for _, c := range b {
		d := uint64(c - '0')
		if d > 9 || v > (math.MaxUint64-d)/10 {
			return 0, false
		}
		v = v*10 + d
	}
	return v, true
}

// Hex parses a hexadecimal number; false if it is none or above 2⁶⁴−1.
func Hex(b []byte) (uint64, bool) {
	if len(b) == 0 || len(b) > 16 {
		return 0, false
	}
	var v uint64
	for _, c := range b {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		v = v<<4 | uint64(c)
	}
	return v, true
}

// Keyed returns the number that follows a key at the start of a line: key
// "oom_kill" finds 3 in "oom 4\noom_kill 3\n", key "MemFree:" finds 7 in
// "MemFree:   7 kB".
func Keyed(b []byte, key string) (float64, bool) {
	for len(b) > 0 {
		var line []byte
		line, b = Line(b)
		if len(line) > len(key) && string(line[:len(key)]) == key && line[len(key)] <= ' ' {
			field, _ := Field(line[len(key):])
			v, ok := Uint(field)
			return float64(v), ok
		}
	}
	return 0, false
}

// Unsupported gives the reason why something cannot be measured, from the error
// of opening or reading its file. Needs says what would make a missing file
// appear; a permission error needs root.
func Unsupported(what string, err error, needs string) *probe.Unsupported {
	u := &probe.Unsupported{What: what, Reason: err.Error(), Needs: needs}
	if errors.Is(err, fs.ErrPermission) {
		u.Needs = "root"
	}
	return u
}
