package wire

import (
	"crypto/tls"
	"errors"
	"io"
	"math"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"github.com/rampload/rampload/attack"
)

// States of a connection: who may touch it. Only its owner, the goroutine that
// brought it out of stateIdle by compare-and-swap, reads, writes or closes it.
const (
	stateBusy   uint32 = iota // an attempt's, or being opened
	stateIdle                 // nobody's: in the pool or a lease
	stateLost                 // whoever is about to end it
	stateLinger               // the background's, until it is closed
)

// conn is one connection. It is a net.Conn for TLS and HTTP/2: its reads and
// writes end at the attempt's deadline.
type conn struct {
	t     *Transport
	id    uint64
	sock  *socket
	tls   *tls.Conn // nil: plain
	h2    *h2conn   // nil: HTTP/1
	lease *Lease    // the slot that it belongs to

	pooled  bool // belongs to the pool
	unused  bool // opened to be held, and no attempt has been made on it
	watched bool

	state    atomic.Uint32
	hup      atomic.Bool // the watcher saw something
	wasReset atomic.Bool // its RST was reported

	local, remote netip.AddrPort
	remoteIndex   uint16
	opened        time.Duration
	served        uint32        // complete responses
	idleSince     time.Duration // last time it became idle, or notYet
	spoiled       bool          // sent bytes that nobody had asked for
	gaveUp        bool          // this kernel gave up: state CLOSE shows no RST
	idleEOF       bool          // the peer closed it while idle
	finnedAt      time.Duration // when that FIN was seen

	// The deadline of the attempt, and the one that the socket has: never later.
	// When the socket's passes first it is moved, which costs one timer a
	// time limit rather than one an attempt.
	deadline atomic.Int64
	armed    atomic.Int64
	sockErr  atomic.Pointer[error] // last error of the socket under TLS and HTTP/2

	buf     []byte // input: buf[r:w] is not consumed
	r, w    int
	out     []byte   // the request as it is sent
	encoded *Request // what out holds, nil: nothing that may be used again
	closes  bool     // the request asks to close
	body    []byte   // a rendered template
	chunks  []byte   // the same in chunks
	rx      response // the response being read

	prev, next *conn // in the pool, or lingering
	listed     bool
	until      time.Duration // it lingers at most
	lingering  lingering
}

// notYet is the time of what has not happened.
const notYet = time.Duration(math.MinInt64)

// readBufferSize is the size of a connection's input buffer; it grows for longer
// header lines, up to maxHeadSize, and shrinks again.
const readBufferSize = 4 << 10

func (c *conn) begin(deadline time.Duration) {
	c.deadline.Store(int64(deadline))
	if armed := c.armed.Load(); armed == 0 || armed > int64(deadline) {
		_ = c.arm() // an error shows when it is read or written
	}
}

// arm sets the socket's deadline to the attempt's.
func (c *conn) arm() error {
	var at time.Time
	deadline := time.Duration(c.deadline.Load())
	if deadline != never {
		at = time.Now().Add(deadline - c.t.clock())
	}
	c.armed.Store(int64(deadline))
	err := c.sock.SetDeadline(at)
	if c.t.aborted.Load() {
		c.interrupt()
	}
	return err
}

// interrupt ends reads and writes under way.
func (c *conn) interrupt() { c.sock.SetDeadline(time.Unix(1, 0)) }

// again reports whether an error is only the socket's deadline, set for an
// earlier attempt, which is then moved.
func (c *conn) again(err error) bool {
	if !errors.Is(err, os.ErrDeadlineExceeded) || c.t.aborted.Load() || int64(c.t.clock()) >= c.deadline.Load() {
		return false
	}
	return c.arm() == nil
}

// Read implements net.Conn for TLS and HTTP/2.
func (c *conn) Read(p []byte) (int, error) {
	for {
		n, err := c.sock.Read(p)
		if err != nil && c.again(err) {
			continue
		}
		return n, c.note(err)
	}
}

// Write implements net.Conn for TLS and HTTP/2, and writes what exchange left.
func (c *conn) Write(p []byte) (int, error) {
	written := 0
	for {
		n, err := c.sock.Write(p[written:])
		written += n
		if err != nil && c.again(err) {
			continue
		}
		return written, c.note(err)
	}
}

// note keeps an error of the socket, a reset rather than what follows it.
func (c *conn) note(err error) error {
	if err != nil {
		if old := c.sockErr.Load(); old == nil || !isReset(*old) {
			c.sockErr.Store(&err)
		}
		if isReset(err) {
			c.hup.Store(true)
		}
	}
	return err
}

