package rst

import (
	"fmt"

	"github.com/rampload/rampload/probe"
)

// SenderClass says what kind of thing made a RST packet.
type SenderClass string

// The classes. Fingerprints were observed on Linux 6.18; a middlebox that is not
// Linux may imitate any of them.
const (
	// SocketAborted: a live socket was aborted by its process (SO_LINGER 0, close
	// with unread data, exit) or by its kernel.
	SocketAborted SenderClass = "socket-aborted"
	// SocketGone: the kernel answered a segment of a connection that it does not
	// know any more, or a listener refused the last ACK of a handshake. A REJECT
	// of netfilter on the same host looks the same: see [SenderClass.WithTrace].
	SocketGone SenderClass = "socket-gone"
	// ClosedPort: the kernel answered a SYN to a port where nobody listens. A
	// REJECT of netfilter on the same host looks the same.
	ClosedPort SenderClass = "closed-port"
	// RouterReject: REJECT of netfilter, or the like, on the path.
	RouterReject SenderClass = "router-reject"
	// HostReject: REJECT of netfilter on the host that seems to have sent the RST.
	// Only the reset trace of that host can tell it from SocketGone or ClosedPort.
	HostReject SenderClass = "host-reject"
	// Injector: forged in the name of the sender by something on the path.
	Injector SenderClass = "injector"
	// UnknownSender: the fingerprint contradicts itself.
	UnknownSender SenderClass = "unknown"
)

const (
	flagFIN = 0x01
	flagSYN = 0x02
	flagRST = 0x04
	flagACK = 0x10
)

// Sender classifies a RST by its fingerprint alone. It never returns
// [HostReject].
func Sender(p probe.Packet) SenderClass {
	class, _ := fingerprint(p)
	return class
}

// Why says in one line what [Sender] went by.
func Why(p probe.Packet) string {
	_, why := fingerprint(p)
	return why
}

// WithTrace corrects the class of a RST by what the reset trace of the host that
// seems to have sent it saw: sent says that its kernel reported sending this
// RST. Call it only where that trace was observed without loss and, for kernels
// before 6.10, only for SocketAborted: older kernels do not report resets that no
// socket sent.
func (c SenderClass) WithTrace(sent bool) SenderClass {
	switch {
	case sent && c == HostReject:
		return UnknownSender
	case !sent && (c == SocketGone || c == ClosedPort):
		return HostReject
	case !sent && c == SocketAborted:
		return Injector
	}
	return c
}

// fingerprint follows what Linux puts into its RSTs. tcp_send_active_reset sends
// an ordinary segment of the socket: ACK, its window, its timestamps option, its
// IP ID. tcp_v4_send_reset and netfilter's REJECT send a bare header with window
// 0, IP ID 0 and DF; with ACK only if the segment answered had none, which only a
// SYN has not.
func fingerprint(p probe.Packet) (SenderClass, string) {
	if p.Flags&flagRST == 0 {
		return UnknownSender, "not a RST"
	}
	path := "TTL of the SYN-ACK unknown"
	differs := p.SynAckTTL != 0 && p.SynAckTTL != p.TTL
	switch {
	case differs:
		path = fmt.Sprintf("TTL %d, but %d in the SYN-ACK", p.TTL, p.SynAckTTL)
	case p.SynAckTTL != 0:
		path = fmt.Sprintf("TTL %d as in the SYN-ACK", p.TTL)
	}
	ack := p.Flags&flagACK != 0
	switch {
	case !ack && (p.HasOptions || p.Window > 0):
		return Injector, "RST without ACK but with a window or options: no kernel sends that"
	case !ack && (!p.DF || p.IPID != 0):
		return Injector, "RST without ACK, IP ID or no DF: no kernel sends that"
	case !ack && differs:
		return RouterReject, "bare RST, " + path
	case !ack:
		return SocketGone, "bare RST, " + path
	case p.HasOptions && differs:
		return UnknownSender, "options of a live socket, but " + path
	case p.HasOptions:
		return SocketAborted, "options of a live socket, " + path
	case !p.DF:
		return Injector, "RST+ACK without options and DF, " + path
	case p.Window > 0 && differs, p.IPID != 0 && differs:
		return Injector, "window or IP ID of a socket without its options, " + path
	case p.Window > 0:
		return SocketAborted, "window of a live socket, " + path
	case p.IPID != 0 && p.SynAckTTL == 0:
		return UnknownSender, "RST+ACK without window and options but with an IP ID, " + path
	case p.IPID != 0:
		return SocketAborted, "IP ID of a live socket whose window is closed, " + path
	case differs:
		return RouterReject, "bare RST+ACK as to a SYN, " + path
	}
	return ClosedPort, "bare RST+ACK as to a SYN, " + path
}
