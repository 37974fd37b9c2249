package classify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
)

// TestClassify judges each error bare and in all the wrappings that libraries
// put around it.
func TestFault(t *testing.T) {
	wrappings := map[string]func(error) error{
		"bare":    func(err error) error { return err },
		"wrapped": func(err error) error { return fmt.Errorf("read connection: %w", err) },
		"op":      func(err error) error { return &net.OpError{Op: "read", Net: "tcp", Err: err} },
		"syscall": func(err error) error {
			return &net.OpError{Op: "read", Net: "tcp", Err: &os.SyscallError{Syscall: "read", Err: err}}
		},
		"path":   func(err error) error { return &os.PathError{Op: "read", Path: "socket", Err: err} },
		"url":    func(err error) error { return &url.Error{Op: "Get", URL: "http://h", Err: err} },
		"joined": func(err error) error { return errors.Join(errors.New("other"), err) },
		"tls":    func(err error) error { return fmt.Errorf("tls: %w", &net.OpError{Op: "read", Err: err}) },
	}
	for _, tc := range []struct {
		err  error
		want attack.Fault
	}{
		{syscall.ECONNRESET, attack.Reset},
		{syscall.ECONNREFUSED, attack.Refused},
		{syscall.EPIPE, attack.BrokenPipe},
		{syscall.ETIMEDOUT, attack.Timeout},
		{syscall.EHOSTUNREACH, attack.Unreachable},
		{syscall.ENETUNREACH, attack.Unreachable},
		{syscall.EACCES, attack.Unreachable},
		{syscall.EPERM, attack.Unreachable},
		{syscall.EADDRNOTAVAIL, attack.PortsExhausted},
		{syscall.EADDRINUSE, attack.PortsExhausted},
		{syscall.EMFILE, attack.FDsExhausted},
		{syscall.ENFILE, attack.FDsExhausted},
		{syscall.ENOBUFS, attack.NoBuffers},
		{syscall.ENOMEM, attack.NoBuffers},
		{io.EOF, attack.EOF},
		{io.ErrUnexpectedEOF, attack.EOF},
		{os.ErrDeadlineExceeded, attack.Timeout},
		{context.DeadlineExceeded, attack.Timeout},
		{context.Canceled, attack.Canceled},
		{net.ErrClosed, attack.Canceled},
		{Failed{Fault: attack.HTTP2GoAway}, attack.HTTP2GoAway},
		{&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, attack.TLS},
		{x509.HostnameError{Certificate: &x509.Certificate{}, Host: "h"}, attack.TLS},
		{tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}, attack.TLS},
		{tls.AlertError(40), attack.TLS},
		{Malformed(attack.MalformedLength), attack.Protocol},
		{errors.New("something else"), attack.Protocol},
	} {
		for name, wrap := range wrappings {
			if got := Fault(wrap(tc.err)); got != tc.want {
				t.Errorf("%s %#v: %v, want %v", name, tc.err, got, tc.want)
			}
		}
	}
	for _, tc := range []struct {
		err  error
		want attack.Fault
	}{
		{nil, attack.None},
		{&net.DNSError{Err: "no such host", Name: "h", IsNotFound: true}, attack.DNS},
		{fmt.Errorf("x: %w", &net.DNSError{Err: "server misbehaving", IsTemporary: true}), attack.DNS},
		{&net.DNSError{UnwrapErr: syscall.ECONNREFUSED}, attack.DNS}, // of the resolver
		{&net.DNSError{UnwrapErr: syscall.EMFILE}, attack.FDsExhausted},
		{&net.DNSError{UnwrapErr: context.DeadlineExceeded, IsTimeout: true}, attack.Timeout},
		{&net.DNSError{UnwrapErr: context.Canceled}, attack.Canceled},
		{&net.OpError{Op: "remote error", Err: errors.New("an alert")}, attack.TLS},
		{&net.OpError{Op: "local error", Err: errors.New("an alert")}, attack.TLS},
	} {
		if got := Fault(tc.err); got != tc.want {
			t.Errorf("%#v: %v, want %v", tc.err, got, tc.want)
		}
	}
}

// TestClassifySockets judges what the standard library makes of real sockets.
func TestClassifySockets(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	addr := ln.Addr().String()
	end := make(chan func(*net.TCPConn), 1)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			c.Read(make([]byte, 1))
			(<-end)(c.(*net.TCPConn))
			c.Close()
		}
	}()
	read := func(how func(*net.TCPConn)) error {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return err
		}
		defer c.Close()
		c.Write([]byte("x"))
		end <- how
		c.SetDeadline(time.Now().Add(100 * time.Millisecond))
		_, err = c.Read(make([]byte, 1))
		return err
	}
	for name, tc := range map[string]struct {
		err  error
		want attack.Fault
	}{
		"reset":   {read(func(c *net.TCPConn) { c.SetLinger(0) }), attack.Reset},
		"fin":     {read(func(*net.TCPConn) {}), attack.EOF},
		"timeout": {read(func(c *net.TCPConn) { <-time.After(200 * time.Millisecond) }), attack.Timeout},
	} {
		if got := Fault(tc.err); got != tc.want {
			t.Errorf("%s: %v is %v", name, tc.err, got)
		}
	}
	ln.Close()
	if _, err := net.Dial("tcp", addr); Fault(err) != attack.Refused {
		t.Errorf("refused: %v", err)
	}
	if _, err := net.Dial("tcp", "does-not-exist.invalid:80"); Fault(err) != attack.DNS {
		t.Errorf("name: %v", err)
	}
}
