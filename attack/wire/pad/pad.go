// Package pad is the memory of an attempt, for protocols with one attempt at a time on a
// connection: what has come and is not consumed yet, and what is put together to go out.
package pad

import (
	"sync"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire"
)

const (
	// Size is how many bytes are read at once.
	Size = 4 << 10
	// mostKept is how much of an attempt's memory serves later ones.
	mostKept = 64 << 10
)

// Pad is the memory of one attempt.
type Pad struct {
	buf  []byte
	r, w int // of buf: what is not consumed

	Out, Word []byte // the caller's
}

var pads = sync.Pool{New: func() any { return &Pad{buf: make([]byte, Size)} }}

// Get returns an empty pad.
func Get() *Pad {
	p := pads.Get().(*Pad)
	p.r, p.w = 0, 0
	return p
}

// Put gives a pad back. Nothing of it may be used any more.
func (p *Pad) Put() {
	if len(p.buf) == Size && cap(p.Out)+cap(p.Word) <= mostKept {
		pads.Put(p)
	}
}

// Rest returns what has come and is not consumed, until the next call.
func (p *Pad) Rest() []byte { return p.buf[p.r:p.w] }

// Take consumes so many bytes of the rest.
func (p *Pad) Take(n int) { p.r += n }

// Keep drops all of the rest but its last bytes.
func (p *Pad) Keep(last int) { p.r = max(p.r, p.w-last) }

// Exchange sends, and reads what comes at once: see [wire.Conn]. The pad has to be empty.
func (p *Pad) Exchange(c *wire.Conn, out []byte, a *attack.Attempt) (phase attack.Phase, err error) {
	p.r = 0
	p.w, phase, err = c.Exchange(out, p.buf)
	a.Received += uint64(p.w)
	return phase, err
}

// More reads more behind the rest, for which it makes room.
func (p *Pad) More(c *wire.Conn, a *attack.Attempt) error {
	if p.r > 0 {
		p.w = copy(p.buf, p.buf[p.r:p.w])
		p.r = 0
	}
	if p.w == len(p.buf) {
		p.buf = append(p.buf, make([]byte, len(p.buf))...)
	}
	n, err := c.Read(p.buf[p.w:])
	p.w += n
	a.Received += uint64(n)
	return err
}

// Arrived reads more if it has come already, and reports whether it had.
func (p *Pad) Arrived(c *wire.Conn, a *attack.Attempt) bool {
	waiting, err := c.Waiting()
	return waiting && err == nil && p.More(c, a) == nil
}

// Drop reads at most so many bytes and drops them, and the rest with them.
func (p *Pad) Drop(c *wire.Conn, most int64, a *attack.Attempt) (int64, error) {
	n, err := c.Discard(most, p.buf)
	p.r, p.w = 0, 0
	a.Received += uint64(n)
	return int64(n), err
}

// Cut reports whether the error of a write is that the peer has ended the connection, so
// that its last words may have come before. Under TLS they cannot be read any more.
func Cut(c *wire.Conn, err error) bool {
	f, _ := c.FaultOf(err)
	return (f == attack.Reset || f == attack.BrokenPipe) && !c.Secure()
}
