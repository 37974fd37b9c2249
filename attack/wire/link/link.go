// Package link is the bytes of one connection: its socket, TLS over it, and the deadline
// that reads and writes end at. It keeps the last error of the socket, and knows nothing
// of attempts, of who may use the connection, and of protocols.
package link

import (
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire/classify"
	"github.com/rampload/rampload/attack/wire/socket"
)

// Never is the deadline of what has no time limit.
const Never = socket.Never

// Owner is what all connections of a client have in common. It is immutable.
type Owner struct {
	RunID   attack.RunID
	Clock   func() time.Duration // time since the start of the load
	Aborted func() bool          // every attempt is to end
}

// Link is the bytes of a connection. Init comes first; from then on whoever uses the
// connection reads and writes, and any goroutine may move deadlines and look at it.
type Link struct {
	own  *Owner
	sock socket.Socket
	tls  *tls.Conn // nil: plain

	local, remote netip.AddrPort
	hup           atomic.Bool // the watcher saw something
	resetTold     atomic.Bool // its RST was reported

	// The deadline of the attempt, and the one that the socket has: never later.
	// When the socket's passes first it is moved, which costs one timer a
	// time limit rather than one an attempt.
	deadline atomic.Int64
	armed    atomic.Int64
	sockErr  atomic.Pointer[error] // last error of the socket, as raw noted it
}

// Init makes the link of a socket to an address. The socket is to be opened before
// anything else is done with the link.
func (link *Link) Init(own *Owner, remote netip.AddrPort) { link.own, link.remote = own, remote }

// Connected notes that the socket is.
func (link *Link) Connected() { link.local = link.sock.LocalAddr() }

// Secured has the bytes go through TLS from now on.
func (link *Link) Secured(over *tls.Conn) { link.tls = over }

// Socket returns the socket.
func (link *Link) Socket() *socket.Socket { return &link.sock }

// TLS returns the TLS connection, nil where there is none.
func (link *Link) TLS() *tls.Conn { return link.tls }

// Addrs returns the addresses of both ends. Only the goroutine that uses the connection may
// call it: the local one is set when it comes up.
func (link *Link) Addrs() (local, remote netip.AddrPort) { return link.local, link.remote }

// Remote returns the address of the peer. It may be called from any goroutine.
func (link *Link) Remote() netip.AddrPort { return link.remote }

// Hup reports whether something was seen to happen to the connection; SetHup tells.
func (link *Link) Hup() bool { return link.hup.Load() }

// SetHup notes whether something was seen to happen to the connection.
func (link *Link) SetHup(seen bool) { link.hup.Store(seen) }

// ClaimReset reports whether the caller is the first to report the connection's RST.
func (link *Link) ClaimReset() bool { return !link.resetTold.Swap(true) }

// RunID returns the id of the run that the connection is of.
func (link *Link) RunID() attack.RunID { return link.own.RunID }

// Now returns the time since the start of the load.
func (link *Link) Now() time.Duration { return link.own.Clock() }

// Secure reports whether reads and writes go through TLS.
func (link *Link) Secure() bool { return link.tls != nil }

// Begin sets the deadline of an attempt.
func (link *Link) Begin(deadline time.Duration) {
	link.deadline.Store(int64(deadline))
	if armed := link.armed.Load(); armed == 0 || armed > int64(deadline) {
		_ = link.arm() // an error shows when it is read or written
	}
}

// Arm sets the deadline, also that of the socket.
func (link *Link) Arm(deadline time.Duration) error {
	link.deadline.Store(int64(deadline))
	return link.arm()
}

// arm sets the socket's deadline to the attempt's.
func (link *Link) arm() error {
	var err error
	for {
		deadline := time.Duration(link.deadline.Load())
		link.armed.Store(int64(deadline))
		err = link.sock.EndAt(deadline, link.own.Clock)
		if err != nil || link.deadline.Load() == int64(deadline) {
			break // else it was moved meanwhile, perhaps by who took this one for set
		}
	}
	if link.own.Aborted() {
		link.Break()
	}
	return err
}

// Break ends reads and writes under way.
func (link *Link) Break() { link.sock.SetDeadline(time.Unix(1, 0)) }

// Again reports whether an error is only the socket's deadline, set for an
// earlier attempt, which is then moved.
func (link *Link) Again(err error) bool {
	if !errors.Is(err, os.ErrDeadlineExceeded) || link.own.Aborted() || int64(link.own.Clock()) >= link.deadline.Load() {
		return false
	}
	return link.arm() == nil
}

// raw is the bare connection as TLS and multiplexed protocols use it: a net.Conn
// whose reads and writes end at the connection's deadline, and that keeps the
// socket's own error.
type raw struct{ l *Link }

// Read implements net.Conn.
func (r raw) Read(p []byte) (int, error) {
	for {
		n, err := r.l.sock.Read(p)
		if err != nil && r.l.Again(err) {
			continue
		}
		return n, r.l.Note(err)
	}
}

// Write implements net.Conn.
func (r raw) Write(p []byte) (int, error) {
	written := 0
	for {
		n, err := r.l.sock.Write(p[written:])
		written += n
		if err != nil && r.l.Again(err) {
			continue
		}
		return written, r.l.Note(err)
	}
}

