package wire

import (
	"errors"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire/classify"
	"github.com/rampload/rampload/attack/wire/socket"
	"github.com/rampload/rampload/profiles"
)

// Protocol makes the exchanger of a target. An error is one of the configuration: what
// of the target the protocol cannot do.
type Protocol func(Target) (Exchanger, error)

// Exchanger is a protocol on the connection layer: it turns requests into bytes
// and bytes into answers, and says which detail a failure has. One serves one
// [Transport]; its methods are safe for concurrent use.
type Exchanger interface {
	// Offer returns what is known of the protocol before there is a connection.
	Offer() Offer
	// Compile encodes a request once. The error says what of it cannot be sent.
	Compile(r profiles.Request) (attack.Request, error)
	// Start begins to speak on a new connection, with TLS if the target has it;
	// agreed is what the handshake chose of Protocols, "" for nothing. Until Start
	// returns, reads and writes end at the deadline of the attempt that opened the
	// connection, so a log-in may be made here. An error ends the attempt in
	// PhaseWrite, or that of an [InPhase]; [Failed] says more of it.
	Start(c *Conn, agreed string) (Session, error)
}

// Listener is an exchanger that knows what a peer says unasked before it ends a
// connection: that it is full, or is about to end.
type Listener interface {
	// Unasked returns what the first bytes mean that came on a connection without an
	// attempt, which has ended; the zero Detail for what it does not know.
	Unasked(said []byte) attack.Detail
}

// Upgrader is an exchanger whose protocol agrees on TLS in the clear, in front of the
// handshake. An error ends the attempt in PhaseTLS.
type Upgrader interface {
	BeforeTLS(c *Conn) error
}

// Parting is a [Multiplexed] session that knows what its peer said before it ended the
// connection.
type Parting interface {
	// Said returns what the peer said; the zero Detail for nothing.
	Said() attack.Detail
}

// Refusal is an error of [Exchanger.Start]: the peer takes no such client, and said why.
type Refusal = classify.Refusal

// Offer is what an exchanger says of its protocol before there is a connection.
type Offer struct {
	// Protocols is what to offer in the TLS handshake (ALPN), nil for nothing.
	Protocols []string
	// Agree says that the peer must choose one of Protocols, or the attempt fails in
	// PhaseTLS with [ErrAgreed]. Without it Start may be told of "".
	Agree bool
	// Talks says that Start waits for the peer, as for a handshake or a log-in: what else
	// is to be opened must not wait for it too.
	Talks bool
	// Sessions says which kind of session Start will return.
	Sessions Sessions
	// Room is how many attempts a multiplexed session carries at most; 0: many, as the
	// peer allows.
	Room int
}

// Sessions is a kind of sessions.
type Sessions uint8

// The kinds of sessions.
const (
	AsAgreed Sessions = iota // known with the first connection
	Serial                   // one attempt at a time on a connection: none is [Multiplexed]
	Shared                   // see [Multiplexed]
)

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
type Failed = classify.Failed

// Malformed is the error of an answer whose part is malformed: one of attack's
// codes for [attack.MalformedDetail].
func Malformed(part uint16) Failed { return classify.Malformed(part) }

// InPhase is an error of [Exchanger.Start] that met another phase than PhaseWrite.
type InPhase = classify.InPhase

// ErrAgreed is matched by the error of a handshake in which the peer did not agree
// on a protocol that the exchanger speaks.
var ErrAgreed error = Malformed(attack.WrongProtocol)

// Target is what an exchanger is told of the target that it speaks to.
type Target struct {
	Profile       profiles.Target
	Client        profiles.Client
	Data          []profiles.Table // that requests are filled with
	Vars          []string         // see [attack.ClientConfig]
	Callback      string           // see [attack.ClientConfig]
	RunID         attack.RunID
	Tracing       attack.Tracing
	Scheme        string // of the URL: http, https, unix
	TLS           bool
	Authority     string // host, and port if the URL has one, as a Host header names it
	Prefix        string // path below which requests are, with its last slash
	Authorization string // from the URL, "" for none
	Origin        string // scheme://host of requests through a plain proxy; "": they are not named so
	ProxyAuth     string // Proxy-Authorization that goes with Origin
	Proxy         string // the proxy that it is reached through, to be shown; "": none
}

// Kept reports whether the connection may serve again after this attempt, as far
// as the profile is concerned.
func (conn *Conn) Kept() bool { return conn.pooled || conn.lease != nil }

// DeadlineOf returns when an attempt ends at the latest; [Never] without a limit.
func (conn *Conn) DeadlineOf(a *attack.Attempt) time.Duration {
	if conn.t.timeout > 0 {
		return a.Start + conn.t.timeout
	}
	return Never
}

// Never is the deadline of an attempt without a time limit.
const Never = never

// Succeed ends an attempt with a complete answer. Whether the answer is the
// expected one is the exchanger's to say, before or after, in Fault and Detail.
func (conn *Conn) Succeed(a *attack.Attempt) {
	a.End = conn.t.clock()
	a.Phase = attack.PhaseDone
	conn.describeServed(a, true)
}

