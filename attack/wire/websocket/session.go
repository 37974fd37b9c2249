package websocket

import (
	"errors"
	"io"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire"
)

const (
	smallBuffer  = 512      // of a connection that is idle
	largeBuffer  = 32 << 10 // while much comes
	mostWaiting  = 64       // messages that wait to be expected; then nothing is read
	mostControls = 1000     // control frames of a peer in a second
	goodbyeTime  = 500 * time.Millisecond
	brokenTime   = 200 * time.Millisecond
)

// session is one connection: a [wire.Multiplexed] with room for one attempt.
type session struct {
	*wire.Conn
	x    *exchanger
	dec  decoder // the reader's
	used atomic.Bool

	news chan struct{} // something has come; room for one
	over chan struct{} // closed when the reader is done

	mu       sync.Mutex
	room     *sync.Cond  // the inbox has room, or nobody waits for it
	busy     atomic.Bool // an attempt is under way
	inbox    []message
	pings    uint64 // ever sent by scripts
	ponged   bool   // the last of them is answered
	received uint64 // bytes, ever
	said     attack.Detail
	closed   bool  // the peer's close frame has come
	shut     bool  // no attempt is to come
	abrupt   bool  // and no goodbye is said
	deaf     bool  // the peer answers no pings
	err      error // of the reader, once over is closed

	// The reader's.
	signs     *signs // nil: it is watched for none
	greeted   bool   // a message has come
	now       batch
	window    time.Duration
	controls  int // in the window
	hasClosed bool

	writing sync.Mutex
	pending []byte // control frames to be written by whoever writes; guarded by mu
	asks    []byte // pings of signs, likewise
	goneBye bool   // our close frame is on its way; guarded by mu
}

var _ wire.Multiplexed = (*session)(nil)

func newSession(c *wire.Conn, x *exchanger) *session {
	s := &session{Conn: c, x: x, news: make(chan struct{}, 1), over: make(chan struct{})}
	s.room = sync.NewCond(&s.mu)
	if ws := x.target.Profile.WebSocket; ws.FirstMessage > 0 || ws.KeepAlive > 0 {
		s.signs = newSigns(s, ws, x.target.Client.Timeout)
	}
	return s
}

// Room implements [wire.Multiplexed].
func (s *session) Room() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shut || s.closed || s.deaf { // then the peer's end of the connection follows
		return 0
	}
	return 1
}

// Closing implements [wire.Multiplexed].
func (s *session) Closing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shut
}

// Close implements [wire.Session].
func (s *session) Close() {}

// Shut implements [wire.Multiplexed]: the reader says goodbye.
func (s *session) Shut() {
	s.mu.Lock()
	was := s.shut
	s.shut = true
	s.room.Broadcast()
	s.mu.Unlock()
	if !was {
		s.Interrupt(0)
	}
}

// batch is what came with one read, before anybody is told of it.
type batch struct {
	messages []message
	control  []byte // frames to answer with
	pong     string // payload of the last
	closed   bool
	said     attack.Detail
	code     []byte // of the close frame
}

// message implements [heard].
func (s *session) message(data []byte, size int64) {
	first := !s.greeted && s.x.target.Profile.WebSocket.FirstMessage > 0
	s.greeted = true
	if first {
		s.signs.greeted()
	}
	if s.busy.Load() && (!first || s.x.begin != nil) { // what a server says first is no answer
		s.now.messages = append(s.now.messages, message{append([]byte(nil), data...), size})
	}
}

// control implements [heard].
func (s *session) control(op byte, payload []byte) error {
	if now := s.Now(); now-s.window > time.Second {
		s.window, s.controls = now, 0
	}
	if s.controls++; s.controls > mostControls {
		return wire.Malformed(attack.Flooded)
	}
	switch op {
	case opPing:
		s.now.control = appendFrame(s.now.control[:0], opPong, payload) // the last of several will do (RFC 6455 §5.5.3)
	case opPong:
		if s.signs == nil || !s.signs.pong(payload) {
			s.now.pong = string(payload)
		}
	case opClose:
		said, err := closeDetail(payload)
		if err != nil {
			return err
		}
		s.now.closed, s.now.said, s.now.code = true, said, append([]byte(nil), payload[:min(len(payload), 2)]...)
	}
	return nil
}

// get reads once, and tells of what came.
func (s *session) get(buf []byte) (int, error) {
	n, err := s.Read(buf)
	if bad := s.take(buf[:n]); bad != nil {
		err = bad
	}
	return n, err
}

