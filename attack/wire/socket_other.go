//go:build !linux

package wire

import (
	"errors"
	"io"
	"net"
	"net/netip"

	"github.com/rampload/rampload/attack"
)

// socket is one stream socket. See socket_linux.go for what Linux has beyond it:
// there is no tcp_info here, and a RST behind a FIN is not seen.
type socket struct{ dialled }

// openSocket prepares to connect; finish does.
func openSocket(remote netip.AddrPort, path string, local netip.Addr) (*socket, error) {
	s := new(socket)
	s.prepare(remote, path, local)
	return s, nil
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
