package kernel

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/probe/internal/sockdiag"
)

// States of a TCP socket (include/net/tcp_states.h).
const (
	tcpEstablished = 1
	tcpSynRecv     = 3
	tcpTimeWait    = 6
	tcpClose       = 7
	tcpCloseWait   = 8
	tcpListen      = 10
	tcpNewSynRecv  = 12
)

// Sets of states as sock_diag takes them. A half-open connection is a request
// socket, which the kernel reports under SYN_RECV.
const (
	listening = 1 << tcpListen
	halfOpen  = 1<<tcpSynRecv | 1<<tcpNewSynRecv
	waiting   = halfOpen | 1<<tcpCloseWait
	// connected is everything that holds a local port against a remote one:
	// SYN_SENT, FIN_WAIT and TIME_WAIT too, but neither listeners nor closed
	// sockets.
	connected = (1<<13 - 1) &^ (1<<0 | 1<<tcpClose | 1<<tcpListen)
)

// socket is one socket of a dump. For a listener, queued is the length of its
// accept queue and backlog its limit (inet_diag_msg's rqueue and wqueue,
// Linux 2.6.18 and later).
type socket struct {
	state   uint8
	local   netip.AddrPort
	remote  netip.AddrPort
	queued  uint32
	backlog uint32
}

// parseSocket reads a struct inet_diag_msg; false for bytes that are none.
func parseSocket(b []byte) (socket, bool) {
	if len(b) < sockdiag.MessageSize {
		return socket{}, false
	}
	var local, remote netip.Addr
	switch b[0] {
	case unix.AF_INET:
		local = netip.AddrFrom4([4]byte(b[8:12]))
		remote = netip.AddrFrom4([4]byte(b[24:28]))
	case unix.AF_INET6:
		// IPv4 on an IPv6 socket is IPv4 to everybody but that socket.
		local = netip.AddrFrom16([16]byte(b[8:24])).Unmap()
		remote = netip.AddrFrom16([16]byte(b[24:40])).Unmap()
	default:
		return socket{}, false
	}
	s := socket{
		state:   b[1],
		local:   netip.AddrPortFrom(local, binary.BigEndian.Uint16(b[4:])),
		remote:  netip.AddrPortFrom(remote, binary.BigEndian.Uint16(b[6:])),
		queued:  binary.NativeEndian.Uint32(b[56:]),
		backlog: binary.NativeEndian.Uint32(b[60:]),
	}
	if s.state == tcpNewSynRecv {
		s.state = tcpSynRecv
	}
	return s, true
}
