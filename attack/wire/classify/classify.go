// Package classify says which fault of the vocabulary an error is, and what its
// protocol said beyond it. It knows the errors of sockets, names and TLS; the words
// of the protocols above them come as [Failed].
package classify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/rampload/rampload/attack"
)

// Failed is an error of a protocol that knows its fault and detail: what the peer
// said, in the words of the protocol.
type Failed struct {
	Fault  attack.Fault
	Detail attack.Detail
}

// Error returns fault and detail.
func (f Failed) Error() string { return f.Fault.String() + " " + f.Detail.String() }

// Malformed is the error of an answer whose part is malformed: one of attack's
// codes for [attack.MalformedDetail].
func Malformed(part uint16) Failed {
	return Failed{attack.Protocol, attack.Detail{Kind: attack.MalformedDetail, Code: part}}
}

// Fault returns the fault of an error by its type and errno, never by its
// text. Nil is None; an error that says nothing of the network is Protocol. It
// judges an error by itself: an EPIPE is broken-pipe whether or not a RST came
// before it, which only the connection knows ([attack.Attempt].WireReset).
func Fault(err error) attack.Fault {
	if err == nil {
		return attack.None
	}
	var own Failed
	if errors.As(err, &own) {
		return own.Fault
	}
	var errno syscall.Errno
	hasErrno := errors.As(err, &errno)
	var dns *net.DNSError
	if errors.As(err, &dns) {
		// An errno in here is of the conversation with the resolver, and only
		// the local ones say anything of this attempt.
		if f, ok := classifyErrno(errno); hasErrno && ok && f.Local() {
			return f
		}
		switch {
		case errors.Is(err, context.Canceled):
			return attack.Canceled
		case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
			return attack.Timeout
		}
		return attack.DNS
	}
	if hasErrno {
		if f, ok := classifyErrno(errno); ok {
			return f
		}
	}
	var (
		netErr   net.Error
		hostname x509.HostnameError
		unknown  x509.UnknownAuthorityError
		invalid  x509.CertificateInvalidError
		verify   *tls.CertificateVerificationError
		record   tls.RecordHeaderError
		alert    tls.AlertError
		op       *net.OpError
	)
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, net.ErrClosed), errors.Is(err, os.ErrClosed):
		return attack.Canceled
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return attack.Timeout
	case errors.As(err, &verify), errors.As(err, &record), errors.As(err, &alert),
		errors.As(err, &hostname), errors.As(err, &unknown), errors.As(err, &invalid):
		return attack.TLS
	case errors.As(err, &op) && (op.Op == "remote error" || op.Op == "local error"):
		// How crypto/tls marks alerts, whose type it does not export.
		return attack.TLS
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return attack.EOF
	case errors.As(err, &netErr) && netErr.Timeout():
		return attack.Timeout
	}
	return attack.Protocol
}

// Alerted reports whether an error is a TLS alert of the peer.
func Alerted(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "remote error"
}

// IsReset reports whether an error shows a RST of the peer.
func IsReset(err error) bool { return Fault(err) == attack.Reset }
