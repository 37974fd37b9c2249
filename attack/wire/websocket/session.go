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
func (session *session) Room() int {
	session.mu.Lock()
	defer session.mu.Unlock()
	if session.shut || session.closed || session.deaf { // then the peer's end of the connection follows
		return 0
	}
	return 1
}

// Closing implements [wire.Multiplexed].
func (session *session) Closing() bool {
	session.mu.Lock()
	defer session.mu.Unlock()
	return session.shut
}

// Close implements [wire.Session].
func (session *session) Close() {}

// Shut implements [wire.Multiplexed]: the reader says goodbye.
func (session *session) Shut() {
	session.mu.Lock()
	was := session.shut
	session.shut = true
	session.room.Broadcast()
	session.mu.Unlock()
	if !was {
		session.Interrupt(0)
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
func (session *session) message(data []byte, size int64) {
	first := !session.greeted && session.x.target.Profile.WebSocket.FirstMessage > 0
	session.greeted = true
	if first {
		session.signs.greeted()
	}
	if session.busy.Load() && (!first || session.x.begin != nil) { // what a server says first is no answer
		session.now.messages = append(session.now.messages, message{append([]byte(nil), data...), size})
	}
}

// control implements [heard].
func (session *session) control(op byte, payload []byte) error {
	if now := session.Now(); now-session.window > time.Second {
		session.window, session.controls = now, 0
	}
	if session.controls++; session.controls > mostControls {
		return wire.Malformed(attack.Flooded)
	}
	switch op {
	case opPing:
		session.now.control = appendFrame(session.now.control[:0], opPong, payload) // the last of several will do (RFC 6455 §5.5.3)
	case opPong:
		if session.signs == nil || !session.signs.pong(payload) {
			session.now.pong = string(payload)
		}
	case opClose:
		said, err := closeDetail(payload)
		if err != nil {
			return err
		}
		session.now.closed, session.now.said, session.now.code = true, said, append([]byte(nil), payload[:min(len(payload), 2)]...)
	}
	return nil
}

// get reads once, and tells of what came.
func (session *session) get(buf []byte) (int, error) {
	n, err := session.Read(buf)
	if bad := session.take(buf[:n]); bad != nil {
		err = bad
	}
	return n, err
}

// take takes what was read.
func (session *session) take(b []byte) (err error) {
	if session.signs != nil && len(b) > 0 {
		session.signs.came()
	}
	if !session.hasClosed { // nothing counts behind a close frame
		err = session.dec.feed(b, session)
	}
	session.mu.Lock()
	session.received += uint64(len(b))
	if session.busy.Load() {
		session.inbox = append(session.inbox, session.now.messages...)
	}
	if session.now.control != nil && !session.goneBye {
		session.pending = append(session.pending[:0], session.now.control...)
	}
	session.ponged = session.ponged || session.now.pong != "" && session.now.pong == strconv.FormatUint(session.pings, 10)
	if session.now.closed && !session.closed {
		session.closed, session.hasClosed, session.said = true, true, session.now.said
		if !session.goneBye {
			session.goneBye = true
			session.pending = appendFrame(session.pending, opClose, session.now.code)
		}
		session.Interrupt(goodbyeTime) // by then the peer has ended the connection (RFC 6455 §7.1.1)
	}
	session.now = batch{}
	session.mu.Unlock()
	session.tell()
	session.flush()
	return err
}

// tell wakes whoever waits for something to come.
func (session *session) tell() {
	select {
	case session.news <- struct{}{}:
	default:
	}
}

// flush writes control frames that wait, unless somebody writes, who then does. The
// reader meets the end of a connection that cannot be written to.
func (session *session) flush() {
	for {
		session.mu.Lock()
		waiting := len(session.pending)+len(session.asks) > 0
		session.mu.Unlock()
		if !waiting || !session.writing.TryLock() {
			return
		}
		session.mu.Lock()
		out := append(session.pending, session.asks...)
		session.pending, session.asks = nil, nil
		session.mu.Unlock()
		_, err := session.Write(out)
		session.writing.Unlock()
		if err != nil {
			return
		}
	}
}

var frames = sync.Pool{New: func() any { b := make([]byte, 0, 1<<10); return &b }}

// send writes a frame, and what waits behind it.
func (session *session) send(op byte, payload []byte) (int, error) {
	p := frames.Get().(*[]byte)
	b := appendFrame((*p)[:0], op, payload)
	session.writing.Lock()
	_, err := session.Write(b)
	session.writing.Unlock()
	n := len(b)
	if cap(b) <= mostKept {
		*p = b
		frames.Put(p)
	}
	session.flush()
	return n, err
}

var larges = sync.Pool{New: func() any { b := make([]byte, largeBuffer); return &b }}

// read is the reader's goroutine.
func (session *session) read() {
	small := make([]byte, smallBuffer)
	var large *[]byte
	err := error(nil)
	for {
		for err == nil {
			session.mu.Lock()
			for session.busy.Load() && len(session.inbox) >= mostWaiting && !session.shut {
				session.room.Wait()
			}
			session.mu.Unlock()
			buf := small
			if large != nil {
				buf = *large
			}
			var n int
			n, err = session.get(buf)
			switch full := n == len(buf); {
			case full && large == nil:
				large = larges.Get().(*[]byte)
			case !full && large != nil:
				larges.Put(large)
				large = nil
			}
		}
		if !session.goodbye(err) {
			break
		}
		err = nil
	}
	if large != nil {
		larges.Put(large)
	}
	session.mu.Lock()
	shut, abrupt := session.shut, session.abrupt
	if session.deaf && !shut {
		err = errDeaf
	}
	session.err = err
	session.mu.Unlock()
	if session.signs != nil {
		session.signs.end(shut, session.reason())
	}
	switch {
	case abrupt:
		session.Ended(errAbrupt)
	case shut && errors.Is(err, os.ErrDeadlineExceeded):
		session.Ended(nil)
	default:
		session.Ended(err)
	}
	close(session.over)
}

// errDeaf is how a connection ends whose peer answers no pings.
var errDeaf = wire.Failed{Fault: attack.Timeout}

// errAbrupt has the connection end without a FIN.
var errAbrupt = errors.New("reset by the script")

// goodbye sends a close frame where the connection was shut, for the peer to end it. It
// reports whether there is something to wait for.
func (session *session) goodbye(err error) bool {
	session.mu.Lock()
	say := session.shut && !session.abrupt && !session.goneBye && errors.Is(err, os.ErrDeadlineExceeded)
	if say {
		session.goneBye = true
	}
	session.mu.Unlock()
	if !say {
		return false
	}
	session.SetDeadline(session.Now() + goodbyeTime)
	_, err = session.send(opClose, normalClosure())
	return err == nil
}

func normalClosure() []byte { return []byte{1000 >> 8, 1000 & 0xff} }

// Said implements [wire.Parting].
func (session *session) Said() attack.Detail {
	session.mu.Lock()
	defer session.mu.Unlock()
	return session.said
}

// reason returns why the connection takes no more, nil if it does.
func (session *session) reason() error {
	session.mu.Lock()
	defer session.mu.Unlock()
	switch {
	case session.closed:
		return wire.Failed{Fault: attack.EOF, Detail: session.said}
	case session.err != nil:
		return session.err
	case session.shut:
		return os.ErrDeadlineExceeded
	}
	return nil
}

// wait waits until something is so. The lock is held when done is called.
func (session *session) wait(done func() bool) error {
	for {
		over := false
		select {
		case <-session.over:
			over = true
		default:
		}
		session.mu.Lock()
		ok := done()
		session.mu.Unlock()
		if ok {
			return nil
		}
		if err := session.reason(); err != nil {
			return err
		}
		if over {
			return io.EOF
		}
		select {
		case <-session.news:
		case <-session.over:
		}
	}
}
