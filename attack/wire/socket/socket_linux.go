package socket

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"runtime"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/attack"
)

// Socket is one stream socket; [Socket.Open] comes first. It is opened by system calls of our own and
// handed to Go's poller as a file, which saves the name look-ups, socket options
// and system calls of net.Dialer that a connection per request would pay for,
// and gives access to the descriptor. Errors are errnos, io.EOF and
// os.ErrDeadlineExceeded, not wrapped.
//
// One goroutine reads and one writes at a time; SetDeadline is safe from any.
type Socket struct {
	file   *os.File // nil: it waits in a seat
	raw    syscall.RawConn
	seat   *seat // of a poller of ours; nil: Go's poller has the file
	fd     int32
	tcp    bool
	abrupt bool          // Close sends a RST
	sent   bool          // in a seat: something was written
	quick  bool          // in a seat: TCP_NODELAY is set
	wait   bool          // the next step waits for data before it reads
	peer   unix.Sockaddr // of a connect that is under way, nil once connected

	// The read or exchange under way, run by step inside the poller's loop.
	step func(fd uintptr) bool
	out  []byte // still to be written
	in   []byte // to read into; nil with drop > 0
	drop int    // bytes to discard in the kernel
	n    int
	err  error
}

// Open begins to connect to an address, or to the Unix socket at path.
// A valid local address is bound to without choosing a port, so that each local
// address has the whole port range (IP_BIND_ADDRESS_NO_PORT, ip(7)). A poller is for
// TCP sockets that serve one request; nil: Go's, which is quicker for those that wait often.
func (socket *Socket) Open(remote netip.AddrPort, path string, local netip.Addr, by *Poller) error {
	family, sa := unix.AF_UNIX, unix.Sockaddr(nil)
	var to address
	if path != "" {
		sa = &unix.SockaddrUnix{Name: path}
	} else if family = to.set(remote); family == 0 {
		family, sa = sockaddr(remote)
	}
	fd, _, errno := syscall.RawSyscall(unix.SYS_SOCKET, uintptr(family), unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if errno != 0 {
		return errno
	}
	socket.fd, socket.tcp = int32(fd), path == ""
	if err := socket.dial(sa, &to, remote, local, by == nil); err != nil {
		unix.Close(int(fd))
		return err
	}
	if by != nil && socket.tcp {
		by.sit(socket)
		return nil
	}
	socket.step = socket.advance
	socket.file = os.NewFile(fd, "socket")
	var err error
	if socket.raw, err = socket.file.SyscallConn(); err != nil {
		socket.file.Close()
	}
	return err
}

// dial begins to connect, to sa or, without one, to an address; quick sets TCP_NODELAY.
func (socket *Socket) dial(sa unix.Sockaddr, to *address, remote netip.AddrPort, local netip.Addr, quick bool) error {
	fd := int(socket.fd)
	if socket.tcp && quick {
		socket.hurry()
	}
	if socket.tcp && local.IsValid() {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
		_, from := sockaddr(netip.AddrPortFrom(local, 0))
		if err := unix.Bind(fd, from); err != nil {
			return err
		}
	}
	met := to.connect(fd, sa)
	if met == unix.EINPROGRESS || met == unix.EINTR {
		// Over loopback the handshake is over before connect returns.
		met = to.connect(fd, sa)
	}
	switch met {
	case 0, unix.EISCONN:
	case unix.EALREADY, unix.EINPROGRESS, unix.EINTR:
		if socket.peer = sa; sa == nil {
			_, socket.peer = sockaddr(remote)
		}
	case unix.EAGAIN: // a Unix socket whose backlog is full
		socket.peer = sa
	default:
		return met
	}
	return nil
}

// hurry sets TCP_NODELAY. Best effort: without it a request of several writes is only
// slower.
func (socket *Socket) hurry() {
	_ = unix.SetsockoptInt(int(socket.fd), unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
}

// writes notes that something is about to be written. Nothing delays the first write
// (RFC 1122 §4.2.3.4), so that a socket for one request need not be told.
func (socket *Socket) writes() {
	if socket.seat == nil || socket.quick {
		return
	}
	if !socket.sent {
		socket.sent = true
		return
	}
	socket.quick = true
	socket.hurry()
}

// rounds makes steps until one is the last, and waits between them; see [seat].
func (socket *Socket) rounds(out bool, step func(fd uintptr) bool) error {
	switch {
	case socket.seat != nil:
		return socket.seat.rounds(socket, out, step)
	case out:
		return socket.raw.Write(step)
	}
	return socket.raw.Read(step)
}

// progress makes the read or exchange that is prepared.
func (socket *Socket) progress() error {
	if socket.seat != nil {
		return socket.seat.rounds(socket, false, socket.advance)
	}
	return socket.raw.Read(socket.step)
}

// address is an IP address as the kernel takes it.
type address struct {
	raw  unix.RawSockaddrInet6 // or the shorter one of IPv4 in its place
	size uintptr
}

// set returns the family of an address, 0 for one with a zone.
func (a *address) set(to netip.AddrPort) int {
	port := *(*uint16)(unsafe.Pointer(&[2]byte{byte(to.Port() >> 8), byte(to.Port())}))
	if ip := to.Addr().Unmap(); ip.Is4() {
		*(*unix.RawSockaddrInet4)(unsafe.Pointer(&a.raw)) = unix.RawSockaddrInet4{Family: unix.AF_INET, Port: port, Addr: ip.As4()}
		a.size = unix.SizeofSockaddrInet4
		return unix.AF_INET
	}
	if to.Addr().Zone() != "" {
		return 0
	}
	a.raw = unix.RawSockaddrInet6{Family: unix.AF_INET6, Port: port, Addr: to.Addr().As16()}
	a.size = unix.SizeofSockaddrInet6
	return unix.AF_INET6
}

// connect is connect(2), to sa if there is one, of a descriptor that never blocks, hence
// without telling the scheduler.
func (a *address) connect(fd int, sa unix.Sockaddr) syscall.Errno {
	if sa != nil {
		if err := unix.Connect(fd, sa); err != nil {
			errno, ok := err.(syscall.Errno)
			if !ok {
				return unix.EINVAL // a path that no address has room for
			}
			return errno
		}
		return 0
	}
	_, _, errno := syscall.RawSyscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&a.raw)), a.size)
	return errno
}