// take takes what was read.
func (s *session) take(b []byte) (err error) {
	if s.signs != nil && len(b) > 0 {
		s.signs.came()
	}
	if !s.hasClosed { // nothing counts behind a close frame
		err = s.dec.feed(b, s)
	}
	s.mu.Lock()
	s.received += uint64(len(b))
	if s.busy.Load() {
		s.inbox = append(s.inbox, s.now.messages...)
	}
	if s.now.control != nil && !s.goneBye {
		s.pending = append(s.pending[:0], s.now.control...)
	}
	s.ponged = s.ponged || s.now.pong != "" && s.now.pong == strconv.FormatUint(s.pings, 10)
	if s.now.closed && !s.closed {
		s.closed, s.hasClosed, s.said = true, true, s.now.said
		if !s.goneBye {
			s.goneBye = true
			s.pending = appendFrame(s.pending, opClose, s.now.code)
		}
		s.Interrupt(goodbyeTime) // by then the peer has ended the connection (RFC 6455 §7.1.1)
	}
	s.now = batch{}
	s.mu.Unlock()
	s.tell()
	s.flush()
	return err
}

// tell wakes whoever waits for something to come.
func (s *session) tell() {
	select {
	case s.news <- struct{}{}:
	default:
	}
}

// flush writes control frames that wait, unless somebody writes, who then does. The
// reader meets the end of a connection that cannot be written to.
func (s *session) flush() {
	for {
		s.mu.Lock()
		waiting := len(s.pending)+len(s.asks) > 0
		s.mu.Unlock()
		if !waiting || !s.writing.TryLock() {
			return
		}
		s.mu.Lock()
		out := append(s.pending, s.asks...)
		s.pending, s.asks = nil, nil
		s.mu.Unlock()
		_, err := s.Write(out)
		s.writing.Unlock()
		if err != nil {
			return
		}
	}
}

var frames = sync.Pool{New: func() any { b := make([]byte, 0, 1<<10); return &b }}

// send writes a frame, and what waits behind it.
func (s *session) send(op byte, payload []byte) (int, error) {
	p := frames.Get().(*[]byte)
	b := appendFrame((*p)[:0], op, payload)
	s.writing.Lock()
	_, err := s.Write(b)
	s.writing.Unlock()
	n := len(b)
	if cap(b) <= mostKept {
		*p = b
		frames.Put(p)
	}
	s.flush()
	return n, err
}

var larges = sync.Pool{New: func() any { b := make([]byte, largeBuffer); return &b }}

// read is the reader's goroutine.
func (s *session) read() {
	small := make([]byte, smallBuffer)
	var large *[]byte
	err := error(nil)
	for {
		for err == nil {
			s.mu.Lock()
			for s.busy.Load() && len(s.inbox) >= mostWaiting && !s.shut {
				s.room.Wait()
			}
			s.mu.Unlock()
			buf := small
			if large != nil {
				buf = *large
			}
			var n int
			n, err = s.get(buf)
			switch full := n == len(buf); {
			case full && large == nil:
				large = larges.Get().(*[]byte)
			case !full && large != nil:
				larges.Put(large)
				large = nil
			}
		}
		if !s.goodbye(err) {
			break
		}
		err = nil
	}
	if large != nil {
		larges.Put(large)
	}
	s.mu.Lock()
	shut, abrupt := s.shut, s.abrupt
	if s.deaf && !shut {
		err = errDeaf
	}
	s.err = err
	s.mu.Unlock()
	if s.signs != nil {
		s.signs.end(shut, s.reason())
	}
	switch {
	case abrupt:
		s.Ended(errAbrupt)
	case shut && errors.Is(err, os.ErrDeadlineExceeded):
		s.Ended(nil)
	default:
		s.Ended(err)
	}
	close(s.over)
}

// errDeaf is how a connection ends whose peer answers no pings.
var errDeaf = wire.Failed{Fault: attack.Timeout}

// errAbrupt has the connection end without a FIN.
var errAbrupt = errors.New("reset by the script")

// goodbye sends a close frame where the connection was shut, for the peer to end it. It
// reports whether there is something to wait for.
func (s *session) goodbye(err error) bool {
	s.mu.Lock()
	say := s.shut && !s.abrupt && !s.goneBye && errors.Is(err, os.ErrDeadlineExceeded)
	if say {
		s.goneBye = true
	}
	s.mu.Unlock()
	if !say {
		return false
	}
	s.SetDeadline(s.Now() + goodbyeTime)
	_, err = s.send(opClose, normalClosure())
	return err == nil
}

func normalClosure() []byte { return []byte{1000 >> 8, 1000 & 0xff} }

// Said implements [wire.Parting].
func (s *session) Said() attack.Detail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.said
}

// reason returns why the connection takes no more, nil if it does.
func (s *session) reason() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return wire.Failed{Fault: attack.EOF, Detail: s.said}
	case s.err != nil:
		return s.err
	case s.shut:
		return os.ErrDeadlineExceeded
	}
	return nil
}

// wait waits until something is so. The lock is held when done is called.
func (s *session) wait(done func() bool) error {
	for {
		over := false
		select {
		case <-s.over:
			over = true
		default:
		}
		s.mu.Lock()
		ok := done()
		s.mu.Unlock()
		if ok {
			return nil
		}
		if err := s.reason(); err != nil {
			return err
		}
		if over {
			return io.EOF
		}
		select {
		case <-s.news:
		case <-s.over:
		}
	}
}
