package http2

import (
	"errors"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/rampload/rampload/attack"
)

// Handler takes what happens to a stream. Its methods are called with the lock of
// the connection held, from any goroutine, one at a time: they must return soon,
// and must not call methods of the Conn or the Stream. What they are given is
// valid until they return; strings stay.
type Handler interface {
	// AppendHeaders appends the encoded header block of the request: see [Block].
	// It is called once, when the stream is opened.
	AppendHeaders(b []byte) []byte
	// Head takes the head of a response: interim ones (status below 200) too.
	Head(status int, fields []hpack.HeaderField)
	// Data takes a piece of the body, never an empty one.
	Data(p []byte)
	// Trailer takes the fields behind the body.
	Trailer(fields []hpack.HeaderField)
	// Sent tells that all that Send was given has been queued, so that its memory
	// may be used again.
	Sent()
	// End tells that the stream is over: nil is a complete response. It is the
	// last call; the fields of the stream that tell about its course are final.
	// Errors: *ResetError, *GoAwayError, *MalformedError, ErrTimeout, ErrCanceled,
	// ErrNotSent, ErrPing, or an error of the link.
	End(err error)
}

// Stream is one request and its response. The caller sets the first fields and
// leaves them alone from Start to End.
type Stream struct {
	Handler  Handler
	Deadline time.Duration // on the connection's clock; Never: none
	NoBody   bool          // the method is HEAD
	// Hold is for a request that expects 100 Continue: its data are held back
	// until a response with that status, or for this long. 0: they are not.
	Hold time.Duration
	// Manual has the peer stop when a window of data has come that Consumed was
	// not told of. Otherwise what Data has taken counts as consumed.
	Manual bool

	// Course of the stream, final when End is called.
	Phase  attack.Phase // where it was: write, await, body or done
	Status int          // of the final response, 0: none
	Opened bool         // its headers were queued: else nothing was sent

	c          *Conn
	id         uint32
	chain      *Stream // in the table
	links      [2]link
	opened     time.Duration
	holdUntil  time.Duration
	pending    []byte // to be sent
	pendingEnd bool   // and nothing after it
	sentEnd    bool
	sentAt     int64 // where in the output its last frame ends
	window     int64 // what may be sent
	recvWindow int64 // what the peer may send
	eaten      int64 // that the peer was not told of yet; with Manual
	length     int64 // of the body by content-length, -1: not said
	received   int64
	heads      int // bytes of all heads
	gotHead    bool
	over       bool
}

// Lengths returns how long the response's body is by its head, -1 where it does not
// say, and how much of it came, in bytes. They are final when End is called.
func (s *Stream) Lengths() (declared, received int64) { return s.length, s.received }

// Start opens a stream, now or as soon as the peer's limit of streams and the
// output's queue allow. Its body is what Send is given; body and last are the
// first of it. The memory of body is used until Sent or End is called. Start does
// not wait. It returns ErrNotSent if the connection takes no new streams; then
// nothing is called.
func (conn *Conn) Start(s *Stream, body []byte, last bool) error {
	s.c, s.id, s.over = conn, 0, false
	s.pending, s.pendingEnd, s.sentEnd, s.sentAt = body, last, false, 0
	s.window, s.recvWindow, s.eaten, s.received, s.length, s.heads = 0, 0, 0, 0, -1, 0
	s.gotHead, s.Status, s.Phase, s.Opened = false, 0, attack.PhaseWrite, false
	s.holdUntil = Never
	conn.mu.Lock()
	defer conn.mu.Unlock()
	if conn.closing {
		return ErrNotSent
	}
	if s.Hold > 0 && (len(body) > 0 || !last) {
		s.holdUntil = conn.cfg.Clock() + s.Hold
	}
	conn.waiting.push(s)
	conn.pump()
	if next := min(s.Deadline, s.holdUntil); next < conn.life.timerAt {
		conn.life.schedule(next)
	}
	if conn.cfg.PingEvery > 0 && conn.open.n == 1 {
		conn.life.schedule(conn.cfg.Clock() + conn.cfg.PingEvery)
	}
	return nil
}

// Send adds to the body of a request; last says that nothing follows. The memory
// of p is used until the handler's Sent is called, and Send must not be called
// again before; an empty p is not waited for. After the end it does nothing.
func (s *Stream) Send(p []byte, last bool) {
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.over || s.pendingEnd {
		return
	}
	s.pending, s.pendingEnd = p, last
	if s.maySend() {
		c.senders.push(s)
	}
	c.pump()
}

// Consumed tells that n bytes that Data took need no memory any more: see Manual.
func (s *Stream) Consumed(n int) {
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.over || !s.Manual {
		return
	}
	s.eaten += int64(n)
	c.giveWindow(s)
}

