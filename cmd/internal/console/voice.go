package console

import (
	"io"
	"sync"
	"time"
)

const (
	// voiceRoom is what a voice keeps for a reader that is slow: some 8,000 lines of
	// the failure log.
	voiceRoom = 4 << 20
	// voiceChunk is written at once, so that a reader that is slow is told from one
	// that has stopped.
	voiceChunk = 16 << 10
	// voicePatience is how long a reader may take for a chunk before it counts as
	// one that has stopped.
	voicePatience = 3 * time.Second
)

// Voice writes to the process's stderr without ever waiting for its reader: a
// terminal that is held with Ctrl-S, or a full pipe, must not hold up the load. What
// finds no room is left out as a whole and counted, and a reader that went away is
// remembered. Its methods may be called from several goroutines.
type Voice struct {
	w io.Writer

	mu      sync.Mutex
	waiting []byte
	cut     int   // writes that were left out
	err     error // of the reader; nothing is written any more
	written int64 // bytes
	running bool  // a goroutine writes
	idle    *sync.Cond
}

func NewVoice(w io.Writer) *Voice {
	v := &Voice{w: w}
	v.idle = sync.NewCond(&v.mu)
	return v
}

// Write takes p as a whole or leaves it out; it never fails and never waits.
func (v *Voice) Write(p []byte) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.err != nil || len(v.waiting)+len(p) > voiceRoom {
		v.cut++
		return len(p), nil
	}
	v.waiting = append(v.waiting, p...)
	if !v.running {
		v.running = true
		go v.drain() // ends when nothing is waiting, or with the process
	}
	return len(p), nil
}

func (v *Voice) drain() {
	var out []byte
	v.mu.Lock()
	defer v.mu.Unlock()
	for len(v.waiting) > 0 && v.err == nil {
		out, v.waiting = v.waiting, out[:0]
		v.mu.Unlock()
		err := v.say(out)
		v.mu.Lock()
		v.err = err
	}
	v.running = false
	v.idle.Broadcast()
}

func (v *Voice) say(out []byte) error {
	for len(out) > 0 {
		n, err := v.w.Write(out[:min(len(out), voiceChunk)])
		v.mu.Lock()
		v.written += int64(n)
		v.mu.Unlock()
		if err != nil {
			return err
		}
		out = out[n:]
	}
	return nil
}

// Settle waits until everything is written, or the reader went away or has
// stopped.
func (v *Voice) Settle() {
	settled := make(chan struct{})
	go func() { // outlives settle only while the reader has stopped
		defer close(settled)
		v.mu.Lock()
		defer v.mu.Unlock()
		for v.running {
			v.idle.Wait()
		}
	}()
	ticker := time.NewTicker(voicePatience)
	defer ticker.Stop()
	for before := v.progress(); ; {
		select {
		case <-settled:
			return
		case <-ticker.C:
			now := v.progress()
			if now == before {
				return
			}
			before = now
		}
	}
}

func (v *Voice) progress() int64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.written
}

// Lost returns how many writes were left out, and the error of the reader if that
// is why.
func (v *Voice) Lost() (writes int, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.cut, v.err
}

// Fd is the descriptor that is written to, where it has one: for its size.
func (v *Voice) Fd() uintptr {
	if f, ok := v.w.(interface{ Fd() uintptr }); ok {
		return f.Fd()
	}
	return ^uintptr(0)
}
