package classify

import (
	"syscall"

	"golang.org/x/sys/windows"

	"github.com/rampload/rampload/attack"
)

// classifyErrno returns the fault of a Winsock or system error code
// ("Windows Sockets Error Codes" and "System Error Codes" of the Windows API).
// ConnectEx and overlapped I/O report some of them as system errors.
func classifyErrno(e syscall.Errno) (attack.Fault, bool) {
	switch e {
	case windows.WSAECONNRESET, windows.ERROR_NETNAME_DELETED, syscall.ECONNRESET:
		return attack.Reset, true
	case windows.WSAECONNREFUSED, windows.ERROR_CONNECTION_REFUSED, syscall.ECONNREFUSED,
		windows.ERROR_FILE_NOT_FOUND: // no such Unix socket
		return attack.Refused, true
	case windows.WSAESHUTDOWN, windows.WSAENOTCONN, windows.WSAECONNABORTED,
		windows.ERROR_CONNECTION_ABORTED, windows.ERROR_BROKEN_PIPE, syscall.EPIPE:
		return attack.BrokenPipe, true
	case windows.WSAETIMEDOUT, windows.ERROR_SEM_TIMEOUT, syscall.ETIMEDOUT:
		return attack.Timeout, true
	case windows.WSAEHOSTUNREACH, windows.WSAENETUNREACH, windows.WSAEHOSTDOWN, windows.WSAENETDOWN,
		windows.WSAEACCES, windows.ERROR_NETWORK_UNREACHABLE, windows.ERROR_HOST_UNREACHABLE:
		return attack.Unreachable, true
	case windows.WSAEADDRNOTAVAIL, windows.WSAEADDRINUSE:
		return attack.PortsExhausted, true
	case windows.WSAEMFILE, windows.ERROR_TOO_MANY_OPEN_FILES:
		return attack.FDsExhausted, true
	case windows.WSAENOBUFS, windows.ERROR_NOT_ENOUGH_MEMORY, windows.ERROR_NO_SYSTEM_RESOURCES:
		return attack.NoBuffers, true
	}
	return attack.None, false
}
