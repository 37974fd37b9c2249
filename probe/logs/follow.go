package logs

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Bounds of following.
const (
	maxFiles     = 64
	maxLine      = 16 << 10 // bytes of a line that are read; the rest is passed over
	maxRead      = 8 << 20  // bytes of a file in one look
	maxPacked    = 64 << 20 // bytes of a packed file, unpacked
	maxPartial   = 20       // looks after which a line without an end counts as whole
	readAtOnce   = 256 << 10
	suffixPacked = ".gz"
)

// followed is a file that is read as it grows.
type followed struct {
	path    string
	file    *os.File
	info    os.FileInfo
	offset  int64
	rest    []byte // a line that has no end yet
	waited  int    // looks that it waits for one
	long    bool   // the rest of a line that is too long is passed over
	skipped int64  // bytes that were passed over because it grew too fast
}

// open opens a file at its end, or at its beginning if it is new.
func open(path string, fromStart bool) (*followed, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is no regular file")
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	out := &followed{path: path, file: f, info: info}
	if !fromStart {
		out.offset = info.Size()
	}
	return out, nil
}

// read hands on the lines that were added. A file that became shorter was emptied, and is
// read from its beginning.
func (f *followed) read(buf []byte, line func(string)) error {
	info, err := f.file.Stat()
	if err != nil {
		return err
	}
	if info.Size() < f.offset {
		f.offset, f.rest, f.long = 0, nil, false
	}
	if behind := info.Size() - f.offset; behind > maxRead {
		f.skipped += behind - maxRead
		f.offset += behind - maxRead
		f.rest, f.long = nil, true // in the middle of a line
	}
	grew := false
	for f.offset < info.Size() {
		n, err := f.file.ReadAt(buf[:min(int64(len(buf)), info.Size()-f.offset)], f.offset)
		f.offset += int64(n)
		grew = grew || n > 0
		f.take(buf[:n], line)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if n == 0 {
			break
		}
	}
	switch {
	case grew || len(f.rest) == 0:
		f.waited = 0
	default:
		if f.waited++; f.waited >= maxPartial {
			line(string(bytes.TrimRight(f.rest, "\r")))
			f.rest, f.waited = f.rest[:0], 0
		}
	}
	return nil
}

// take cuts what was read into lines.
func (f *followed) take(data []byte, line func(string)) {
	for len(data) > 0 {
		at := bytes.IndexByte(data, '\n')
		if at < 0 {
			if !f.long {
				f.rest = append(f.rest, data[:min(len(data), max(0, maxLine-len(f.rest)))]...)
			}
			f.long = f.long || len(f.rest) >= maxLine
			if f.long && len(f.rest) > 0 {
				line(string(f.rest))
				f.rest = f.rest[:0]
			}
			return
		}
		switch {
		case f.long:
			f.long = false
		case len(f.rest) > 0:
			f.rest = append(f.rest, data[:min(at, maxLine)]...)
			line(string(bytes.TrimRight(f.rest, "\r")))
			f.rest = f.rest[:0]
		default:
			line(string(bytes.TrimRight(data[:min(at, maxLine)], "\r")))
		}
		data = data[at+1:]
	}
}

// moved reports whether another file stands at the path, or none: it was rotated.
func (f *followed) moved() bool {
	now, err := os.Stat(f.path)
	return err != nil || !os.SameFile(now, f.info)
}

// matches returns the files of a glob or path, at most [maxFiles], in alphabetical order.
// Directories are left out.
func matches(pattern string) ([]string, error) {
	paths, err := filepath.Glob(pattern)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", pattern, err)
	}
	paths = slices.DeleteFunc(paths, func(p string) bool {
		info, err := os.Stat(p)
		return err == nil && info.IsDir()
	})
	if len(paths) == 0 && !strings.ContainsAny(pattern, "*?[") {
		if _, err := os.Lstat(pattern); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	slices.Sort(paths)
	return paths, nil
}

// unpack reads a packed file whole.
func unpack(path string, line func(string)) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return fmt.Errorf("unpack %s: %w", path, err)
	}
	cut := &followed{}
	_, err = io.CopyBuffer(writer(func(p []byte) { cut.take(p, line) }), io.LimitReader(z, maxPacked), make([]byte, readAtOnce))
	if len(cut.rest) > 0 {
		line(string(cut.rest))
	}
	if err != nil {
		return fmt.Errorf("unpack %s: %w", path, err)
	}
	return nil
}

// writer makes a writer of a function.
type writer func([]byte)

// Write hands p on.
func (w writer) Write(p []byte) (int, error) {
	w(p)
	return len(p), nil
}

// lookEvery is how often files are looked at.
const lookEvery = 100 * time.Millisecond
