//go:build !linux

package socket

import (
	"errors"
	"io"
	"net"
	"net/netip"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire/classify"
)

// Socket is one stream socket. See socket_linux.go for what Linux has beyond it:
// there is no tcp_info here, and a RST behind a FIN is not seen.
type Socket struct{ dialled }

// Open prepares to connect; Finish does.
func (socket *Socket) Open(remote netip.AddrPort, path string, local netip.Addr, _ *Poller) error {
	socket.prepare(remote, path, local)
	return nil
}

// Fate peeks: what is not yet read of the peer's end shows, what was read does
// not show again.
func (socket *Socket) Fate() (Fate, error) {
	_, err := socket.Peek()
	switch {
	case err == nil:
		return Alive, nil
	case errors.Is(err, io.EOF):
		return Finned, err
	case classify.IsReset(err):
		return Reset, err
	}
	return Failed, err
}

// End looks at what has become of the socket. See socket_linux.go.
func (socket *Socket) End() (Fate, error) { return socket.Fate() }

// Info returns nothing: only Linux has tcp_info.
func (socket *Socket) Info() attack.TCPInfo { return attack.TCPInfo{} }

// CheckLocal reports whether this machine has a local address.
func CheckLocal(a netip.Addr) error {
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(a, 0)))
	if err != nil {
		return err
	}
	return l.Close()
}
