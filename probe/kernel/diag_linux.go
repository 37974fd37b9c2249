package kernel

import "github.com/rampload/rampload/probe/internal/sockdiag"

// Sets of states as sock_diag takes them. A half-open connection is a request
// socket, which the kernel reports under SYN_RECV.
const (
	listening = 1 << sockdiag.Listen
	halfOpen  = 1<<sockdiag.SynRecv | 1<<sockdiag.NewSynRecv
	waiting   = halfOpen | 1<<sockdiag.CloseWait
	// connected is everything that holds a local port against a remote one:
	// SYN_SENT, FIN_WAIT and TIME_WAIT too, but neither listeners nor closed
	// sockets.
	connected = (1<<13 - 1) &^ (1<<0 | 1<<sockdiag.Close | 1<<sockdiag.Listen)
)

// parseSocket reads a socket of a dump; a connection that is half open has one state.
func parseSocket(b []byte) (sockdiag.Socket, bool) {
	s, _, ok := sockdiag.Parse(b)
	if s.State == sockdiag.NewSynRecv {
		s.State = sockdiag.SynRecv
	}
	return s, ok
}
