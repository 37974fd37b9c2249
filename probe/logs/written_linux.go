package logs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rampload/rampload/probe"
)

// Written follows the files into which watched processes write text, as their open
// descriptors show: what services print goes where nobody told rampload of. Like [Log] it
// hands on only lines that tell of a fault.
type Written struct {
	source probe.Source
	clock  probe.Clock
	label  func() string
	pids   func() []int32

	tails   map[fileID]*writtenTail
	missing []string
	found   bool
}

var (
	_ probe.Watcher       = (*Written)(nil)
	_ probe.PartialSource = (*Written)(nil)
)

// NewWritten returns the watcher of what some processes write: pids are those of now and
// label is their name. The name of its source has text.
func NewWritten(text, host string, label func() string, pids func() []int32, clock probe.Clock) *Written {
	return &Written{
		source: probe.Source{Host: host, Name: "files written by " + text}, clock: clock, label: label, pids: pids,
		tails: map[fileID]*writtenTail{},
	}
}

// Source names what is followed.
func (w *Written) Source() probe.Source { return w.source }

// Missing says what was not read, nil for nothing.
func (w *Written) Missing() []*probe.Unsupported {
	var out []*probe.Unsupported
	for _, reason := range w.missing {
		out = append(out, &probe.Unsupported{What: w.source.Name, Reason: reason})
	}
	return out
}

// fileID is a file, whatever it is called.
type fileID struct{ dev, inode uint64 }

type writtenTail struct {
	*followed
	keep *keeper // nil: it is no text
}

// maxWritten bounds the files of one process.
const maxWritten = 16

// Watch follows the files until ctx is done.
func (w *Written) Watch(ctx context.Context, emit func(probe.Event)) error {
	defer func() {
		for _, t := range w.tails {
			t.file.Close()
		}
	}()
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	buf := make([]byte, readAtOnce)
	for look := 0; ; look++ {
		now := w.clock.Now()
		if look%10 == 0 {
			for id, t := range w.find(look > 0) {
				w.read(t, buf, now, emit)
				if t.keep != nil {
					t.keep.flush(now+time.Hour, emit)
				}
				t.file.Close()
				delete(w.tails, id)
			}
		}
		for _, t := range w.tails {
			w.read(t, buf, now, emit)
		}
		select {
		case <-ctx.Done():
			for _, t := range w.tails {
				w.read(t, buf, w.clock.Now(), emit)
				if t.keep != nil {
					t.keep.flush(w.clock.Now()+time.Hour, emit)
				}
			}
			if !w.found {
				return &probe.Unsupported{What: w.source.Name, Reason: "they write into no file that can be read"}
			}
			return nil
		case <-ticker.C:
		}
	}
}

func (w *Written) read(t *writtenTail, buf []byte, now time.Duration, emit func(probe.Event)) {
	if t.keep == nil {
		return
	}
	binary := false
	_ = t.read(buf, func(text string) {
		if binary = binary || strings.IndexByte(text, 0) >= 0; !binary {
			t.keep.line(text, now, emit)
		}
	})
	t.keep.flush(now, emit)
	if binary {
		t.keep = nil
	}
}

// find looks for files that the processes have open to write text into. Those that are
// there at first are followed from their end on, those that come from their beginning. It
// returns those that nobody has open any more.
func (w *Written) find(later bool) (closed map[fileID]*writtenTail) {
	closed = maps.Clone(w.tails)
	for _, pid := range w.pids() {
		dir := fmt.Sprintf("/proc/%d/fd", pid)
		list, err := os.ReadDir(dir)
		if err != nil {
			w.lacks(err)
			continue
		}
		for _, entry := range list {
			fd := entry.Name()
			target, err := os.Readlink(filepath.Join(dir, fd))
			if err != nil || !strings.HasPrefix(target, "/") || strings.HasPrefix(target, "/dev/") || strings.HasPrefix(target, "/proc/") {
				continue
			}
			if !printsTo(pid, fd, target) {
				continue
			}
			info, err := os.Stat(filepath.Join(dir, fd))
			if err != nil || !info.Mode().IsRegular() {
				continue
			}
			id, ok := identify(info)
			delete(closed, id)
			if !ok || w.tails[id] != nil || len(w.tails)-len(closed) >= maxWritten {
				continue
			}
			f, err := open(filepath.Join(dir, fd), later)
			if err != nil {
				w.lacks(err)
				continue
			}
			w.found = true
			w.tails[id] = &writtenTail{f, &keeper{file: target, service: w.label(), source: w.source, clock: w.clock}}
		}
	}
	return closed
}

func (w *Written) lacks(err error) {
	if !errors.Is(err, fs.ErrPermission) {
		return // it ended, or closed the file
	}
	const reason = "the descriptors of its processes are shown to their user and to root only"
	if !slices.Contains(w.missing, reason) {
		w.missing = append(w.missing, reason)
	}
}

func identify(info fs.FileInfo) (fileID, bool) {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fileID{}, false
	}
	return fileID{uint64(s.Dev), s.Ino}, true
}

// printsTo reports whether a descriptor is one that text is printed to: standard output or
// error, or a file that is only added to and is no store's journal of its data.
func printsTo(pid int32, fd, target string) bool {
	flags, ok := openFlags(pid, fd)
	if !ok || flags&syscall.O_ACCMODE == syscall.O_RDONLY {
		return false
	}
	name := strings.ToLower(filepath.Base(strings.TrimSuffix(target, " (deleted)")))
	for _, data := range []string{".aof", ".wal", ".db", ".sqlite", ".sqlite3", ".pid", ".lock", ".ibd", ".journal", "-wal", "-shm", ".tmp"} {
		if strings.HasSuffix(name, data) {
			return false
		}
	}
	return fd == "1" || fd == "2" || flags&syscall.O_APPEND != 0 || strings.HasSuffix(name, ".log")
}

// openFlags returns with which flags a descriptor was opened (proc_pid_fdinfo(5)).
func openFlags(pid int32, fd string) (flags int, ok bool) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/fdinfo/%s", pid, fd))
	if err != nil {
		return 0, false
	}
	for line := range bytes.Lines(data) {
		if rest, found := bytes.CutPrefix(line, []byte("flags:")); found {
			n, err := strconv.ParseInt(string(bytes.TrimSpace(rest)), 8, 64)
			return int(n), err == nil
		}
	}
	return 0, false
}
