package wire

import (
	"errors"
	"io"
	"math"
	"os"
	"sync/atomic"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire/classify"
	"github.com/rampload/rampload/attack/wire/link"
	"github.com/rampload/rampload/attack/wire/socket"
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
// at what time. A hundred thousand may be held: its fields lie by size, so that none
// of it is padding.
type Conn struct {
	link.Link
	t      *Transport
	id     uint64
	serial Session               // nil: none, or multiplexed
	mux    atomic.Pointer[muxed] // nil: one attempt at a time
	lease  *Lease                // the slot that it belongs to

	opened     time.Duration
	idleSince  time.Duration // last time it became idle, or notYet
	finnedAt   time.Duration // when the FIN of idleEOF was seen
	until      time.Duration // it lingers at most; before that, see Begun
	prev, next *Conn         // in the pool, or lingering

	before, after *Conn // among all that are open; under the transport's lock

	state       atomic.Uint32
	withdrawn   atomic.Bool // the name has its address no more
	served      uint32      // complete responses
	remoteIndex uint16
	tries       uint8 // to open it that came to nothing, in a row
	lingering   lingering
	pooled      bool // belongs to the pool
	unused      bool // opened to be held, and no attempt has been made on it
	watched     bool
	spoiled     bool // sent bytes that nobody had asked for
	gaveUp      bool // this kernel gave up: state CLOSE shows no RST
	idleEOF     bool // the peer closed it while idle
	listed      bool // in a list, by prev and next
}

// notYet is the time of what has not happened.
const notYet = time.Duration(math.MinInt64)

// serve makes one attempt over a connection that is the caller's.
func (conn *Conn) serve(r attack.Request, a *attack.Attempt, deadline time.Duration) Outcome {
	conn.Begin(deadline)
	conn.unused = false
	return conn.serial.Do(r, a)
}

// close closes the socket and ends the session.
func (conn *Conn) close() {
	conn.Socket().Close()
	switch {
	case conn.mux.Load() != nil:
		conn.mux.Load().session.Close()
	case conn.serial != nil:
		conn.serial.Close()
	}
}

// peerFinned reports whether the peer has closed its side.
func (conn *Conn) peerFinned() bool {
	what, _ := conn.Socket().Fate()
	return what == socket.Finned
}

// describe fills in the connection state of an attempt.
func (conn *Conn) describe(a *attack.Attempt, now time.Duration) {
	local, remote := conn.Addrs()
	a.Conn = attack.Conn{
		ID: conn.id, Reused: conn.served > 0, Served: conn.served, Age: now - conn.opened,
		Local: local, Remote: remote, RemoteIndex: conn.remoteIndex,
	}
	if conn.idleSince != notYet {
		a.Conn.Idle = max(a.Start-conn.idleSince, 0)
	}
}

// stale reports whether the connection was idle for longer than the profile
// allows.
func (conn *Conn) stale(now time.Duration) bool {
	limit := conn.t.cfg.Client.IdleTimeout
	return limit > 0 && conn.idleSince != notYet && now-conn.idleSince > limit
}

// clean looks at a connection before its reuse: for bytes that nobody asked for,
// which would be taken for the answer, and where idle connections are not
// watched for a close. The look costs a system call, so under closed-loop load
// only every 16th use pays for it.
func (conn *Conn) clean(now time.Duration) bool {
	if conn.watched && now-conn.idleSince < time.Millisecond && conn.served%16 != 0 {
		return true
	}
	waiting, err := conn.Socket().Peek()
	if err != nil {
		if classify.Fault(err) == attack.Timeout || classify.Fault(err) == attack.Unreachable {
			conn.gaveUp = true
		}
		_ = conn.Note(err)
		return false
	}
	if waiting && conn.TLS() == nil {
		conn.spoiled = true // under TLS it may be a session ticket
		return false
	}
	return true
}

// TakeReset sets WireReset of an attempt if the error or the socket shows a RST
// that has not been reported, which it then has: see [Transport].
func (conn *Conn) TakeReset(a *attack.Attempt, err error) {
	seen := classify.IsReset(err)
	if !seen && !conn.gaveUp {
		what, _ := conn.Socket().Fate()
		seen = what == socket.Reset
	}
	if seen && conn.ClaimReset() {
		a.WireReset = true
	}
}

// FaultOf returns the fault of an error of a read or write, and what the protocol
// said of it. Over TLS the socket's own error counts, not what TLS made of it.
func (conn *Conn) FaultOf(err error) (attack.Fault, attack.Detail) {
	var own Failed
	if errors.As(err, &own) {
		return own.Fault, own.Detail
	}
	if last := conn.LastWord(); last != nil && conn.TLS() != nil {
		err = last
	} else if conn.TLS() != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) &&
		!errors.Is(err, os.ErrDeadlineExceeded) {
		return attack.TLS, classify.Detail(err)
	}
	if conn.t.aborted.Load() && (errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, os.ErrClosed)) {
		return attack.Canceled, attack.Detail{}
	}
	return classify.Fault(err), classify.Detail(err)
}
