package http2

import (
	"bufio"
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// Link is what a connection goes over: a socket, or TLS over one.
type Link interface {
	io.Reader
	io.Writer
	// Interrupt makes the reads and writes that are under way, and all later
	// ones, fail after a while at most. It may be called from any goroutine, and
	// again with another time.
	Interrupt(after time.Duration)
}

// Never is the time of what does not happen.
const Never = time.Duration(1<<63 - 1)

// Config is how a connection is used. The zero value is usable.
type Config struct {
	// Clock gives the time that deadlines are of. It must be monotonic. Nil: time
	// since the connection was made.
	Clock func() time.Duration
	// MaxStreams is how many streams are open at once at most, if the peer allows
	// as many. 0: what the peer allows.
	MaxStreams int
	// PingEvery is how long a connection with open streams may be silent before
	// it is pinged; without an answer within PingTimeout it ends with ErrPing. 0:
	// no pings, but for those after a timeout; see [Conn.Room].
	PingEvery time.Duration
	// PingTimeout is how long a ping may take; 0: 15 s.
	PingTimeout time.Duration
	// PingIdle pings a connection without open streams as well.
	PingIdle bool
	// OnChange is called when Room changed, also when the connection ended. The
	// connection's lock is not held. Nil: not called.
	OnChange func(*Conn)
}

// Limits of what is kept in memory, and windows.
const (
	assumedStreams = 100       // that the peer allows before it has said so
	frameSize      = 16 << 10  // the largest frame that we accept: the smallest limit there may be
	maxHeaderBytes = 1 << 20   // of the heads of a response, compressed or not
	maxQueue       = 256 << 10 // what waits to be written before streams wait
	hardQueue      = 1 << 20   // what answers to the peer's frames may add to it
	streamWindow   = 4 << 20   // what a peer may send on a stream before we have read it
	connWindow     = 1 << 30   // likewise on the connection: memory is bounded by what streams keep
	defaultWindow  = 65535     // RFC 9113 §6.9.2
	maxWindow      = 1<<31 - 1
	maxID          = 1<<31 - 1
	readBuffer     = 8 << 10
	proofTime      = time.Second            // for a sign of life after a timeout
	brokenTime     = 250 * time.Millisecond // to read on after an error of a write
)

// Conn is the client's end of a connection. All methods are safe for concurrent
// use.
type Conn struct {
	cfg  Config
	link Link
	room atomic.Int32

	framer   *http2.Framer // of the reader
	control  *http2.Framer // appends control frames to out, under the lock
	in       *bufio.Reader
	src      source
	decoder  *hpack.Decoder
	head     head          // the header block being read
	lastRead atomic.Int64  // when bytes last came
	wake     chan struct{} // to the writer
	gone     chan struct{} // closed when everything is over
	wrote    chan struct{} // closed when the writer has ended

	mu       sync.Mutex
	out      []byte // to be written
	spare    []byte // the buffer that out alternates with
	taken    int64  // bytes that the writer has ever taken from out
	flushed  int64  // bytes ever written
	writing  bool
	writeErr error
	tableCut bool // the peer's table is smaller than the default: to be acknowledged in the next block

	streams table
	open    streamList // in order of opening
	waiting streamList // not opened yet
	senders streamList // with data that the windows allow to send, in turn
	next    uint32     // id of the next stream

	sendWindow    int64
	initialWindow int64 // of a stream, as the peer set it
	maxFrame      int
	maxStreams    uint32
	recvWindow    int64 // what the peer may still send
	allowance     allowance

	settled   bool  // the peer's first SETTINGS have come
	closing   bool  // no new streams
	ending    error // why the connection ends, as far as it is known
	ended     bool
	goAway    *GoAwayError
	tableSize uint32

	timer   *time.Timer
	timerAt time.Duration
	pinged  time.Duration // a ping is out since then, Never: none
	suspect time.Duration // no stream is opened until a sign of life, Never: trusted; else when that is too late
	prove   bool          // the ping that is out is for a sign of life
}

// source reads from the link and keeps the error as it was.
type source struct {
	c   *Conn
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.c.link.Read(p)
	if n > 0 {
		s.c.lastRead.Store(int64(s.c.cfg.Clock()))
	}
	if err != nil {
		s.err = err
	}
	return n, err
}

// NewConn begins to speak HTTP/2 over a link: it sends the preface and SETTINGS,
// and does not wait for the peer's. Streams may be started at once.
func NewConn(link Link, cfg Config) *Conn {
	if cfg.Clock == nil {
		start := time.Now()
		cfg.Clock = func() time.Duration { return time.Since(start) }
	}
	if cfg.PingTimeout <= 0 {
		cfg.PingTimeout = 15 * time.Second
	}
	now := cfg.Clock()
	c := &Conn{
		cfg: cfg, link: link,
		wake: make(chan struct{}, 1), gone: make(chan struct{}), wrote: make(chan struct{}),
		next: 1, sendWindow: defaultWindow, initialWindow: defaultWindow, maxFrame: frameSize,
		maxStreams: assumedStreams, recvWindow: connWindow, allowance: newAllowance(now),
		timerAt: Never, pinged: Never, suspect: Never, tableSize: 4096,
		senders: streamList{link: inSenders},
	}
	c.lastRead.Store(int64(now))
	c.src.c = c
	c.in = bufio.NewReaderSize(&c.src, readBuffer)
	c.framer = http2.NewFramer(nil, c.in)
	c.framer.SetReuseFrames()
	c.framer.SetMaxReadFrameSize(frameSize)
	c.decoder = hpack.NewDecoder(4096, c.head.field)
	c.decoder.SetMaxStringLength(maxHeaderBytes)
	c.updateRoom()
	c.timer = time.AfterFunc(time.Hour, c.tick)
	c.timer.Stop()

	c.out = append(c.out, http2.ClientPreface...)
	c.control = http2.NewFramer((*appender)(&c.out), nil)
	_ = c.control.WriteSettings( // an appender takes everything
		http2.Setting{ID: http2.SettingEnablePush, Val: 0},
		http2.Setting{ID: http2.SettingInitialWindowSize, Val: streamWindow},
		http2.Setting{ID: http2.SettingMaxHeaderListSize, Val: maxHeaderBytes},
	)
	_ = c.control.WriteWindowUpdate(0, connWindow-defaultWindow)
	c.writing = true
	go c.write()
	go c.read()
	c.mu.Lock()
	c.schedule(c.nextTime(now))
	c.mu.Unlock()
	c.wake <- struct{}{}
	return c
}

// Room returns how many streams may be open at once: 0 when the connection takes
// no new ones. That is for good after a GOAWAY, Shut or the end, which Ended tells;
// for a while when a stream has timed out and nothing at all had come from the peer
// since it was opened. Then the peer is pinged: anything that comes gives the room
// back, and silence for a second ends it for good. Room takes no lock.
func (c *Conn) Room() int { return int(c.room.Load()) }

// Closing reports whether the connection will never take a new stream again.
func (c *Conn) Closing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closing
}

