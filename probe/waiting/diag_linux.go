package waiting

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/probe"
)

// diag asks the kernel for the TCP sockets of one network namespace with their tcp_info
// (sock_diag(7)). Messages are read in place: a dump of 2,000 sockets allocates nothing.
// It is not for concurrent use.
type diag struct {
	fd int
	// legacy is how to ask for IPv4 and IPv6 in one walk of the kernel's table, which is
	// most of the cost: the newer request takes one family at a time.
	legacy bool
	seq    uint32
	buffer []byte
}

// dumpStates are the states that are asked for. A listener is in a table of its own.
const dumpStates = 1<<established | 1<<synSent | 1<<closeWait | 1<<listen

// openDiag opens a diag in the network namespace of the calling thread. The error
// matches [probe.ErrUnsupported] if this kernel has none.
func openDiag() (*diag, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nil, &probe.Unsupported{What: "requests", Reason: "open netlink: " + err.Error(), Needs: "a kernel with CONFIG_INET_DIAG"}
	}
	d := &diag{fd: fd, legacy: true, buffer: make([]byte, 256<<10)}
	if err = d.each(1<<listen, func(conn) {}); err != nil {
		d.legacy = false
		err = d.each(1<<listen, func(conn) {})
	}
	if err != nil {
		_ = d.close()
		return nil, &probe.Unsupported{What: "requests", Reason: err.Error(), Needs: "a kernel with CONFIG_INET_TCP_DIAG"}
	}
	return d, nil
}

func (d *diag) close() error {
	if d.fd < 0 {
		return nil
	}
	fd := d.fd
	d.fd = -1
	return unix.Close(fd)
}

// errOverrun means that the kernel had more to say than fitted; the next dump may fit.
var errOverrun = errors.New("the answer did not fit")

// Requests and answers of NETLINK_SOCK_DIAG (include/uapi/linux/{sock,inet}_diag.h).
const (
	headerSize  = 16 // struct nlmsghdr
	diagMsgSize = 72 // struct inet_diag_msg
	getSocket   = 18 // TCPDIAG_GETSOCK with a struct inet_diag_req: any family
	byFamily    = 20 // SOCK_DIAG_BY_FAMILY with a struct inet_diag_req_v2
	infoWanted  = 1 << 1
)

// requests returns what is to be asked for the sockets in some states.
func (d *diag) requests(states uint32) [][]byte {
	if d.legacy {
		b := make([]byte, 60) // family, two lengths, extensions; the socket; states; marker
		b[3] = infoWanted
		binary.NativeEndian.PutUint32(b[52:], states)
		return [][]byte{d.request(getSocket, b)}
	}
	var out [][]byte
	for _, family := range [...]byte{unix.AF_INET, unix.AF_INET6} {
		b := make([]byte, 56)
		b[0], b[1], b[2] = family, unix.IPPROTO_TCP, infoWanted
		binary.NativeEndian.PutUint32(b[4:], states)
		out = append(out, d.request(byFamily, b))
	}
	return out
}