func sockaddr(a netip.AddrPort) (family int, sa unix.Sockaddr) {
	if ip := a.Addr().Unmap(); ip.Is4() {
		return unix.AF_INET, &unix.SockaddrInet4{Port: int(a.Port()), Addr: ip.As4()}
	}
	sa6 := &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
	if zone := a.Addr().Zone(); zone != "" {
		if ifi, err := net.InterfaceByName(zone); err == nil {
			sa6.ZoneId = uint32(ifi.Index)
		}
	}
	return unix.AF_INET6, sa6
}

// Connected reports whether the connection is established: then Finish waits for
// nobody.
func (socket *Socket) Connected() bool { return socket.peer == nil }

// Finish waits until the connection is established.
func (socket *Socket) Finish() error {
	for socket.peer != nil {
		var full bool
		err := socket.rounds(true, func(fd uintptr) bool {
			full = false
			switch socket.err = unix.Connect(int(fd), socket.peer); socket.err {
			case unix.EALREADY, unix.EINPROGRESS, unix.EINTR:
				return false
			case unix.EAGAIN:
				full = true
			case nil, unix.EISCONN:
				socket.err, socket.peer = nil, nil
			}
			return true
		})
		switch {
		case err != nil:
			return err
		case full:
			// Nothing tells when a Unix socket's backlog has room again.
			<-time.After(time.Millisecond)
			if err := socket.raw.Write(func(uintptr) bool { return true }); err != nil {
				return err // the deadline
			}
		case socket.err != nil:
			return socket.err
		}
	}
	return nil
}

// advance is one round of the poller's loop. Write, wait and read are one
// round trip through the poller: an answer cannot come before the request, so
// the read that would find nothing is left out.
func (socket *Socket) advance(fd uintptr) bool {
	if len(socket.out) > 0 {
		socket.writes()
		n, err := ignoreEINTR(unix.SYS_WRITE, fd, unsafe.Pointer(&socket.out[0]), len(socket.out), 0)
		if err != 0 && err != unix.EAGAIN {
			socket.err = err
			return true
		}
		socket.out = socket.out[max(n, 0):]
		if len(socket.out) > 0 {
			return true // the caller writes the rest
		}
		socket.wait = true
	}
	if socket.wait {
		socket.wait = false
		return false
	}
	var n int
	var errno syscall.Errno
	if socket.in != nil {
		n, errno = ignoreEINTR(unix.SYS_READ, fd, unsafe.Pointer(&socket.in[0]), len(socket.in), 0)
	} else {
		n, errno = ignoreEINTR(unix.SYS_RECVFROM, fd, nil, socket.drop, unix.MSG_TRUNC)
	}
	switch {
	case errno == unix.EAGAIN:
		return false
	case errno != 0:
		socket.err = errno
	case n == 0:
		socket.err = io.EOF
	default:
		socket.n = n
	}
	return true
}