// Done is closed when the connection has ended: every stream has got its end, and
// nothing reads or writes the link any more.
func (c *Conn) Done() <-chan struct{} { return c.gone }

// Err returns why the connection ended, once it has: an error of the link, a
// *MalformedError, ErrPing, or nil after Shut or Abort.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if errors.Is(c.ending, errShut) {
		return nil
	}
	return c.ending
}

// GoneAway returns the peer's GOAWAY, nil if there was none.
func (c *Conn) GoneAway() *GoAwayError {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.goAway
}

// updateRoom sets the room; the lock is held. It reports whether it changed.
func (c *Conn) updateRoom() bool {
	room := int32(min(c.maxStreams, 1<<30))
	if most := int32(min(c.cfg.MaxStreams, 1<<30)); most > 0 {
		room = min(room, most)
	}
	if c.closing || c.suspect != Never {
		room = 0
	}
	return c.room.Swap(room) != room
}

// changed tells of a change of the room. The lock is not held.
func (c *Conn) changed() {
	if c.cfg.OnChange != nil {
		c.cfg.OnChange(c)
	}
}

// close has the connection take no new streams: those that wait to be opened end.
// The lock is held.
func (c *Conn) close() {
	c.closing = true
	c.updateRoom()
	for s := c.waiting.head; s != nil; s = c.waiting.head {
		c.finish(s, ErrNotSent)
	}
}

// errShut is the end by Shut.
var errShut = errors.New("shut")

// Shut ends the connection without waiting: what is queued is written if the peer
// takes it within 10 ms. Streams that are open end with ErrCanceled.
func (c *Conn) Shut() { c.stop(errShut, 10*time.Millisecond) }

// Abort ends the connection at once, and its streams with ErrCanceled.
func (c *Conn) Abort() { c.stop(errShut, 0) }

func (c *Conn) stop(why error, grace time.Duration) {
	c.mu.Lock()
	if c.ending == nil {
		c.ending = why
	}
	c.closing = true
	c.updateRoom()
	if !c.writing {
		grace = 0
	}
	c.mu.Unlock()
	c.link.Interrupt(grace)
}