func (d *diag) request(kind uint16, body []byte) []byte {
	d.seq++
	m := make([]byte, headerSize, headerSize+len(body))
	binary.NativeEndian.PutUint32(m[0:], uint32(headerSize+len(body)))
	binary.NativeEndian.PutUint16(m[4:], kind)
	binary.NativeEndian.PutUint16(m[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	binary.NativeEndian.PutUint32(m[8:], d.seq)
	return append(m, body...)
}

// each calls f for every socket in any of the states.
func (d *diag) each(states uint32, f func(conn)) error {
	for _, m := range d.requests(states) {
		if err := unix.Sendto(d.fd, m, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
			return fmt.Errorf("ask for sockets: %w", err)
		}
		seq := binary.NativeEndian.Uint32(m[8:])
		for done := false; !done; {
			n, _, flags, _, err := unix.Recvmsg(d.fd, d.buffer, nil, 0)
			switch {
			case errors.Is(err, unix.EINTR):
				continue
			case errors.Is(err, unix.ENOBUFS), flags&unix.MSG_TRUNC != 0:
				return fmt.Errorf("read sockets: %w", errOverrun)
			case err != nil:
				return fmt.Errorf("read sockets: %w", err)
			}
			if done, err = readMessages(d.buffer[:n], seq, f); err != nil {
				return fmt.Errorf("read sockets: %w", err)
			}
		}
	}
	return nil
}

// readMessages reads the messages of one part of a dump; done after its last.
func readMessages(b []byte, of uint32, f func(conn)) (done bool, err error) {
	for len(b) >= headerSize {
		size := int(binary.NativeEndian.Uint32(b))
		if size < headerSize || size > len(b) {
			return false, fmt.Errorf("a message of %d bytes in %d", size, len(b))
		}
		body, kind, seq := b[headerSize:size], binary.NativeEndian.Uint16(b[4:]), binary.NativeEndian.Uint32(b[8:])
		b = b[min(len(b), (size+3)&^3):]
		switch {
		case seq != of: // of a dump that was broken off
		case kind == unix.NLMSG_DONE:
			return true, nil
		case kind == unix.NLMSG_ERROR:
			if len(body) >= 4 {
				if code := int32(binary.NativeEndian.Uint32(body)); code != 0 {
					return true, unix.Errno(-code)
				}
			}
			return true, nil
		case kind == byFamily || kind == getSocket:
			if c, ok := parseConn(body); ok {
				f(c)
			}
		}
	}
	return false, nil
}

// parseConn reads a struct inet_diag_msg with its attributes; false for bytes that are
// none.
func parseConn(b []byte) (conn, bool) {
	if len(b) < diagMsgSize {
		return conn{}, false
	}
	var local, remote netip.Addr
	switch b[0] {
	case unix.AF_INET:
		local, remote = netip.AddrFrom4([4]byte(b[8:12])), netip.AddrFrom4([4]byte(b[24:28]))
	case unix.AF_INET6: // IPv4 on an IPv6 socket is IPv4 to everybody but that socket
		local, remote = netip.AddrFrom16([16]byte(b[8:24])).Unmap(), netip.AddrFrom16([16]byte(b[24:40])).Unmap()
	default:
		return conn{}, false
	}
	c := conn{
		state:  b[1],
		local:  netip.AddrPortFrom(local, binary.BigEndian.Uint16(b[4:])),
		remote: netip.AddrPortFrom(remote, binary.BigEndian.Uint16(b[6:])),
		queued: binary.NativeEndian.Uint32(b[56:]),
		uid:    binary.NativeEndian.Uint32(b[64:]),
		inode:  binary.NativeEndian.Uint32(b[68:]),
	}
	const attrHeader, infoAttr = 4, 2 // INET_DIAG_INFO
	for b = b[diagMsgSize:]; len(b) >= attrHeader; {
		n, kind := int(binary.NativeEndian.Uint16(b)), binary.NativeEndian.Uint16(b[2:])
		if n < attrHeader || n > len(b) {
			return conn{}, false
		}
		if kind == infoAttr {
			c.info, c.hasInfo = parseInfo(b[attrHeader:n])
		}
		b = b[min(len(b), (n+3)&^3):]
	}
	return c, true
}

// parseInfo reads a struct tcp_info (include/uapi/linux/tcp.h); false from a kernel that
// counts no segments of data in it (before 4.6).
func parseInfo(b []byte) (tcpInfo, bool) {
	if len(b) < 160 {
		return tcpInfo{}, false
	}
	ms := func(at int) time.Duration {
		return time.Duration(binary.NativeEndian.Uint32(b[at:])) * time.Millisecond
	}
	return tcpInfo{
		retransmits: b[2], unacked: binary.NativeEndian.Uint32(b[24:]),
		sent: ms(44), received: ms(52), acknowledged: ms(56),
		bytesIn: binary.NativeEndian.Uint64(b[128:]),
		in:      binary.NativeEndian.Uint32(b[152:]), out: binary.NativeEndian.Uint32(b[156:]),
	}, true
}