// ignoreEINTR makes a system call on a descriptor that never blocks, hence
// without telling the scheduler.
func ignoreEINTR(call, fd uintptr, p unsafe.Pointer, n, flags int) (int, syscall.Errno) {
	for {
		r, _, errno := syscall.RawSyscall6(call, fd, uintptr(p), uintptr(n), uintptr(flags), 0, 0)
		if errno == syscall.EINTR {
			continue
		}
		if errno != 0 {
			return -1, errno
		}
		return int(r), 0
	}
}

// Exchange writes out and reads the first bytes of the answer. rest is what is
// left to write: when it is not empty the caller writes it and then reads.
func (socket *Socket) Exchange(out, in []byte) (rest []byte, n int, err error) {
	socket.out, socket.in, socket.n, socket.err, socket.wait = out, in, 0, nil, false
	err = socket.progress()
	rest, socket.out, socket.in = socket.out, nil, nil
	if err == nil {
		err = socket.err
	}
	return rest, socket.n, err
}

// Read reads what there is.
func (socket *Socket) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	_, n, err := socket.Exchange(nil, p)
	return n, err
}

// Discard drops up to max bytes of input without copying them to us: for TCP,
// MSG_TRUNC with a nil buffer (tcp(7)).
func (socket *Socket) Discard(max int, scratch []byte) (int, error) {
	if !socket.tcp {
		return socket.Read(scratch[:min(max, len(scratch))])
	}
	socket.in, socket.drop, socket.n, socket.err, socket.wait = nil, max, 0, nil, false
	err := socket.progress()
	if err == nil {
		err = socket.err
	}
	return socket.n, err
}

// Write writes all of p or returns how much it wrote before the error.
func (socket *Socket) Write(p []byte) (int, error) {
	if socket.seat == nil {
		n, err := socket.file.Write(p)
		return n, bare(err)
	}
	socket.writes()
	written := 0
	var failed error
	err := socket.rounds(true, func(fd uintptr) bool {
		for written < len(p) {
			n, errno := ignoreEINTR(unix.SYS_WRITE, fd, unsafe.Pointer(&p[written]), len(p)-written, 0)
			if errno == unix.EAGAIN {
				return false
			}
			if errno != 0 {
				failed = errno
				return true
			}
			written += n
		}
		return true
	})
	if err == nil {
		err = failed
	}
	return written, err
}