// Close implements net.Conn: the transport closes the socket, later.
func (c *conn) Close() error {
	if c.h2 != nil {
		c.h2.s.dead(c.h2)
	}
	return nil
}

// LocalAddr implements net.Conn.
func (c *conn) LocalAddr() net.Addr { return net.TCPAddrFromAddrPort(c.local) }

// RemoteAddr implements net.Conn.
func (c *conn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.remote) }

// SetDeadline implements net.Conn; deadlines are the attempt's.
func (c *conn) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements net.Conn; deadlines are the attempt's.
func (c *conn) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.Conn; deadlines are the attempt's.
func (c *conn) SetWriteDeadline(time.Time) error { return nil }

// close closes the socket and gives the buffers back.
func (c *conn) close() {
	c.sock.Close()
	putBuffer(c.buf)
	c.buf = nil
}

// goodbye tells a TLS peer that nothing follows, if that can be written at once.
func (c *conn) goodbye() {
	c.deadline.Store(int64(c.t.clock() + 10*time.Millisecond))
	if c.arm() == nil {
		_ = c.tls.CloseWrite() // a courtesy
	}
}

// claimReset reports whether the caller is the first to report the RST.
func (c *conn) claimReset() bool { return !c.wasReset.Swap(true) }

// peerFinned reports whether the peer has closed its side.
func (c *conn) peerFinned() bool {
	what, _ := c.sock.fate()
	return what == finned
}

// describe fills in the connection state of an attempt.
func (c *conn) describe(a *attack.Attempt, now time.Duration) {
	a.Conn = attack.Conn{
		ID: c.id, Reused: c.served > 0, Served: c.served, Age: now - c.opened,
		Local: c.local, Remote: c.remote, RemoteIndex: c.remoteIndex,
	}
	if c.idleSince != notYet {
		a.Conn.Idle = max(a.Start-c.idleSince, 0)
	}
}

// stale reports whether the connection was idle for longer than the profile
// allows.
func (c *conn) stale(now time.Duration) bool {
	limit := c.t.cfg.Client.IdleTimeout
	return limit > 0 && c.idleSince != notYet && now-c.idleSince > limit
}

// clean looks at a connection before its reuse: for bytes that nobody asked for,
// which would be taken for the answer, and where idle connections are not
// watched for a close. The look costs a system call, so under closed-loop load
// only every 16th use pays for it.
func (c *conn) clean(now time.Duration) bool {
	if c.watched && now-c.idleSince < time.Millisecond && c.served%16 != 0 {
		return true
	}
	waiting, err := c.sock.peek()
	if err != nil {
		if Classify(err) == attack.Timeout || Classify(err) == attack.Unreachable {
			c.gaveUp = true
		}
		_ = c.note(err)
		return false
	}
	if waiting && c.tls == nil {
		c.spoiled = true // under TLS it may be a session ticket
		return false
	}
	return true
}

// fail ends an attempt with an error of its connection.
func (c *conn) fail(a *attack.Attempt, phase attack.Phase, err error) outcome {
	a.Phase = phase
	a.End = c.t.clock()
	c.describe(a, a.End)
	a.Fault, a.Detail = c.faultOf(err)
	a.Info = c.sock.info()
	switch a.Fault {
	case attack.Timeout, attack.Unreachable:
		c.gaveUp = !errors.Is(err, os.ErrDeadlineExceeded)
		return destroyed
	case attack.Canceled:
		return destroyed
	}
	c.takeReset(a, err)
	if a.Fault == attack.EOF && !a.WireReset {
		return halfShut
	}
	return destroyed
}

// takeReset sets WireReset if a RST was seen and nobody reported it.
func (c *conn) takeReset(a *attack.Attempt, err error) {
	seen := isReset(err)
	if !seen && !c.gaveUp {
		what, _ := c.sock.fate()
		seen = what == reset
	}
	if seen && c.claimReset() {
		a.WireReset = true
	}
}

// faultOf returns the fault of an error of a read or write, and what the protocol
// said of it. Over TLS the socket's own error counts, not what TLS made of it.
func (c *conn) faultOf(err error) (attack.Fault, attack.Detail) {
	if p := c.sockErr.Load(); p != nil && c.tls != nil {
		err = *p
	} else if c.tls != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, errProtocol) {
		return attack.TLS, DetailOf(err)
	}
	if c.t.aborted.Load() && (errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, os.ErrClosed)) {
		return attack.Canceled, attack.Detail{}
	}
	return Classify(err), DetailOf(err)
}

// tlsOver returns what a TLS handshake goes over.
func tlsOver(c *conn) net.Conn {
	if c.tls != nil {
		return c.tls
	}
	return c
}
