package kernel

import (
	"encoding/binary"
	"fmt"
	"iter"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/probe"
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

// diag asks the kernel for the TCP sockets of one network namespace
// (sock_diag(7)). It is not for concurrent use.
type diag struct {
	conn *netlink.Conn
	// legacy is how to ask for IPv4 and IPv6 sockets in one walk of the socket
	// table: the newer request takes one family at a time, the older any.
	// A kernel that refuses it is asked twice.
	legacy bool
}

// diagBuffer holds the largest part of a dump that the kernel sends: 32 KB.
const diagBuffer = 64 << 10

// openDiag opens a diag in a network namespace, 0 for rampload's own. The error
// matches [probe.ErrUnsupported] if this kernel has none.
func openDiag(netns int) (*diag, error) {
	conn, err := netlink.Dial(unix.NETLINK_SOCK_DIAG, &netlink.Config{NetNS: netns, MessageBufferSize: diagBuffer})
	if err != nil {
		return nil, &probe.Unsupported{What: "sockets", Reason: "open netlink: " + err.Error(), Needs: "a kernel with CONFIG_INET_DIAG"}
	}
	d := &diag{conn: conn, legacy: true}
	// Ask for nothing but the answer whether the kernel knows how.
	for range d.sockets(listening, &err) {
	}
	if err != nil && d.legacy {
		d.legacy, err = false, nil
		for range d.sockets(listening, &err) {
		}
	}
	if err != nil {
		_ = conn.Close()
		return nil, &probe.Unsupported{What: "sockets", Reason: err.Error(), Needs: "a kernel with CONFIG_INET_TCP_DIAG"}
	}
	return d, nil
}

func (d *diag) Close() error { return d.conn.Close() }

// sockets walks the sockets in any of the states. An error ends the walk and is
// put into *err.
func (d *diag) sockets(states uint32, err *error) iter.Seq[socket] {
	return func(yield func(socket) bool) {
		requests := []netlink.Message{legacyRequest(states)}
		if !d.legacy {
			requests = []netlink.Message{familyRequest(unix.AF_INET, states), familyRequest(unix.AF_INET6, states)}
		}
		for _, r := range requests {
			if _, e := d.conn.Send(r); e != nil {
				*err = fmt.Errorf("ask for sockets: %w", e)
				return
			}
			for m, e := range d.conn.ReceiveIter() {
				if e != nil {
					*err = fmt.Errorf("read sockets: %w", e)
					return
				}
				s, ok := parseSocket(m.Data)
				if ok && !yield(s) {
					return
				}
			}
		}
	}
}

// Message types of NETLINK_SOCK_DIAG (include/uapi/linux/{sock,inet}_diag.h).
const (
	tcpdiagGetsock   = 18
	sockDiagByFamily = 20
)

// legacyRequest is a struct inet_diag_req for any family.
func legacyRequest(states uint32) netlink.Message {
	b := make([]byte, 60) // family, two lengths, extensions; the socket id; states; flags
	binary.NativeEndian.PutUint32(b[52:], states)
	return dump(tcpdiagGetsock, b)
}

// familyRequest is a struct inet_diag_req_v2.
func familyRequest(family uint8, states uint32) netlink.Message {
	b := make([]byte, 56)
	b[0], b[1] = family, unix.IPPROTO_TCP
	binary.NativeEndian.PutUint32(b[4:], states)
	return dump(sockDiagByFamily, b)
}

func dump(kind netlink.HeaderType, data []byte) netlink.Message {
	return netlink.Message{Header: netlink.Header{Type: kind, Flags: netlink.Request | netlink.Dump}, Data: data}
}

// sizeofDiagMsg is sizeof(struct inet_diag_msg); attributes follow it.
const sizeofDiagMsg = 72

// parseSocket reads a struct inet_diag_msg; false for bytes that are none.
func parseSocket(b []byte) (socket, bool) {
	if len(b) < sizeofDiagMsg {
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