// Cancel resets the stream, and ends it with ErrCanceled if it is not over.
func (s *Stream) Cancel(code Code) {
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if !s.over {
		c.abandon(s, ErrCanceled, code)
		c.pump()
	}
}

// maySend reports whether a frame of the body can go, as far as the stream's own
// window is concerned.
func (s *Stream) maySend() bool {
	if s.id == 0 || s.over || s.sentEnd || s.holdUntil != Never || s.links[inSenders].in {
		return false
	}
	if len(s.pending) == 0 {
		return s.pendingEnd
	}
	return s.window > 0
}

// unhold lets the body go. The lock is held; the caller pumps.
func (conn *Conn) unhold(s *Stream) {
	s.holdUntil = Never
	if s.maySend() {
		conn.senders.push(s)
	}
}

// giveWindow lets the peer send more on a stream.
func (conn *Conn) giveWindow(s *Stream) {
	if s.eaten >= streamWindow/2 {
		_ = conn.out.control.WriteWindowUpdate(s.id, uint32(s.eaten))
		s.recvWindow += s.eaten
		s.eaten = 0
		conn.out.kick()
	}
}

// abandon ends a stream from this side, and tells the peer.
func (conn *Conn) abandon(s *Stream, err error, code Code) {
	if s.id != 0 && !conn.ended {
		_ = conn.out.control.WriteRSTStream(s.id, code)
		conn.out.kick()
	}
	conn.finish(s, err)
}

// finish ends a stream. The lock is held.
func (conn *Conn) finish(s *Stream, err error) {
	s.over, s.Opened = true, s.id != 0
	written := conn.out.taken // also what a write under way is writing: the peer has answered
	if errors.Is(err, ErrTimeout) || errors.Is(err, ErrCanceled) || conn.ended {
		written = conn.out.flushed
	}
	switch {
	case err == nil:
		s.Phase = attack.PhaseDone
	case s.gotHead:
		s.Phase = attack.PhaseBody
	case s.sentEnd && s.sentAt <= written:
		s.Phase = attack.PhaseAwait
	case s.holdUntil != Never && s.id != 0 && s.sentAt <= written:
		s.Phase = attack.PhaseAwait // for 100 Continue
	default:
		s.Phase = attack.PhaseWrite
	}
	if s.links[inSenders].in {
		conn.senders.remove(s)
	}
	if s.id == 0 {
		conn.waiting.remove(s)
	} else {
		conn.streams.remove(s)
		conn.open.remove(s)
	}
	s.pending = nil
	s.Handler.End(err)
}

// The lists that a stream can be in: it waits to be opened or is open; it has
// data to send.
const (
	inOrder = iota
	inSenders
)

type link struct {
	prev, next *Stream
	in         bool
}

// streamList is a list of streams.
type streamList struct {
	head, tail *Stream
	n          int
	link       int // which links of a stream it uses
}

func (l *streamList) push(s *Stream) {
	s.links[l.link] = link{prev: l.tail, in: true}
	if l.tail != nil {
		l.tail.links[l.link].next = s
	} else {
		l.head = s
	}
	l.tail = s
	l.n++
}

func (l *streamList) remove(s *Stream) {
	k := s.links[l.link]
	if k.prev != nil {
		k.prev.links[l.link].next = k.next
	} else {
		l.head = k.next
	}
	if k.next != nil {
		k.next.links[l.link].prev = k.prev
	} else {
		l.tail = k.prev
	}
	s.links[l.link] = link{}
	l.n--
}

// table finds open streams by id. Streams are chained in the slots.
type table struct {
	slots []*Stream // a power of two
	n     int
}

func (t *table) slot(id uint32) **Stream { return &t.slots[int(id>>1)&(len(t.slots)-1)] }

func (t *table) find(id uint32) *Stream {
	if len(t.slots) == 0 {
		return nil
	}
	s := *t.slot(id)
	for s != nil && s.id != id {
		s = s.chain
	}
	return s
}

func (t *table) add(s *Stream) {
	if t.n >= len(t.slots) {
		old := t.slots
		t.slots = make([]*Stream, max(2*len(old), 16))
		for _, o := range old {
			for o != nil {
				next := o.chain
				p := t.slot(o.id)
				o.chain, *p = *p, o
				o = next
			}
		}
	}
	p := t.slot(s.id)
	s.chain, *p = *p, s
	t.n++
}

func (t *table) remove(s *Stream) {
	p := t.slot(s.id)
	for *p != s {
		p = &(*p).chain
	}
	*p, s.chain = s.chain, nil
	t.n--
}

// streamFailed ends a stream whose peer broke the protocol on it alone.
func (conn *Conn) streamFailed(s *Stream, bad *MalformedError) {
	conn.abandon(s, bad, bad.Code)
}

const noCode = http2.ErrCodeNo
