package keep

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// maxTail bounds what of a run is kept in memory, compressed, when it cannot be
// written. A run log shrinks about ten times, so this is a day of a large one.
const maxTail = 256 << 20

// Record is where a run log is written: a file as long as that can be written,
// memory from there on. Its Write never fails, so that no run ends and no verdict
// is lost because of a disk. It may be used by several goroutines.
type Record struct {
	path string
	file *os.File
	// holdUntil is when the load begins. Until then everything is held in memory and
	// the file stays empty: a start that is killed leaves nothing that is worth
	// keeping, nor anything that blocks the next start.
	holdUntil time.Time
	tell      func(string) // is told of each trouble when it happens; must not block

	mu    sync.Mutex
	held  []byte // before the load
	begun bool
	size  int64 // good bytes in the file
	tail  tail  // what follows them
	err   error // why the tail exists
	lost  int64 // bytes that found no room in the tail either
	gone  bool  // the file is no longer where it was created
}

func NewRecord(file *os.File, holdUntil time.Time, tell func(string)) *Record {
	return &Record{path: file.Name(), file: file, holdUntil: holdUntil, tell: tell}
}

// Write appends to the record. It never fails.
func (r *Record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.begun && time.Now().Before(r.holdUntil) {
		r.held = append(r.held, p...)
		return len(p), nil
	}
	r.begin()
	r.append(p)
	if !r.gone && r.err == nil && !r.inPlace() {
		r.gone = true
		r.tell(fmt.Sprintf("%s was removed or moved while the run goes on; it is kept and will be written again at the end", r.path))
	}
	return len(p), nil
}

// begin writes what was held back.
func (r *Record) begin() {
	if r.begun {
		return
	}
	r.begun = true
	r.append(r.held)
	r.held = nil
}

func (r *Record) append(p []byte) {
	if r.err == nil {
		n, err := r.file.Write(p)
		r.size += int64(n)
		p = p[n:]
		if err == nil {
			return
		}
		r.err = err
		r.tell(fmt.Sprintf("%s; the run goes on and is kept in memory", CannotWrite(r.path, err)))
	}
	if r.lost > 0 || !r.tail.append(p) {
		if r.lost == 0 {
			r.tell(fmt.Sprintf("no more of the run is kept: %s cannot be written and %d MB of memory are full", r.path, maxTail>>20))
		}
		r.lost += int64(len(p))
	}
}

// inPlace reports whether the file is still found under its name.
func (r *Record) inPlace() bool {
	own, err := r.file.Stat()
	if err != nil {
		return false
	}
	there, err := os.Lstat(r.path)
	return err == nil && os.SameFile(own, there)
}

// Finish writes what is missing in the file, now that nothing else depends on it,
// and says whether the whole record is under its name.
func (r *Record) Finish() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.begin()
	if r.err != nil {
		if err := r.writeTail(); err != nil {
			return fmt.Errorf("write run log %s: %w", r.path, err)
		}
	}
	switch {
	case !r.inPlace():
		return fmt.Errorf("write run log %s: %w", r.path, errMoved)
	case r.lost > 0:
		return fmt.Errorf("write run log %s: %d bytes of its end are lost: %w", r.path, r.lost, r.err)
	}
	return nil
}

var errMoved = errors.New("it was removed or moved during the run")

func (r *Record) writeTail() error {
	tail := r.tail.reader()
	if _, err := r.file.Seek(r.size, io.SeekStart); err != nil {
		return err
	}
	if _, err := io.Copy(struct{ io.Writer }{r.file}, tail); err != nil {
		return errors.Join(r.err, r.file.Truncate(r.size)) // whole frames or the tear that a reader expects
	}
	return nil
}

// Reader reads the record from its beginning, from disk and memory. The record must
// be finished.
func (r *Record) Reader() io.Reader {
	r.mu.Lock()
	defer r.mu.Unlock()
	return io.MultiReader(io.NewSectionReader(r.file, 0, r.size), r.tail.reader())
}

// Written reads what has been written so far, while the record goes on. The error says
// that it cannot be read now: nothing has been written, or not to the file.
func (r *Record) Written() (io.Reader, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return nil, fmt.Errorf("read run log %s: %w", r.path, r.err)
	}
	if !r.begun || r.size == 0 {
		return nil, fmt.Errorf("read run log %s: nothing has been written yet", r.path)
	}
	return io.NewSectionReader(r.file, 0, r.size), nil
}

// kept reports whether there is anything of the load in the file.
func (r *Record) kept() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.begun && r.size > 0
}

// Close closes the file and removes it when nothing was kept in it.
func (r *Record) Close() {
	kept := r.kept()
	if !kept && r.inPlace() {
		os.Remove(r.path)
	}
	r.file.Close()
}

// tail is bytes in memory, compressed, up to maxTail. The zero value is empty.
type tail struct {
	buf bytes.Buffer
	w   *flate.Writer
}

// append reports whether there was room.
func (t *tail) append(p []byte) bool {
	if t.buf.Len() > maxTail {
		return false
	}
	if t.w == nil {
		t.w, _ = flate.NewWriter(&t.buf, flate.BestSpeed) // the level is valid
	}
	_, _ = t.w.Write(p) // to memory
	return true
}

// reader reads what was appended so far.
func (t *tail) reader() io.Reader {
	if t.w == nil {
		return bytes.NewReader(nil)
	}
	_ = t.w.Flush() // to memory
	// A stream that goes on after a flush has no end: the end of its bytes is one.
	return endless{flate.NewReader(bytes.NewReader(t.buf.Bytes()))}
}

type endless struct{ io.Reader }

func (e endless) Read(p []byte) (int, error) {
	n, err := e.Reader.Read(p)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	return n, err
}
