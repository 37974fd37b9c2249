//go:build unix

package classify

import (
	"syscall"

	"github.com/rampload/rampload/attack"
)

// classifyErrno returns the fault of an errno (errno(3), connect(2), tcp(7)).
func classifyErrno(e syscall.Errno) (attack.Fault, bool) {
	switch e {
	case syscall.ECONNRESET:
		return attack.Reset, true
	case syscall.ECONNREFUSED:
		return attack.Refused, true
	case syscall.ENOENT: // no such Unix socket
		return attack.Refused, true
	case syscall.EPIPE, syscall.ESHUTDOWN, syscall.ENOTCONN, syscall.ECONNABORTED,
		syscall.EPROTOTYPE: // Darwin, for a write that races with the peer's close
		return attack.BrokenPipe, true
	case syscall.ETIMEDOUT:
		return attack.Timeout, true
	case syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.EHOSTDOWN, syscall.ENETDOWN,
		syscall.EACCES, syscall.EPERM: // a filter of this host
		return attack.Unreachable, true
	case syscall.EADDRNOTAVAIL, syscall.EADDRINUSE:
		return attack.PortsExhausted, true
	case syscall.EMFILE, syscall.ENFILE:
		return attack.FDsExhausted, true
	case syscall.ENOBUFS, syscall.ENOMEM, syscall.ENOSPC: // ENOSPC: epoll's watches
		return attack.NoBuffers, true
	}
	return attack.None, false
}
