package http2

import (
	"encoding/binary"
	"runtime"

	"golang.org/x/net/http2"
)

// appender is a writer of frames into a buffer.
type appender []byte

func (a *appender) Write(p []byte) (int, error) {
	*a = append(*a, p...)
	return len(p), nil
}

// output is what is queued to be written, under the connection's lock, and the
// goroutine that writes it.
type output struct {
	c       *Conn
	wake    chan struct{} // to the writer
	done    chan struct{} // closed when the writer has ended
	control *http2.Framer // appends control frames to queue

	queue   []byte
	spare   []byte // the buffer that queue alternates with
	taken   int64  // bytes that the writer has ever taken from queue
	flushed int64  // bytes ever written
	writing bool
	err     error
}

// write is the writer's goroutine: it writes what is queued, all of it at once.
func (o *output) write() {
	c := o.c
	defer close(o.done)
	for range o.wake {
		// Whoever else is about to queue something may do so: one system call
		// for many requests.
		runtime.Gosched()
		c.mu.Lock()
		for len(o.queue) > 0 && o.err == nil {
			b := o.queue
			o.queue, o.spare = o.spare[:0], nil
			o.taken += int64(len(b))
			c.mu.Unlock()
			n, err := c.link.Write(b)
			c.mu.Lock()
			o.flushed += int64(n)
			if cap(b) <= 2*maxQueue {
				o.spare = b[:0]
			}
			if err != nil {
				o.err = err
				break
			}
			c.pump()
		}
		o.writing = false
		over := c.ended || o.err != nil
		failed := o.err != nil && !c.ended
		c.mu.Unlock()
		if failed {
			// The reader still gets what came before, and then the end of the
			// connection; were it not to come, it is not waited for.
			c.link.Interrupt(brokenTime)
		}
		if over {
			return
		}
	}
}

// kick has the writer write what is queued. The lock is held.
func (o *output) kick() {
	o.writing = true
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// pump opens streams that wait and queues their data, as far as the windows and
// the queue allow. The lock is held; it is called whenever one of these has
// changed.
func (conn *Conn) pump() {
	before := len(conn.out.queue)
	for conn.waiting.head != nil && conn.mayOpen() {
		conn.openStream(conn.waiting.head)
	}
	// Those that have no window of their own leave the list, and come back when
	// they get one.
	for conn.senders.head != nil && len(conn.out.queue) < maxQueue {
		s := conn.senders.head
		if len(s.pending) > 0 && conn.sendWindow <= 0 {
			if s = conn.withoutData(); s == nil {
				break
			}
		}
		conn.senders.remove(s)
		conn.sendSome(s)
		if s.maySend() {
			conn.senders.push(s)
		}
	}
	if len(conn.out.queue) > before {
		conn.out.kick()
	}
}

// withoutData finds a stream that only ends, for which no window is needed.
func (conn *Conn) withoutData() *Stream {
	for s := conn.senders.head; s != nil; s = s.links[inSenders].next {
		if len(s.pending) == 0 {
			return s
		}
	}
	return nil
}

// mayOpen reports whether a stream may be opened now.
func (conn *Conn) mayOpen() bool {
	return len(conn.out.queue) < maxQueue && conn.out.err == nil && !conn.closing && conn.life.suspect == Never &&
		conn.open.n < int(conn.maxStreams) && (conn.cfg.MaxStreams <= 0 || conn.open.n < conn.cfg.MaxStreams)
}

// openStream gives a stream its id and queues its headers.
func (conn *Conn) openStream(s *Stream) {
	conn.waiting.remove(s)
	s.id = conn.next
	conn.next += 2
	if conn.next > maxID {
		conn.closing = true
	}
	s.opened = conn.cfg.Clock()
	s.window = conn.initialWindow
	s.recvWindow = streamWindow
	conn.streams.add(s)
	conn.open.push(s)
	conn.allowance.earn()

	at := len(conn.out.queue)
	conn.out.queue = append(conn.out.queue, 0, 0, 0, byte(http2.FrameHeaders), 0, 0, 0, 0, 0)
	if conn.tableCut {
		conn.tableCut = false
		conn.out.queue = appendInt(conn.out.queue, 5, 0x20, uint64(conn.tableSize)) // RFC 7541 §6.3
	}
	conn.out.queue = s.Handler.AppendHeaders(conn.out.queue)
	flags := http2.FlagHeadersEndHeaders
	if s.pendingEnd && len(s.pending) == 0 {
		flags |= http2.FlagHeadersEndStream
		s.sentEnd = true
	}
	conn.out.closeFrame(at, flags, s.id, conn.maxFrame)
	s.sentAt = conn.out.taken + int64(len(conn.out.queue))
	if s.maySend() {
		conn.senders.push(s)
	}
}

// closeFrame fills in the header of the HEADERS frame that begins at a place in
// the queue, and splits what is longer than a frame into CONTINUATIONs.
func (o *output) closeFrame(at int, flags http2.Flags, id uint32, most int) {
	length := len(o.queue) - at - frameHeader
	if length <= most {
		putHeader(o.queue[at:], length, http2.FrameHeaders, flags, id)
		return
	}
	rest := append([]byte(nil), o.queue[at+frameHeader+most:]...)
	o.queue = o.queue[:at+frameHeader+most]
	putHeader(o.queue[at:], most, http2.FrameHeaders, flags&^http2.FlagHeadersEndHeaders, id)
	for len(rest) > 0 {
		n := min(len(rest), most)
		flags = 0
		if n == len(rest) {
			flags = http2.FlagContinuationEndHeaders
		}
		o.queue = appendHeader(o.queue, n, http2.FrameContinuation, flags, id)
		o.queue = append(o.queue, rest[:n]...)
		rest = rest[n:]
	}
}

// sendSome queues one DATA frame of a stream.
func (conn *Conn) sendSome(s *Stream) {
	n := min(int64(len(s.pending)), s.window, conn.sendWindow, int64(conn.maxFrame), int64(maxQueue))
	n = max(n, 0)
	flags := http2.Flags(0)
	if s.pendingEnd && n == int64(len(s.pending)) {
		flags = http2.FlagDataEndStream
		s.sentEnd = true
	}
	conn.out.queue = appendHeader(conn.out.queue, int(n), http2.FrameData, flags, s.id)
	conn.out.queue = append(conn.out.queue, s.pending[:n]...)
	s.sentAt = conn.out.taken + int64(len(conn.out.queue))
	s.pending = s.pending[n:]
	s.window -= n
	conn.sendWindow -= n
	conn.allowance.earn()
	if len(s.pending) == 0 {
		s.pending = nil
		s.Handler.Sent()
	}
}

const frameHeader = 9

func appendHeader(b []byte, length int, t http2.FrameType, flags http2.Flags, id uint32) []byte {
	var h [frameHeader]byte
	putHeader(h[:], length, t, flags, id)
	return append(b, h[:]...)
}

func putHeader(b []byte, length int, t http2.FrameType, flags http2.Flags, id uint32) {
	b[0], b[1], b[2] = byte(length>>16), byte(length>>8), byte(length)
	b[3], b[4] = byte(t), byte(flags)
	binary.BigEndian.PutUint32(b[5:], id)
}
