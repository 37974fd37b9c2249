package fault

import (
	"net"

	"golang.org/x/sys/unix"
)

// PeerOpen reports whether the peer has neither closed nor reset its side. The
// states are those of include/net/tcp_states.h: a FIN of the peer moves an
// established connection to CLOSE_WAIT, and one that sent its own FIN to CLOSING
// or TIME_WAIT (which the descriptor shows as CLOSE); a RST moves to CLOSE.
func PeerOpen(c *net.TCPConn) bool {
	const established, finWait1, finWait2 = 1, 4, 5
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	open := false
	err = raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		open = err == nil && (info.State == established || info.State == finWait1 || info.State == finWait2)
	})
	return err == nil && open
}

// Unread returns the bytes in the socket's receive queue (SIOCINQ, tcp(7)).
func Unread(c *net.TCPConn) int {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0
	}
	n := 0
	raw.Control(func(fd uintptr) { n, _ = unix.IoctlGetInt(int(fd), unix.SIOCINQ) })
	return n
}
