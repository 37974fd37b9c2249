package http2

import (
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
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
	maxReason      = 64                     // bytes of a GOAWAY's words
	proofTime      = time.Second            // for a sign of life after a timeout
	brokenTime     = 250 * time.Millisecond // to read on after an error of a write
)

// Conn is the client's end of a connection. All methods are safe for concurrent
// use.
type Conn struct {
	cfg  Config
	link Link
	room atomic.Int32

	gone chan struct{} // closed when everything is over
	in   reader        // of its own goroutine

	mu       sync.Mutex
	out      output
	life     life
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
		cfg: cfg, link: link, gone: make(chan struct{}),
		next: 1, sendWindow: defaultWindow, initialWindow: defaultWindow, maxFrame: frameSize,
		maxStreams: assumedStreams, recvWindow: connWindow, allowance: newAllowance(now), tableSize: 4096,
		senders: streamList{link: inSenders},
	}
	c.in.init(c)
	c.out = output{c: c, wake: make(chan struct{}, 1), done: make(chan struct{})}
	c.life.init(c, now)
	c.updateRoom()

	c.out.queue = append(c.out.queue, http2.ClientPreface...)
	c.out.control = http2.NewFramer((*appender)(&c.out.queue), nil)
	_ = c.out.control.WriteSettings( // an appender takes everything
		http2.Setting{ID: http2.SettingEnablePush, Val: 0},
		http2.Setting{ID: http2.SettingInitialWindowSize, Val: streamWindow},
		http2.Setting{ID: http2.SettingMaxHeaderListSize, Val: maxHeaderBytes},
	)
	_ = c.out.control.WriteWindowUpdate(0, connWindow-defaultWindow)
	c.out.writing = true
	go c.out.write()
	go c.in.read()
	c.mu.Lock()
	c.life.schedule(c.life.nextTime(now))
	c.mu.Unlock()
	c.out.wake <- struct{}{}
	return c
}

// Room returns how many streams may be open at once: 0 when the connection takes
// no new ones. That is for good after a GOAWAY, Shut or the end, which Ended tells;
// for a while when a stream has timed out and nothing at all had come from the peer
// since it was opened. Then the peer is pinged: anything that comes gives the room
// back, and silence for a second ends it for good. Room takes no lock.
func (conn *Conn) Room() int { return int(conn.room.Load()) }

// Closing reports whether the connection will never take a new stream again.
func (conn *Conn) Closing() bool {
	conn.mu.Lock()
	defer conn.mu.Unlock()
	return conn.closing
}

// Done is closed when the connection has ended: every stream has got its end, and
// nothing reads or writes the link any more.
func (conn *Conn) Done() <-chan struct{} { return conn.gone }

// Err returns why the connection ended, once it has: an error of the link, a
// *MalformedError, ErrPing, or nil after Shut or Abort.
func (conn *Conn) Err() error {
	conn.mu.Lock()
	defer conn.mu.Unlock()
	if errors.Is(conn.ending, errShut) {
		return nil
	}
	return conn.ending
}

// GoneAway returns the peer's GOAWAY, nil if there was none.
func (conn *Conn) GoneAway() *GoAwayError {
	conn.mu.Lock()
	defer conn.mu.Unlock()
	return conn.goAway
}

// updateRoom sets the room; the lock is held. It reports whether it changed.
func (conn *Conn) updateRoom() bool {
	room := int32(min(conn.maxStreams, 1<<30))
	if most := int32(min(conn.cfg.MaxStreams, 1<<30)); most > 0 {
		room = min(room, most)
	}
	if conn.closing || conn.life.suspect != Never {
		room = 0
	}
	return conn.room.Swap(room) != room
}

// changed tells of a change of the room. The lock is not held.
func (conn *Conn) changed() {
	if conn.cfg.OnChange != nil {
		conn.cfg.OnChange(conn)
	}
}

// close has the connection take no new streams: those that wait to be opened end.
// The lock is held.
func (conn *Conn) close() {
	conn.closing = true
	conn.updateRoom()
	for s := conn.waiting.head; s != nil; s = conn.waiting.head {
		conn.finish(s, ErrNotSent)
	}
}

// errShut is the end by Shut.
var errShut = errors.New("shut")

// Shut ends the connection without waiting: what is queued is written if the peer
// takes it within 10 ms. Streams that are open end with ErrCanceled.
func (conn *Conn) Shut() { conn.stop(errShut, 10*time.Millisecond) }

// Abort ends the connection at once, and its streams with ErrCanceled.
func (conn *Conn) Abort() { conn.stop(errShut, 0) }

func (conn *Conn) stop(why error, grace time.Duration) {
	conn.mu.Lock()
	if conn.ending == nil {
		conn.ending = why
	}
	conn.closing = true
	conn.updateRoom()
	if !conn.out.writing {
		grace = 0
	}
	conn.mu.Unlock()
	conn.link.Interrupt(grace)
}

// die ends the connection, called by the reader as its last act.
//
// A RST is an error of whichever system call meets it first, and the other side
// of the connection then sees no more than its end. So the writer's error counts
// where the reader has only that.
func (conn *Conn) die(err error) {
	var bad *MalformedError
	conn.mu.Lock()
	grace := time.Duration(0)
	if errors.As(err, &bad) && conn.out.err == nil {
		_ = conn.out.control.WriteGoAway(0, bad.Code, nil)
		conn.out.kick()
		grace = 10 * time.Millisecond
	}
	conn.closing = true
	conn.updateRoom()
	if conn.ending == nil {
		conn.ending = err
	}
	conn.ended = true // the writer stops when it has written everything
	conn.mu.Unlock()
	conn.link.Interrupt(grace)
	select {
	case conn.out.wake <- struct{}{}:
	default:
	}
	<-conn.out.done

	conn.mu.Lock()
	if conn.out.err != nil && errors.Is(conn.ending, io.EOF) && !errors.Is(conn.out.err, os.ErrDeadlineExceeded) {
		conn.ending = conn.out.err // not our own interruption
	}
	err = conn.ending
	if errors.Is(err, errShut) {
		err = ErrCanceled
	}
	for s := conn.open.head; s != nil; s = conn.open.head {
		conn.finish(s, err)
	}
	conn.close()
	conn.life.timer.Stop()
	conn.mu.Unlock()
	close(conn.gone)
	conn.changed()
}