// Fail ends an attempt with an error: its own, of the socket, or one of an
// exchanger (see [Failed]). It sets Fault, Detail, Phase, WireReset, Conn, Info
// and End, and returns what becomes of the connection. The socket's own error, a
// RST above all, outranks what was made of it. A RST is counted once.
func (conn *Conn) Fail(a *attack.Attempt, phase attack.Phase, err error) Outcome {
	a.Phase = phase
	a.End = conn.t.clock()
	conn.describeServed(a, false)
	a.Fault, a.Detail = conn.FaultOf(err)
	a.Info = conn.Socket().Info()
	switch a.Fault {
	case attack.Timeout, attack.Unreachable:
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			conn.gaveUp = true
		}
		return Destroyed
	case attack.Canceled:
		return Destroyed
	}
	conn.TakeReset(a, err)
	if a.Fault == attack.EOF && !a.WireReset {
		return HalfShut
	}
	return Destroyed
}

// Refuse ends an attempt with an answer that is complete and not the expected one, on a
// connection that is of no more use: the peer may be about to reset it. A RST that has
// come outranks the answer, and the detail keeps what was said.
func (conn *Conn) Refuse(a *attack.Attempt, phase attack.Phase, said attack.Detail) Outcome {
	conn.FailStream(a, phase, Failed{Fault: attack.Status, Detail: said})
	if a.Fault == attack.Status {
		return HalfShut
	}
	return Destroyed
}

// Rest waits for a time in which the attempt neither reads nor writes. The error is the
// end of the connection, if it came before: io.EOF, a RST, or Abort's. What the peer has
// sent before is still to be read.
func (conn *Conn) Rest(d time.Duration) error {
	conn.t.watch(conn)
	step := min(max(d/50, time.Millisecond), 250*time.Millisecond)
	timer := time.NewTimer(step)
	defer timer.Stop()
	for end := conn.Now() + d; ; {
		if conn.Hup() || !conn.watched {
			switch what, err := conn.Socket().Fate(); what {
			case socket.Finned:
				return io.EOF
			case socket.Reset:
				return conn.Note(syscall.ECONNRESET) // the look has taken it from the socket
			case socket.Failed:
				return conn.Note(err)
			}
		}
		left := end - conn.Now()
		if left <= 0 {
			return nil
		}
		timer.Reset(min(left, step))
		select {
		case <-timer.C:
		case <-conn.t.quit:
			return os.ErrDeadlineExceeded
		}
	}
}

// ResetOnClose has the connection end with a RST of ours.
func (conn *Conn) ResetOnClose() { conn.Socket().ResetOnClose() }

// FailStream is [Conn.Fail] for an attempt that is one of several on a connection.
// A RST of the connection outranks what the peer said before it: the connection is
// lost for all of them, and the detail keeps what was said.
func (conn *Conn) FailStream(a *attack.Attempt, phase attack.Phase, err error) Outcome {
	fault, detail := conn.FaultOf(err)
	if conn.t.aborted.Load() {
		err = Failed{Fault: attack.Canceled}
	} else if fault != attack.Timeout && fault != attack.Canceled {
		if fault != attack.EOF && fault != attack.BrokenPipe {
			// Not where the connection ended with a FIN, behind which a RST may come.
			if what, _ := conn.Socket().Fate(); what == socket.Reset {
				_ = conn.Note(syscall.ECONNRESET) // the look has taken it from the socket
			}
		}
		if last := conn.LastWord(); last != nil && classify.IsReset(last) {
			err = Failed{Fault: attack.Reset, Detail: detail}
		}
	}
	_ = conn.Fail(a, phase, err)
	return Keep // whether the connection goes on, its reader tells
}

// RoomChanged tells that the room of a multiplexed session has changed.
func (conn *Conn) RoomChanged() {
	if conn.mux.Load() != nil {
		conn.t.streams.changed(conn.mux.Load())
	}
}

// Ended tells that the reader of a multiplexed session is done: the connection is
// over, by the error or by Shut (nil). Nothing reads or writes it any more.
func (conn *Conn) Ended(err error) {
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		_ = conn.Note(err)
	}
	if conn.mux.Load() != nil {
		conn.t.streams.dead(conn.mux.Load())
	}
}

// Begun returns when the connection was due to be opened, and when it was: what lies between
// is this machine's doing. It is known until the session has ended.
func (conn *Conn) Begun() (due, opened time.Duration) { return conn.until, conn.opened }

// Aside counts what is no request: see [profiles.Role]. Times, fault and phase of a are
// the caller's.
func (conn *Conn) Aside(role profiles.Role, a attack.Attempt) {
	if told := conn.t.cfg.OnAside; told != nil {
		a.Conn.ID, a.Conn.Age = conn.id, a.End-conn.opened
		a.Conn.Local, a.Conn.Remote = conn.Addrs()
		a.Held, a.Last = true, true
		told(role, a)
	}
}

// describeServed fills in the connection state of an attempt that ended; what a
// multiplexed connection has served changes under the lock of its pool.
func (conn *Conn) describeServed(a *attack.Attempt, served bool) {
	if conn.mux.Load() != nil {
		conn.t.streams.mu.Lock()
		defer conn.t.streams.mu.Unlock()
	}
	conn.describe(a, a.End)
	if served {
		conn.served++
	}
}