// die ends the connection, called by the reader as its last act.
//
// A RST is an error of whichever system call meets it first, and the other side
// of the connection then sees no more than its end. So the writer's error counts
// where the reader has only that.
func (c *Conn) die(err error) {
	var bad *MalformedError
	c.mu.Lock()
	grace := time.Duration(0)
	if errors.As(err, &bad) && c.writeErr == nil {
		_ = c.control.WriteGoAway(0, bad.Code, nil)
		c.kick()
		grace = 10 * time.Millisecond
	}
	c.closing = true
	c.updateRoom()
	if c.ending == nil {
		c.ending = err
	}
	c.ended = true // the writer stops when it has written everything
	c.mu.Unlock()
	c.link.Interrupt(grace)
	select {
	case c.wake <- struct{}{}:
	default:
	}
	<-c.wrote

	c.mu.Lock()
	if c.writeErr != nil && errors.Is(c.ending, io.EOF) && !errors.Is(c.writeErr, os.ErrDeadlineExceeded) {
		c.ending = c.writeErr // not our own interruption
	}
	err = c.ending
	if errors.Is(err, errShut) {
		err = ErrCanceled
	}
	for s := c.open.head; s != nil; s = c.open.head {
		c.finish(s, err)
	}
	c.close()
	c.timer.Stop()
	c.mu.Unlock()
	close(c.gone)
	c.changed()
}

// tick does what is due: the streams' deadlines, and pings.
func (c *Conn) tick() {
	c.mu.Lock()
	if c.ended {
		c.mu.Unlock()
		return
	}
	now := c.cfg.Clock()
	c.timerAt = Never
	for _, l := range []*streamList{&c.open, &c.waiting} {
		for s, after := l.head, (*Stream)(nil); s != nil; s = after {
			after = s.links[inOrder].next
			switch {
			case s.Deadline <= now:
				c.timedOut(s, now)
			case s.holdUntil <= now:
				c.unhold(s)
			}
		}
	}
	silent := c.suspect != Never && now >= c.suspect && !c.closing
	if silent {
		c.close()
	}
	dead := c.ping(now)
	c.pump()
	c.schedule(c.nextTime(now))
	changed := c.updateRoom() || silent
	c.mu.Unlock()
	if changed {
		c.changed()
	}
	if dead != nil {
		c.stop(dead, 0)
	}
}

// timedOut ends a stream at its deadline, and takes no new ones if the peer has
// been silent ever since it was opened.
func (c *Conn) timedOut(s *Stream, now time.Duration) {
	opened, sent := s.opened, s.id != 0
	c.abandon(s, ErrTimeout, http2.ErrCodeCancel)
	if sent && c.suspect == Never && time.Duration(c.lastRead.Load()) <= opened {
		c.suspect = now + proofTime
		c.sendPing(now)
	}
}

// ping does what is due about pings; it returns why the connection is dead.
func (c *Conn) ping(now time.Duration) error {
	last := time.Duration(c.lastRead.Load())
	every := c.cfg.PingEvery
	if every <= 0 || c.closing && c.open.n == 0 {
		return nil
	}
	if c.pinged != Never {
		if c.prove && last > c.pinged {
			c.pinged = Never
		} else if now >= c.pinged+c.cfg.PingTimeout {
			return ErrPing
		}
		return nil
	}
	if (c.open.n > 0 || c.cfg.PingIdle) && now >= last+every {
		c.sendPing(now)
		c.prove = false
	}
	return nil
}

func (c *Conn) sendPing(now time.Duration) {
	if c.pinged != Never {
		return
	}
	c.pinged, c.prove = now, true
	_ = c.control.WritePing(false, [8]byte{'r', 'a', 'm', 'p', 'l', 'o', 'a', 'd'})
	c.kick()
}

// nextTime returns when tick has something to do.
func (c *Conn) nextTime(now time.Duration) time.Duration {
	next := Never
	for _, l := range []*streamList{&c.open, &c.waiting} {
		for s := l.head; s != nil; s = s.links[inOrder].next {
			next = min(next, s.Deadline, s.holdUntil)
		}
	}
	if c.suspect != Never && !c.closing {
		next = min(next, c.suspect)
	}
	if every := c.cfg.PingEvery; every > 0 {
		switch {
		case c.pinged != Never:
			next = min(next, c.pinged+c.cfg.PingTimeout)
		case c.open.n > 0 || c.cfg.PingIdle:
			next = min(next, max(time.Duration(c.lastRead.Load())+every, now+time.Millisecond))
		}
	}
	return next
}

// schedule has tick called at a time, or earlier. The lock is held.
func (c *Conn) schedule(at time.Duration) {
	if at < c.timerAt && !c.ended {
		c.timerAt = at
		c.timer.Reset(max(at-c.cfg.Clock(), 0))
	}
}
