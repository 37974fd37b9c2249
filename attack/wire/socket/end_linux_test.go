package socket

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
)

// TestEnd ends sockets whose peer waits for their end, has reset them, or is to be reset: which
// was first is what the kernel says, and a FIN goes out only where no RST is to follow.
func TestEnd(t *testing.T) {
	p := startPoller(t)
	for _, test := range []struct {
		name   string
		resets bool // the peer does
		abrupt bool // Close is to
		want   Fate
		read   error // by the peer, of what we send
	}{
		{"it lives", false, false, Alive, io.EOF},
		{"it was reset", true, false, Reset, nil},
		{"it is to be reset", false, true, Alive, syscall.ECONNRESET},
	} {
		t.Run(test.name, func(t *testing.T) {
			open, gone, read := make(chan struct{}), make(chan struct{}), make(chan error, 1)
			s := openIn(t, p, peer(t, func(c *net.TCPConn) {
				<-open // a RST in answer to the handshake is another matter
				if test.resets {
					_ = c.SetLinger(0)
					c.Close()
					close(gone)
					return
				}
				_, err := c.Read(make([]byte, 1))
				read <- err
			}))
			close(open)
			if test.resets {
				<-gone // on loopback the RST is there once the close is over
			}
			if test.abrupt {
				s.ResetOnClose()
			}
			if what, _ := s.End(); what != test.want {
				t.Errorf("%v, want %v", what, test.want)
			}
			if !test.abrupt && !test.resets {
				if err := <-read; !errors.Is(err, test.read) {
					t.Errorf("the peer read %v before the close, want %v", err, test.read)
				}
			}
			s.Close()
			if test.abrupt {
				if err := <-read; !errors.Is(err, test.read) {
					t.Errorf("the peer read %v, want %v", err, test.read)
				}
			}
		})
	}
}
