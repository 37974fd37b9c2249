package socket

import (
	"context"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

// dialled is one stream socket, opened by net.Dialer: what Socket is where there
// is no better. It is compiled on every system so that it is tested on every one.
type dialled struct {
	dialer  net.Dialer
	network string
	address string

	mu       sync.Mutex
	conn     net.Conn // nil until connected
	raw      syscall.RawConn
	deadline time.Time // the last that was set
	timer    *time.Timer
	cancel   context.CancelFunc
	expired  bool
}

// prepare says what to connect to; Finish does.
func (s *dialled) prepare(remote netip.AddrPort, path string, local netip.Addr) {
	s.network, s.address = "tcp", remote.String()
	if path != "" {
		s.network, s.address = "unix", path
	}
	if local.IsValid() {
		s.dialer.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(local, 0))
	}
	s.dialer.KeepAlive = -1
}

// Connected reports whether Finish has connected.
func (s *dialled) Connected() bool { return s.conn != nil }

// Finish connects.
func (s *dialled) Finish() error {
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
	if err != nil {
		return err
	}
	// The timer ended the dial only, and an interrupt may have come as it ended.
	return c.SetDeadline(s.deadline)
}

// SetDeadline ends connecting, reads and writes at t.
func (s *dialled) SetDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deadline = t
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

// EndAt is SetDeadline at a time of a clock.
func (s *dialled) EndAt(at time.Duration, clock func() time.Duration) error {
	return s.SetDeadline(instant(at, clock))
}

// Exchange writes out and reads the first bytes of the answer. rest is what was
// not written when err is not nil.
func (s *dialled) Exchange(out, in []byte) (rest []byte, n int, err error) {
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
func (s *dialled) Read(p []byte) (int, error) { return s.conn.Read(p) }

// Discard drops up to max bytes of input.
func (s *dialled) Discard(max int, scratch []byte) (int, error) {
	return s.conn.Read(scratch[:min(max, len(scratch))])
}

// Write writes all of p or returns how much it wrote before the error.
func (s *dialled) Write(p []byte) (int, error) { return s.conn.Write(p) }

// Close closes the socket.
func (s *dialled) Close() error {
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

// LocalAddr returns the address that the connection comes from.
func (s *dialled) LocalAddr() netip.AddrPort {
	if s.conn == nil {
		return netip.AddrPort{}
	}
	if a, ok := s.conn.LocalAddr().(*net.TCPAddr); ok {
		return a.AddrPort()
	}
	return netip.AddrPort{}
}

// ResetOnClose has Close send a RST and not a FIN (SO_LINGER with a time of 0).
func (s *dialled) ResetOnClose() {
	if c, ok := s.conn.(*net.TCPConn); ok {
		_ = c.SetLinger(0) // without it the close is an orderly one
	}
}
