package wire

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

// errProtocol is matched by the error of every malformed response.
var errProtocol = errors.New("malformed response")

// malformed is the error of a response whose named part is malformed: one of
// attack's codes for [attack.MalformedDetail].
type malformed uint16

func (m malformed) Error() string {
	return attack.Detail{Kind: attack.MalformedDetail, Code: uint16(m)}.String()
}

// Is matches errProtocol.
func (m malformed) Is(target error) bool { return target == errProtocol }

// Classify returns the fault of an error by its type and errno, never by its
// text. Nil is None; an error that says nothing of the network is Protocol. It
// judges an error by itself: an EPIPE is broken-pipe whether or not a RST came
// before it, which only the connection knows ([attack.Attempt].WireReset).
func Classify(err error) attack.Fault {
	if err == nil {
		return attack.None
	}
	if f, ok := faultOfHTTP2(err); ok {
		return f
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

// isReset reports whether an error shows a RST of the peer.
func isReset(err error) bool { return Classify(err) == attack.Reset }
