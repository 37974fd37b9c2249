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

// Conn is one connection, as an exchanger sees it: see [Session] for whose it is
// at what time.
type Conn struct {
	t      *Transport
	id     uint64
	sock   *socket
	tls    *tls.Conn // nil: plain
	serial Session   // nil: none, or multiplexed
	mux    *muxed    // nil: one attempt at a time
	lease  *Lease    // the slot that it belongs to

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
	sockErr  atomic.Pointer[error] // last error of the socket, as raw noted it

	prev, next *Conn // in the pool, or lingering
	listed     bool
	until      time.Duration // it lingers at most
	lingering  lingering
}

// notYet is the time of what has not happened.
const notYet = time.Duration(math.MinInt64)

func (c *Conn) begin(deadline time.Duration) {
	c.deadline.Store(int64(deadline))
	if armed := c.armed.Load(); armed == 0 || armed > int64(deadline) {
		_ = c.arm() // an error shows when it is read or written
	}
}

// serve makes one attempt over a connection that is the caller's.
func (c *Conn) serve(r attack.Request, a *attack.Attempt, deadline time.Duration) Outcome {
	c.begin(deadline)
	c.unused = false
	return c.serial.Do(r, a)
}

// arm sets the socket's deadline to the attempt's.
func (c *Conn) arm() error {
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
func (c *Conn) interrupt() { c.sock.SetDeadline(time.Unix(1, 0)) }

// again reports whether an error is only the socket's deadline, set for an
// earlier attempt, which is then moved.
func (c *Conn) again(err error) bool {
	if !errors.Is(err, os.ErrDeadlineExceeded) || c.t.aborted.Load() || int64(c.t.clock()) >= c.deadline.Load() {
		return false
	}
	return c.arm() == nil
}

// raw is the bare connection as TLS and multiplexed protocols use it: a net.Conn
// whose reads and writes end at the connection's deadline, and that keeps the
// socket's own error.
type raw struct{ c *Conn }

// Read implements net.Conn.
func (r raw) Read(p []byte) (int, error) {
	for {
		n, err := r.c.sock.Read(p)
		if err != nil && r.c.again(err) {
			continue
		}
		return n, r.c.note(err)
	}
}

// Write implements net.Conn.
func (r raw) Write(p []byte) (int, error) {
	written := 0
	for {
		n, err := r.c.sock.Write(p[written:])
		written += n
		if err != nil && r.c.again(err) {
			continue
		}
		return written, r.c.note(err)
	}
}

// Close implements net.Conn: the transport closes the socket, later.
func (r raw) Close() error { return nil }

// LocalAddr implements net.Conn.
func (r raw) LocalAddr() net.Addr { return net.TCPAddrFromAddrPort(r.c.local) }

// RemoteAddr implements net.Conn.
func (r raw) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(r.c.remote) }

// SetDeadline implements net.Conn; deadlines are the attempt's.
func (r raw) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements net.Conn; deadlines are the attempt's.
func (r raw) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.Conn; deadlines are the attempt's.
func (r raw) SetWriteDeadline(time.Time) error { return nil }

// note keeps an error of the socket, a reset rather than what follows it.
func (c *Conn) note(err error) error {
	// A deadline is ours, and may be one inside the attempt's: see upload.go.
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		if old := c.sockErr.Load(); old == nil || !isReset(*old) {
			c.sockErr.Store(&err)
		}
		if isReset(err) {
			c.hup.Store(true)
		}
	}
	return err
}

// close closes the socket and ends the session.
func (c *Conn) close() {
	c.sock.Close()
	switch {
	case c.mux != nil:
		c.mux.session.Close()
	case c.serial != nil:
		c.serial.Close()
	}
}

// goodbye tells a TLS peer that nothing follows, if that can be written at once.
func (c *Conn) goodbye() {
	c.deadline.Store(int64(c.t.clock() + 10*time.Millisecond))
	if c.arm() == nil {
		_ = c.tls.CloseWrite() // a courtesy
	}
}

// claimReset reports whether the caller is the first to report the RST.
func (c *Conn) claimReset() bool { return !c.wasReset.Swap(true) }

// peerFinned reports whether the peer has closed its side.
func (c *Conn) peerFinned() bool {
	what, _ := c.sock.fate()
	return what == finned
}

// describe fills in the connection state of an attempt.
func (c *Conn) describe(a *attack.Attempt, now time.Duration) {
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
func (c *Conn) stale(now time.Duration) bool {
	limit := c.t.cfg.Client.IdleTimeout
	return limit > 0 && c.idleSince != notYet && now-c.idleSince > limit
}

// clean looks at a connection before its reuse: for bytes that nobody asked for,
// which would be taken for the answer, and where idle connections are not
// watched for a close. The look costs a system call, so under closed-loop load
// only every 16th use pays for it.
func (c *Conn) clean(now time.Duration) bool {
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

// TakeReset sets WireReset of an attempt if the error or the socket shows a RST
// that has not been reported, which it then has: see [Transport].
func (c *Conn) TakeReset(a *attack.Attempt, err error) {
	seen := isReset(err)
	if !seen && !c.gaveUp {
		what, _ := c.sock.fate()
		seen = what == reset
	}
	if seen && c.claimReset() {
		a.WireReset = true
	}
}

// FaultOf returns the fault of an error of a read or write, and what the protocol
// said of it. Over TLS the socket's own error counts, not what TLS made of it.
func (c *Conn) FaultOf(err error) (attack.Fault, attack.Detail) {
	var own Failed
	if errors.As(err, &own) {
		return own.Fault, own.Detail
	}
	if p := c.sockErr.Load(); p != nil && c.tls != nil {
		err = *p
	} else if c.tls != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) &&
		!errors.Is(err, errProtocol) && !errors.Is(err, os.ErrDeadlineExceeded) {
		return attack.TLS, DetailOf(err)
	}
	if c.t.aborted.Load() && (errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, os.ErrClosed)) {
		return attack.Canceled, attack.Detail{}
	}
	return Classify(err), DetailOf(err)
}

// tlsOver returns what a TLS handshake goes over.
func tlsOver(c *Conn) net.Conn {
	if c.tls != nil {
		return c.tls
	}
	return raw{c}
}
