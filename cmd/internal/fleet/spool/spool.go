// Package spool keeps records on the machine that made them until they are safe on
// another, and puts together there what arrives of them. It knows the frames of a run
// log, and neither the network nor a run.
package spool

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

const (
	// pieceSize is the most bytes of a record that travel in one message.
	pieceSize = 512 << 10
	// gather is how long a piece waits for more to travel with it.
	gather = 20 * time.Millisecond
	// inFlight is how many pieces may wait for the server's disk at once. Few, so that
	// what is recorded meanwhile travels together: a server that many machines keep
	// busy gets fewer and larger pieces.
	inFlight = 2
	// againAfter is the pause after a piece that was not taken.
	againAfter = 300 * time.Millisecond
)

// Spool keeps a record on this machine until it is safe on another, in a file or, if
// it has no path, in memory. Its Write never waits. It is the second copy of what a
// stream holds. It may be used by several goroutines.
type Spool struct {
	path  string
	limit int64

	mu      sync.Mutex
	file    *os.File
	memory  []byte // from dropped on
	dropped int64
	size    int64
	pieces  []piece // those that are not safe yet, in order
	closed  bool
	err     error         // of the file; what follows is lost
	refused error         // why the last piece was not taken; nil: it was
	changed chan struct{} // holds one when there is something to do
}

// piece is a stretch of the record.
type piece struct {
	from, to int64
	sent     bool
}

// New begins a spool. The limit bounds what waits: from there on Full says so, and
// twice as much is refused.
func New(path string, limit int64) (*Spool, error) {
	s := &Spool{path: path, limit: limit, changed: make(chan struct{}, 1)}
	if path == "" {
		return s, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make folder for records: %w", err)
	}
	var err error
	if s.file, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
		return nil, fmt.Errorf("keep record: %w", err)
	}
	return s, nil
}

// Reopen goes on with the spool of a process that has ended.
func Reopen(path string) (*Spool, error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("open record: %w", err)
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("open record: %w", err)
	}
	s := &Spool{path: path, limit: info.Size(), file: file, size: info.Size(), closed: true, changed: make(chan struct{}, 1)}
	for at := int64(0); at < s.size; at += pieceSize {
		s.pieces = append(s.pieces, piece{from: at, to: min(at+pieceSize, s.size)})
	}
	return s, nil
}

// Write appends whole records.
func (s *Spool) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil && s.waiting()+int64(len(p)) > 2*s.limit {
		s.err = fmt.Errorf("keep record: %d MB wait for the server, and no more is kept", s.limit>>20)
	}
	if s.err != nil {
		return 0, s.err
	}
	if s.file == nil {
		s.memory = append(s.memory, p...)
	} else if n, err := s.file.WriteAt(p, s.size); err != nil {
		s.err = fmt.Errorf("keep record: %w", err)
		return n, s.err
	}
	from := s.size
	s.size += int64(len(p))
	if n := len(s.pieces); n > 0 && !s.pieces[n-1].sent && s.size-s.pieces[n-1].from <= pieceSize {
		s.pieces[n-1].to = s.size
	} else {
		s.pieces = append(s.pieces, piece{from: from, to: s.size})
	}
	s.signal()
	return len(p), nil
}

// waiting is how many bytes are not safe yet.
func (s *Spool) waiting() int64 {
	if len(s.pieces) == 0 {
		return 0
	}
	return s.size - s.pieces[0].from
}

// Name is the file that the record is in; empty: it is in memory.
func (s *Spool) Name() string { return s.path }

// Full reports whether so much waits that recording should pause.
func (s *Spool) Full() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waiting() > s.limit
}

// Close says that nothing follows.
func (s *Spool) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.signal()
}

func (s *Spool) signal() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// Remove forgets the copy.
func (s *Spool) Remove() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file != nil {
		s.file.Close()
		os.Remove(s.path)
	}
	s.memory = nil
}

// errAway says that the record was not delivered before the time was over.
var errAway = errors.New("the server did not take all of the record")

// Deliver hands the record on, piece by piece, until all of it is safe after Close
// (nil) or ctx is done. send takes a piece and answers once: nil when it is safe.
func (s *Spool) Deliver(ctx context.Context, send func(offset int64, data []byte) <-chan error) error {
	type result struct {
		from int64
		err  error
	}
	results := make(chan result, inFlight)
	flying := 0
	var pause <-chan time.Time
	for {
		s.mu.Lock()
		empty, closed := len(s.pieces) == 0, s.closed
		s.mu.Unlock()
		if empty && closed {
			return nil
		}
		if pause == nil && flying < inFlight {
			if p, data, err := s.next(); err != nil {
				return err
			} else if data != nil {
				flying++
				answered := send(p.from, data)
				go func() { results <- result{p.from, <-answered} }()
				if !closed && len(data) < pieceSize { // let more come together
					pause = time.After(gather)
				}
				continue
			}
		}
		select {
		case <-ctx.Done():
			return errAway
		case <-s.changed:
		case <-pause:
			pause = nil
		case r := <-results:
			flying--
			s.settle(r.from, r.err)
			if r.err != nil {
				pause = time.After(againAfter)
			}
		}
	}
}

// next returns the first piece that is not on its way.
func (s *Spool) next() (piece, []byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.pieces {
		p := &s.pieces[i]
		if p.sent {
			continue
		}
		p.sent = true
		data := make([]byte, p.to-p.from)
		if s.file == nil {
			copy(data, s.memory[p.from-s.dropped:p.to-s.dropped])
		} else if _, err := s.file.ReadAt(data, p.from); err != nil && !errors.Is(err, io.EOF) {
			return *p, nil, fmt.Errorf("read record again: %w", err)
		}
		return *p, data, nil
	}
	return piece{}, nil, nil
}

// Refused says why the record does not get away; nil: it does.
func (s *Spool) Refused() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused
}

// settle notes that a piece is safe, or why it has to be sent again.
func (s *Spool) settle(from int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = err
	for i := range s.pieces {
		if s.pieces[i].from != from {
			continue
		}
		if err != nil {
			s.pieces[i].sent = false
			return
		}
		s.pieces = append(s.pieces[:i], s.pieces[i+1:]...)
		if safe := s.size - s.waiting(); s.file == nil && safe-s.dropped > pieceSize {
			s.memory = append([]byte(nil), s.memory[safe-s.dropped:]...)
			s.dropped = safe
		}
		return
	}
}

const suffix = ".runlog"

// Path is where the record of a part is kept; empty: in memory.
func Path(dir, run string, part int) string {
	if dir == "" {
		return ""
	}
	return filepath.Join(dir, fmt.Sprintf("%s-%d%s", run, part, suffix))
}

// keptFor is how long the record of a run that nobody collects is kept.
const keptFor = 7 * 24 * time.Hour

// Left returns the records that an earlier process left in a folder, and forgets
// those that are old.
func Left(dir string, now time.Time) (paths []string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), suffix) {
			continue
		}
		path := filepath.Join(dir, e.Name())
		if info, err := e.Info(); err == nil && now.Sub(info.ModTime()) > keptFor {
			os.Remove(path)
			continue
		}
		paths = append(paths, path)
	}
	return paths
}

// Of returns the run and the part of a spool's file.
func Of(path string) (run string, part int, ok bool) {
	n, err := fmt.Sscanf(strings.TrimSuffix(filepath.Base(path), suffix), "%16s-%d", &run, &part)
	if err != nil || n != 2 {
		return "", 0, false
	}
	_, err = hex.DecodeString(run)
	return run, part, err == nil
}
