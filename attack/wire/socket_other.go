//go:build !linux

package wire

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/rampload/rampload/attack"
)

// socket is one stream socket, opened by net.Dialer. See socket_linux.go for
// what Linux has beyond it: there is no tcp_info here, and a RST behind a FIN
// is not seen.
type socket struct {
	dialer  net.Dialer
	network string
	address string

	mu      sync.Mutex
	conn    net.Conn // nil until connected
	raw     syscall.RawConn
	timer   *time.Timer
	cancel  context.CancelFunc
	expired bool
}

// openSocket prepares to connect; finish does.
func openSocket(remote netip.AddrPort, path string, local netip.Addr) (*socket, error) {
	s := &socket{network: "tcp", address: remote.String()}
	if path != "" {
		s.network, s.address = "unix", path
	}
	if local.IsValid() {
		s.dialer.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(local, 0))
	}
	s.dialer.KeepAlive = -1
	return s, nil
}

// finish connects.
func (s *socket) finish() error {
	s.mu.Lock()
	if s.expired {
		s.mu.Unlock()
		return os.ErrDeadlineExceeded
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.mu.Unlock()
	defer cancel()
	c, err := s.dialer.DialContext(ctx, s.network, s.address)
	if err != nil {
		if ctx.Err() != nil {
			return os.ErrDeadlineExceeded
		}
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn = c
	if sc, ok := c.(syscall.Conn); ok {
		s.raw, err = sc.SyscallConn()
	}
	if s.timer != nil {
		s.timer.Stop()
	}
	return err
}

// SetDeadline ends connecting, reads and writes at t.
func (s *socket) SetDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		return s.conn.SetDeadline(t)
	}
	if s.timer != nil {
		s.timer.Stop()
	}
	s.expired = false
	if t.IsZero() {
		return nil
	}
	s.timer = time.AfterFunc(time.Until(t), func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.expired = true
		if s.cancel != nil {
			s.cancel()
		}
	})
	return nil
}

// exchange writes out and reads the first bytes of the answer. rest is what was
// not written when err is not nil.
func (s *socket) exchange(out, in []byte) (rest []byte, n int, err error) {
	if len(out) > 0 {
		w, err := s.conn.Write(out)
		if err != nil {
			return out[w:], 0, err
		}
	}
	n, err = s.conn.Read(in)
	return nil, n, err
}

// Read reads what there is.
func (s *socket) Read(p []byte) (int, error) { return s.conn.Read(p) }

// discard drops up to max bytes of input.
func (s *socket) discard(max int, scratch []byte) (int, error) {
	return s.conn.Read(scratch[:min(max, len(scratch))])
}

// Write writes all of p or returns how much it wrote before the error.
func (s *socket) Write(p []byte) (int, error) { return s.conn.Write(p) }

// Close closes the socket.
func (s *socket) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil {
		if s.timer != nil {
			s.timer.Stop()
		}
		return nil
	}
	return s.conn.Close()
}

// localAddr returns the address that the connection comes from.
func (s *socket) localAddr() netip.AddrPort {
	if s.conn == nil {
		return netip.AddrPort{}
	}
	if a, ok := s.conn.LocalAddr().(*net.TCPAddr); ok {
		return a.AddrPort()
	}
	return netip.AddrPort{}
}

// fate is what the peer did to a connection.
type fate uint8

const (
	alive  fate = iota
	finned      // FIN: the peer sends no more
	reset       // RST
	failed      // given up by this kernel: retransmission timeout, unreachable
)

// fate peeks: what is not yet read of the peer's end shows, what was read does
// not show again.
func (s *socket) fate() (fate, error) {
	_, err := s.peek()
	switch {
	case err == nil:
		return alive, nil
	case errors.Is(err, io.EOF):
		return finned, err
	case isReset(err):
		return reset, err
	}
	return failed, err
}

// info returns nothing: only Linux has tcp_info.
func (s *socket) info() attack.TCPInfo { return attack.TCPInfo{} }

// checkLocal reports whether this machine has a local address.
func checkLocal(a netip.Addr) error {
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(a, 0)))
	if err != nil {
		return err
	}
	return l.Close()
}
