package sockdiag

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Socket is one TCP socket of a dump.
type Socket struct {
	State         uint8
	Local, Remote netip.AddrPort
	// Queued is how many bytes came in and were not read; of a listener the length of its
	// accept queue, and Backlog that queue's limit (Linux 2.6.18 and later).
	Queued, Backlog uint32
	UID             uint32
	Inode           uint32 // 0: no process has it
}

// Parse reads a struct inet_diag_msg, and returns the attributes behind it; ok is false for
// bytes that are none.
func Parse(b []byte) (s Socket, attributes []byte, ok bool) {
	if len(b) < messageSize {
		return Socket{}, nil, false
	}
	var local, remote netip.Addr
	switch b[0] {
	case unix.AF_INET:
		local, remote = netip.AddrFrom4([4]byte(b[8:12])), netip.AddrFrom4([4]byte(b[24:28]))
	case unix.AF_INET6: // IPv4 on an IPv6 socket is IPv4 to everybody but that socket
		local, remote = netip.AddrFrom16([16]byte(b[8:24])).Unmap(), netip.AddrFrom16([16]byte(b[24:40])).Unmap()
	default:
		return Socket{}, nil, false
	}
	return Socket{
		State:   b[1],
		Local:   netip.AddrPortFrom(local, binary.BigEndian.Uint16(b[4:])),
		Remote:  netip.AddrPortFrom(remote, binary.BigEndian.Uint16(b[6:])),
		Queued:  binary.NativeEndian.Uint32(b[56:]),
		Backlog: binary.NativeEndian.Uint32(b[60:]),
		UID:     binary.NativeEndian.Uint32(b[64:]),
		Inode:   binary.NativeEndian.Uint32(b[68:]),
	}, b[messageSize:], true
}