// Close implements net.Conn: the transport closes the socket, later.
func (r raw) Close() error { return nil }

// LocalAddr implements net.Conn.
func (r raw) LocalAddr() net.Addr { return net.TCPAddrFromAddrPort(r.l.local) }

// RemoteAddr implements net.Conn.
func (r raw) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(r.l.remote) }

// SetDeadline implements net.Conn; deadlines are the attempt's.
func (r raw) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements net.Conn; deadlines are the attempt's.
func (r raw) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.Conn; deadlines are the attempt's.
func (r raw) SetWriteDeadline(time.Time) error { return nil }

// Note keeps an error of the socket, a reset rather than what follows it.
func (link *Link) Note(err error) error {
	// A deadline is ours, and may be one inside the attempt's: as that of a wait for 100 Continue.
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		if old := link.sockErr.Load(); old == nil || !classify.IsReset(*old) {
			link.sockErr.Store(&err)
		}
		if classify.IsReset(err) {
			link.hup.Store(true)
		}
	}
	return err
}

// Read reads what there is, through TLS if the connection has it. It ends at the
// deadline of the attempt with os.ErrDeadlineExceeded. io.EOF comes without bytes.
func (link *Link) Read(p []byte) (int, error) {
	if link.tls != nil {
		n, err := link.tls.Read(p)
		if n > 0 && err != nil {
			err = nil // it comes again
		}
		return n, err
	}
	return raw{link}.Read(p)
}

// Write writes all of p, or returns how much of it went before the error.
func (link *Link) Write(p []byte) (int, error) {
	if link.tls != nil {
		return link.tls.Write(p)
	}
	return raw{link}.Write(p)
}

// Exchange writes a whole request and reads the first bytes of the answer, in one
// round through the poller where the connection is plain TCP. It returns how many
// bytes came, 0 without an error when the caller has to Read, and how far it got.
func (link *Link) Exchange(out, in []byte) (n int, phase attack.Phase, err error) {
	if link.tls != nil {
		_, err := link.tls.Write(out)
		return 0, attack.PhaseWrite, err
	}
	for {
		if link.hup.Load() {
			// The peer's FIN has come. The poller tells of it once, and that may be over:
			// to wait for an answer would be in vain.
			_, err := raw{link}.Write(out)
			if err != nil {
				return 0, attack.PhaseWrite, err
			}
			return 0, attack.PhaseAwait, nil
		}
		rest, n, err := link.sock.Exchange(out, in)
		if err == nil && len(rest) > 0 {
			_, err = raw{link}.Write(rest)
			return n, attack.PhaseWrite, err
		}
		if err == nil {
			return n, attack.PhaseAwait, nil
		}
		if len(rest) == len(out) && link.Again(err) {
			continue // the deadline was an earlier attempt's: nothing is sent
		}
		switch {
		case len(rest) > 0:
			return n, attack.PhaseWrite, err
		case link.Again(err):
			return n, attack.PhaseAwait, nil // the caller reads on
		}
		return n, attack.PhaseAwait, err
	}
}

// Discard drops at most that many bytes of input; scratch is a buffer that it may
// use. Plain TCP does not even copy them.
func (link *Link) Discard(most int64, scratch []byte) (int, error) {
	if link.tls != nil {
		return link.Read(scratch[:min(int64(len(scratch)), most)])
	}
	for {
		n, err := link.sock.Discard(int(min(most, 1<<20)), scratch)
		if err == nil || !link.Again(err) {
			return n, err
		}
	}
}

// Waiting looks, without waiting, whether there is input to read; under TLS it
// may be input that TLS keeps for itself. The error is the socket's last word:
// io.EOF, or an error number.
func (link *Link) Waiting() (bool, error) { return link.sock.Peek() }

// Deadline returns when reads and writes end; [Never] for not at all.
func (link *Link) Deadline() time.Duration { return time.Duration(link.deadline.Load()) }

// SetDeadline has reads and writes end at a time of [Link.Now]. It may be called
// from any goroutine.
func (link *Link) SetDeadline(at time.Duration) {
	link.deadline.Store(int64(at))
	_ = link.arm() // an error shows when it is read or written
}

// Interrupt has the reads and writes that are under way, and all later ones, end
// after a while.
func (link *Link) Interrupt(after time.Duration) {
	if after <= 0 {
		link.deadline.Store(int64(link.own.Clock()))
		link.Break()
		return
	}
	link.SetDeadline(link.own.Clock() + after)
}

// LastWord returns the last error that the socket had, a reset rather than what
// came after it; nil if it had none. Under TLS it is what happened below TLS.
func (link *Link) LastWord() error {
	if p := link.sockErr.Load(); p != nil {
		return *p
	}
	return nil
}

// Info returns the kernel's view of the connection.
func (link *Link) Info() attack.TCPInfo { return link.sock.Info() }

// Goodbye tells a TLS peer that nothing follows, if that can be written at once.
func (link *Link) Goodbye() {
	link.deadline.Store(int64(link.own.Clock() + 10*time.Millisecond))
	if link.arm() == nil {
		_ = link.tls.CloseWrite() // a courtesy
	}
}

// Under returns what a TLS handshake goes over.
func (link *Link) Under() net.Conn {
	if link.tls != nil {
		return link.tls
	}
	return raw{link}
}
