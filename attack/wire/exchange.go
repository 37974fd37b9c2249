package wire

import (
	"errors"
	"os"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
)

// Exchanger is a protocol on the connection layer: it turns requests into bytes
// and bytes into answers, and says which detail a failure has. One serves one
// [Transport]; its methods are safe for concurrent use.
type Exchanger interface {
	// Protocols returns what to offer in the TLS handshake (ALPN), nil for nothing.
	Protocols() []string
	// Compile encodes a request once. The error says what of it cannot be sent.
	Compile(r profiles.Request) (attack.Request, error)
	// Start begins to speak on a new connection, with TLS if the target has it;
	// agreed is what the handshake chose of Protocols, "" for nothing. Until Start
	// returns, reads and writes end at the deadline of the attempt that opened the
	// connection, so a log-in may be made here. An error ends the attempt in
	// PhaseTLS when it is about what was agreed (see [ErrAgreed]), else in PhaseWrite;
	// [Failed] says more of it.
	Start(c *Conn, agreed string) (Session, error)
}

// Session is what an exchanger keeps of one connection. A session that is not
// [Multiplexed] has its connection to itself while Do runs, and must leave it
// alone at all other times: while nobody asks anything the connection layer
// watches it, and whatever the peer sends then spoils it.
type Session interface {
	// Do makes one attempt and sets End, Status, Fault, Detail, Phase, WireReset,
	// Conn and Info of a: with [Conn.Fail] or [Conn.Succeed], which know the socket.
	// Reads and writes end at the attempt's deadline. What it returns decides what
	// becomes of the connection.
	Do(r attack.Request, a *attack.Attempt) Outcome
	// Close gives back what the session holds. No Do runs, or will; the connection
	// is closed by the connection layer.
	Close()
}

// Multiplexed is a session with a reader of its own: it carries several attempts
// at once (HTTP/2, gRPC), or hears from its peer while nothing is asked
// (WebSocket, a subscription), then with a room of one. Its reader and writer
// have no deadline: a Do keeps its own, from [Conn.DeadlineOf]. None of its
// methods but Do may wait for the peer: they are called where others wait.
type Multiplexed interface {
	Session
	// Room returns how many attempts it can carry, those under way included; 0: it
	// takes no new ones. [Conn.RoomChanged] tells that it has changed.
	Room() int
	// Closing reports whether it will never take an attempt again, as after a
	// GOAWAY. The connection is shut when the last attempt has ended.
	Closing() bool
	// Shut ends the session without waiting, and with it all that is under way. Its
	// reader then calls [Conn.Ended], once, as its last act, as after any other end.
	Shut()
}

// Outcome says what becomes of a connection after an attempt.
type Outcome uint8

// The outcomes.
const (
	Keep      Outcome = iota // it may serve again
	HangUp                   // complete, to be closed: the peer closes too
	HalfShut                 // the peer sent a FIN or wants no more: a RST may follow
	Destroyed                // of no more use
	// NotSent: the session, a multiplexed one, takes no more attempts, and nothing of
	// this one was sent. It has not ended: it is made on another connection.
	NotSent
)

// Failed is an error of an exchanger that knows its fault and detail: what the
// peer said, in the words of the protocol.
type Failed struct {
	Fault  attack.Fault
	Detail attack.Detail
}

// Error returns fault and detail.
func (f Failed) Error() string { return f.Fault.String() + " " + f.Detail.String() }

// ErrAgreed is the error of Start for a peer that did not agree on a protocol that
// the exchanger speaks.
var ErrAgreed error = malformed(attack.WrongProtocol)

// Target is what an exchanger is told of the target that it speaks to.
type Target struct {
	Profile       profiles.Target
	Client        profiles.Client
	RunID         attack.RunID
	TLS           bool
	Authority     string // host, and port if the URL has one, as a Host header names it
	Prefix        string // path below which requests are, with its last slash
	Authorization string // from the URL, "" for none
	Origin        string // scheme://host of requests through a plain proxy; "": they are not named so
	ProxyAuth     string // Proxy-Authorization that goes with Origin
}

// RunID returns the id of the run that the connection is of.
func (c *Conn) RunID() attack.RunID { return c.t.cfg.RunID }

// Now returns the time since the start of the load.
func (c *Conn) Now() time.Duration { return c.t.clock() }

// Kept reports whether the connection may serve again after this attempt, as far
// as the profile is concerned.
func (c *Conn) Kept() bool { return c.pooled || c.lease != nil }

// Secure reports whether reads and writes go through TLS.
func (c *Conn) Secure() bool { return c.tls != nil }

// DeadlineOf returns when an attempt ends at the latest; [Never] without a limit.
func (c *Conn) DeadlineOf(a *attack.Attempt) time.Duration {
	if c.t.timeout > 0 {
		return a.Start + c.t.timeout
	}
	return Never
}

// Never is the deadline of an attempt without a time limit.
const Never = never

// Read reads what there is, through TLS if the connection has it. It ends at the
// deadline of the attempt with os.ErrDeadlineExceeded. io.EOF comes without bytes.
func (c *Conn) Read(p []byte) (int, error) {
	if c.tls != nil {
		n, err := c.tls.Read(p)
		if n > 0 && err != nil {
			err = nil // it comes again
		}
		return n, err
	}
	return raw{c}.Read(p)
}

