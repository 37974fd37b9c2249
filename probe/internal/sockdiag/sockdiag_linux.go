package sockdiag

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/probe"
)

// Conn is a netlink socket in the network namespace of the thread that opened it. It is
// not for concurrent use; any thread may use it.
type Conn struct {
	fd int
	// legacy is how to ask for IPv4 and IPv6 in one walk of the kernel's table, which is
	// most of the cost: the newer request takes one family at a time.
	legacy bool
	seq    uint32
	buffer []byte
}

// ErrOverrun means that the kernel had more to say than fitted; the next dump may fit.
var ErrOverrun = errors.New("the answer did not fit")

// The kernel sends a dump in parts, of 32 KB and less.
const bufferSize = 64 << 10

// Open opens a socket in the network namespace of the calling thread; what names in its
// error what cannot be read. The error matches [probe.ErrUnsupported] if this kernel does
// not tell of TCP sockets. Close the result.
func Open(what string) (*Conn, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nil, &probe.Unsupported{What: what, Reason: "open netlink: " + err.Error(), Needs: "a kernel with CONFIG_INET_DIAG"}
	}
	c := &Conn{fd: fd, legacy: true, buffer: make([]byte, bufferSize)}
	// Listeners are few: they show whether the kernel knows how to answer.
	if err = c.TCP(1<<Listen, 0, func([]byte) {}); err != nil {
		c.legacy = false
		err = c.TCP(1<<Listen, 0, func([]byte) {})
	}
	if err != nil {
		_ = c.Close()
		return nil, &probe.Unsupported{What: what, Reason: err.Error(), Needs: "a kernel with CONFIG_INET_TCP_DIAG"}
	}
	return c, nil
}

// Close closes the socket. It may be called again, and on none.
func (c *Conn) Close() error {
	if c == nil || c.fd < 0 {
		return nil
	}
	fd := c.fd
	c.fd = -1
	return unix.Close(fd)
}

// TCP calls visit with a struct inet_diag_msg and its attributes for every TCP socket in
// any of the states, a bit each (1 << 10: listening). extensions are the attributes that
// are wanted, a bit each (1 << 1: struct tcp_info). The bytes are valid during the visit.
// Where only listeners are wanted the kernel does not walk the connections.
func (c *Conn) TCP(states uint32, extensions uint8, visit func([]byte)) error {
	if c.legacy {
		b := make([]byte, 60) // family, two lengths, extensions; the socket; states; marker
		b[3] = extensions
		binary.NativeEndian.PutUint32(b[52:], states)
		return c.dump(getSocket, b, visit)
	}
	for _, family := range [...]byte{unix.AF_INET, unix.AF_INET6} {
		b := make([]byte, 56)
		b[0], b[1], b[2] = family, unix.IPPROTO_TCP, extensions
		binary.NativeEndian.PutUint32(b[4:], states)
		if err := c.dump(byFamily, b, visit); err != nil {
			return err
		}
	}
	return nil
}

// Unix calls visit with a struct unix_diag_msg and its attributes for every Unix socket
// in any of the states, as [Conn.TCP] does. show says which attributes are wanted.
func (c *Conn) Unix(states, show uint32, visit func([]byte)) error {
	b := make([]byte, 24) // family, protocol, pad; states; inode; show; cookie
	b[0] = unix.AF_UNIX
	binary.NativeEndian.PutUint32(b[4:], states)
	binary.NativeEndian.PutUint32(b[12:], show)
	return c.dump(byFamily, b, visit)
}

// dump asks and reads the answer to its end.
func (c *Conn) dump(kind uint16, body []byte, visit func([]byte)) error {
	c.seq++
	m := make([]byte, headerSize, headerSize+len(body))
	binary.NativeEndian.PutUint32(m[0:], uint32(headerSize+len(body)))
	binary.NativeEndian.PutUint16(m[4:], kind)
	binary.NativeEndian.PutUint16(m[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	binary.NativeEndian.PutUint32(m[8:], c.seq)
	if err := unix.Sendto(c.fd, append(m, body...), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("ask for sockets: %w", err)
	}
	for {
		n, _, flags, _, err := unix.Recvmsg(c.fd, c.buffer, nil, 0)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.ENOBUFS), flags&unix.MSG_TRUNC != 0:
			return fmt.Errorf("read sockets: %w", ErrOverrun)
		case err != nil:
			return fmt.Errorf("read sockets: %w", err)
		}
		if done, err := readMessages(c.buffer[:n], c.seq, visit); err != nil {
			return fmt.Errorf("read sockets: %w", err)
		} else if done {
			return nil
		}
	}
}

// readMessages reads the messages of one part of a dump; done after its last.
func readMessages(b []byte, of uint32, visit func([]byte)) (done bool, err error) {
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
			visit(body)
		}
	}
	return false, nil
}