// bare returns the cause of a file's error.
func bare(err error) error {
	if err == nil {
		return nil
	}
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// SetDeadline ends reads and writes at t; it fails where the poller could not
// take the descriptor.
func (socket *Socket) SetDeadline(t time.Time) error {
	if socket.seat == nil {
		return socket.file.SetDeadline(t)
	}
	if t.IsZero() {
		return socket.seat.endAt(socket, Never)
	}
	return socket.seat.endAt(socket, socket.seat.poller.clock()+time.Until(t))
}

// EndAt is [Socket.SetDeadline] at a time of a clock, that of the socket's poller if it
// has one.
func (socket *Socket) EndAt(at time.Duration, clock func() time.Duration) error {
	if socket.seat != nil {
		return socket.seat.endAt(socket, at)
	}
	return socket.file.SetDeadline(instant(at, clock))
}

// ResetOnClose has Close send a RST and not a FIN (SO_LINGER with a time of 0,
// socket(7)).
func (socket *Socket) ResetOnClose() {
	socket.abrupt = true
	// Best effort: without it the close is an orderly one.
	_ = unix.SetsockoptLinger(int(socket.fd), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
}

// Close closes the socket.
func (socket *Socket) Close() error {
	if socket.seat == nil {
		return socket.file.Close()
	}
	if !socket.seat.leave(socket) {
		return os.ErrClosed
	}
	if _, _, errno := syscall.RawSyscall(unix.SYS_CLOSE, uintptr(socket.fd), 0, 0); errno != 0 {
		return errno
	}
	return nil
}

// LocalAddr returns the address that the connection comes from.
func (socket *Socket) LocalAddr() netip.AddrPort {
	if !socket.tcp {
		return netip.AddrPort{}
	}
	var raw unix.RawSockaddrInet6
	size := uint32(unsafe.Sizeof(raw))
	_, _, errno := syscall.RawSyscall(unix.SYS_GETSOCKNAME, uintptr(socket.fd), uintptr(unsafe.Pointer(&raw)), uintptr(unsafe.Pointer(&size)))
	runtime.KeepAlive(socket)
	if errno != 0 {
		return netip.AddrPort{}
	}
	port := (*[2]byte)(unsafe.Pointer(&raw.Port))
	switch raw.Family {
	case unix.AF_INET:
		return netip.AddrPortFrom(netip.AddrFrom4((*unix.RawSockaddrInet4)(unsafe.Pointer(&raw)).Addr), uint16(port[0])<<8|uint16(port[1]))
	case unix.AF_INET6:
		return netip.AddrPortFrom(netip.AddrFrom16(raw.Addr), uint16(port[0])<<8|uint16(port[1]))
	}
	return netip.AddrPort{}
}

// States of TCP as tcp_info gives them (include/net/tcp_states.h).
const (
	tcpClose     = 7
	tcpCloseWait = 8
)

// Fate looks at the state that the kernel keeps. A socket that we have not
// closed is in state CLOSE only after a RST, or when the kernel gave up on it,
// which SO_ERROR tells apart; a FIN before the RST hides it from recv.
func (socket *Socket) Fate() (Fate, error) {
	if !socket.tcp {
		return socket.unixFate()
	}
	var info [1]byte // the state is the first byte of tcp_info
	size := uint32(len(info))
	_, _, errno := syscall.RawSyscall6(unix.SYS_GETSOCKOPT, uintptr(socket.fd), unix.IPPROTO_TCP, unix.TCP_INFO,
		uintptr(unsafe.Pointer(&info[0])), uintptr(unsafe.Pointer(&size)), 0)
	runtime.KeepAlive(socket)
	if errno != 0 {
		return Alive, errno
	}
	switch info[0] {
	case tcpClose:
		errno, err := unix.GetsockoptInt(int(socket.fd), unix.SOL_SOCKET, unix.SO_ERROR)
		if err != nil {
			return Failed, err
		}
		switch e := syscall.Errno(errno); e {
		case 0, syscall.ECONNRESET, syscall.EPIPE:
			return Reset, syscall.ECONNRESET
		default:
			return Failed, e
		}
	case tcpCloseWait:
		return Finned, io.EOF
	}
	return Alive, nil
}

// End sends our FIN and returns what had become of the socket by then. A RST that comes between
// a look at it and the close is lost; here the kernel says which of the two was first. Nothing
// is sent where Close is to send a RST.
func (socket *Socket) End() (Fate, error) {
	if !socket.tcp || socket.abrupt {
		return socket.Fate()
	}
	_, _, errno := syscall.RawSyscall(unix.SYS_SHUTDOWN, uintptr(socket.fd), unix.SHUT_WR, 0)
	runtime.KeepAlive(socket)
	if errno == unix.ENOTCONN {
		return socket.Fate()
	}
	return Alive, nil
}

// unixFate peeks: a Unix socket has no states, and reports a peer that closed
// with unread data as ECONNRESET.
func (socket *Socket) unixFate() (Fate, error) {
	_, err := socket.Peek()
	switch err {
	case nil:
		return Alive, nil
	case io.EOF:
		return Finned, err
	case syscall.ECONNRESET:
		return Reset, err
	}
	return Failed, err
}

// Peek reports whether input is waiting.
func (socket *Socket) Peek() (waiting bool, err error) {
	var b [1]byte
	n, errno := ignoreEINTR(unix.SYS_RECVFROM, uintptr(socket.fd), unsafe.Pointer(&b[0]), 1, unix.MSG_PEEK|unix.MSG_DONTWAIT)
	runtime.KeepAlive(socket)
	switch {
	case errno == unix.EAGAIN:
		return false, nil
	case errno != 0:
		return false, errno
	case n == 0:
		return false, io.EOF
	}
	return true, nil
}

// Info returns the kernel's view of the connection.
func (socket *Socket) Info() attack.TCPInfo {
	if !socket.tcp {
		return attack.TCPInfo{}
	}
	ti, err := unix.GetsockoptTCPInfo(int(socket.fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return attack.TCPInfo{}
	}
	return attack.TCPInfo{
		Valid:        true,
		State:        ti.State,
		Retransmits:  ti.Retransmits,
		TotalRetrans: ti.Total_retrans,
		Lost:         ti.Lost,
		Unacked:      ti.Unacked,
		NotSent:      ti.Notsent_bytes,
		OutOfOrder:   ti.Rcv_ooopack,
		RTT:          time.Duration(ti.Rtt) * time.Microsecond,
		RTTVar:       time.Duration(ti.Rttvar) * time.Microsecond,
	}
}

// CheckLocal reports whether this machine has a local address.
func CheckLocal(a netip.Addr) error {
	family, sa := sockaddr(netip.AddrPortFrom(a, 0))
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
	return unix.Bind(fd, sa)
}