// Write writes all of p, or returns how much of it went before the error.
func (c *Conn) Write(p []byte) (int, error) {
	if c.tls != nil {
		return c.tls.Write(p)
	}
	return raw{c}.Write(p)
}

// Exchange writes a whole request and reads the first bytes of the answer, in one
// round through the poller where the connection is plain TCP. It returns how many
// bytes came, 0 without an error when the caller has to Read, and how far it got.
func (c *Conn) Exchange(out, in []byte) (n int, phase attack.Phase, err error) {
	if c.tls != nil {
		_, err := c.tls.Write(out)
		return 0, attack.PhaseWrite, err
	}
	for {
		if c.hup.Load() {
			// The peer's FIN has come. The poller tells of it once, and that may be over:
			// to wait for an answer would be in vain.
			_, err := raw{c}.Write(out)
			if err != nil {
				return 0, attack.PhaseWrite, err
			}
			return 0, attack.PhaseAwait, nil
		}
		rest, n, err := c.sock.exchange(out, in)
		if err == nil && len(rest) > 0 {
			_, err = raw{c}.Write(rest)
			return n, attack.PhaseWrite, err
		}
		if err == nil {
			return n, attack.PhaseAwait, nil
		}
		if len(rest) == len(out) && c.again(err) {
			continue // the deadline was an earlier attempt's: nothing is sent
		}
		switch {
		case len(rest) > 0:
			return n, attack.PhaseWrite, err
		case c.again(err):
			return n, attack.PhaseAwait, nil // the caller reads on
		}
		return n, attack.PhaseAwait, err
	}
}

// Discard drops at most that many bytes of input; scratch is a buffer that it may
// use. Plain TCP does not even copy them.
func (c *Conn) Discard(most int64, scratch []byte) (int, error) {
	if c.tls != nil {
		return c.Read(scratch[:min(int64(len(scratch)), most)])
	}
	for {
		n, err := c.sock.discard(int(min(most, 1<<20)), scratch)
		if err == nil || !c.again(err) {
			return n, err
		}
	}
}

// Waiting looks, without waiting, whether there is input to read; under TLS it
// may be input that TLS keeps for itself. The error is the socket's last word:
// io.EOF, or an error number.
func (c *Conn) Waiting() (bool, error) { return c.sock.peek() }

// Deadline returns when reads and writes end; [Never] for not at all.
func (c *Conn) Deadline() time.Duration { return time.Duration(c.deadline.Load()) }

// SetDeadline has reads and writes end at a time of [Conn.Now]. It may be called
// from any goroutine.
func (c *Conn) SetDeadline(at time.Duration) {
	c.deadline.Store(int64(at))
	_ = c.arm() // an error shows when it is read or written
}

// Interrupt has the reads and writes that are under way, and all later ones, end
// after a while.
func (c *Conn) Interrupt(after time.Duration) {
	if after <= 0 {
		c.deadline.Store(int64(c.t.clock()))
		c.interrupt()
		return
	}
	c.SetDeadline(c.t.clock() + after)
}

// LastWord returns the last error that the socket had, a reset rather than what
// came after it; nil if it had none. Under TLS it is what happened below TLS.
func (c *Conn) LastWord() error {
	if p := c.sockErr.Load(); p != nil {
		return *p
	}
	return nil
}

// Info returns the kernel's view of the connection.
func (c *Conn) Info() attack.TCPInfo { return c.sock.info() }

// Succeed ends an attempt with a complete answer. Whether the answer is the
// expected one is the exchanger's to say, before or after, in Fault and Detail.
func (c *Conn) Succeed(a *attack.Attempt) {
	a.End = c.t.clock()
	a.Phase = attack.PhaseDone
	c.describeServed(a, true)
}

// Fail ends an attempt with an error: its own, of the socket, or one of an
// exchanger (see [Failed]). It sets Fault, Detail, Phase, WireReset, Conn, Info
// and End, and returns what becomes of the connection. The socket's own error, a
// RST above all, outranks what was made of it. A RST is counted once.
func (c *Conn) Fail(a *attack.Attempt, phase attack.Phase, err error) Outcome {
	a.Phase = phase
	a.End = c.t.clock()
	c.describeServed(a, false)
	a.Fault, a.Detail = c.FaultOf(err)
	a.Info = c.sock.info()
	switch a.Fault {
	case attack.Timeout, attack.Unreachable:
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			c.gaveUp = true
		}
		return Destroyed
	case attack.Canceled:
		return Destroyed
	}
	c.TakeReset(a, err)
	if a.Fault == attack.EOF && !a.WireReset {
		return HalfShut
	}
	return Destroyed
}

// RoomChanged tells that the room of a multiplexed session has changed.
func (c *Conn) RoomChanged() {
	if c.mux != nil {
		c.t.streams.changed(c.mux)
	}
}

// Ended tells that the reader of a multiplexed session is done: the connection is
// over, by the error or by Shut (nil). Nothing reads or writes it any more.
func (c *Conn) Ended(err error) {
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		_ = c.note(err)
	}
	if c.mux != nil {
		c.t.streams.dead(c.mux)
	}
}

// describeServed fills in the connection state of an attempt that ended; what a
// multiplexed connection has served changes under the lock of its pool.
func (c *Conn) describeServed(a *attack.Attempt, served bool) {
	if c.mux != nil {
		c.t.streams.mu.Lock()
		defer c.t.streams.mu.Unlock()
	}
	c.describe(a, a.End)
	if served {
		c.served++
	}
}
