package rst

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/probe"
)

// packetSocket is an AF_PACKET socket on all interfaces of a namespace. It is of
// type SOCK_DGRAM, so that packets begin at the network header whatever the link
// (packet(7)).
//
// It is not in Go's poller: that would wake up for every packet, also while they
// gather.
type packetSocket struct {
	fd   int
	bell *os.File // an eventfd: readable once wake was called
	data []byte
	oob  []byte
}

func openPacketSocket(netns string, filter []bpf.RawInstruction) (*packetSocket, error) {
	var fd int
	err := onNetns(netns, func() (err error) {
		// Protocol 0 receives nothing until the filter is in place.
		fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		return err
	})
	if err != nil {
		return nil, unsupportedCapture(netns, err)
	}
	if err := configurePacketSocket(fd, filter); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("open packet socket: %w", err)
	}
	bell, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("open event descriptor: %w", err)
	}
	return &packetSocket{
		fd: fd, bell: os.NewFile(uintptr(bell), "eventfd"),
		data: make([]byte, snapLength), oob: make([]byte, unix.CmsgSpace(16)),
	}, nil
}

func configurePacketSocket(fd int, filter []bpf.RawInstruction) error {
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: (*unix.SockFilter)(unsafe.Pointer(&filter[0]))}
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &program); err != nil {
		return fmt.Errorf("attach filter: %w", err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1); err != nil {
		return fmt.Errorf("ask for timestamps: %w", err)
	}
	const buffer = 8 << 20 // a fifth of a second of 20,000 packets/s
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, buffer) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, buffer) // CAP_NET_ADMIN is missing
	}
	all := binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, unix.ETH_P_ALL))
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all}); err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	return nil
}

func unsupportedCapture(netns string, err error) error {
	u := &probe.Unsupported{What: captureName}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		u.Reason, u.Needs = "there is no network namespace "+netns, "the path of one, as in /run/netns"
	case errors.Is(err, unix.EAFNOSUPPORT):
		u.Reason, u.Needs = "the kernel was built without packet sockets", "CONFIG_PACKET"
	case errors.Is(err, fs.ErrPermission) && netns != "":
		u.Reason, u.Needs = "this process may not capture in network namespace "+netns, "root, or CAP_NET_RAW and CAP_SYS_ADMIN"
	case errors.Is(err, fs.ErrPermission):
		u.Reason, u.Needs = "this process may not capture packets", "root or CAP_NET_RAW"
	default:
		return fmt.Errorf("open packet socket: %w", err)
	}
	return u
}

func (s *packetSocket) close() error {
	return errors.Join(unix.Close(s.fd), s.bell.Close())
}

// wake ends all waiting. It may be called from any goroutine, also after close.
func (s *packetSocket) wake() { _, _ = s.bell.Write(binary.NativeEndian.AppendUint64(nil, 1)) }

// wait blocks the thread until a packet is there, the time is over or wake was
// called.
func (s *packetSocket) wait(limit time.Duration) error { return s.poll(limit, s.fd) }

// gather blocks the thread until the time is over or wake was called.
func (s *packetSocket) gather(limit time.Duration) error { return s.poll(limit) }

func (s *packetSocket) poll(limit time.Duration, more ...int) error {
	conn, err := s.bell.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = conn.Control(func(bell uintptr) {
		fds := []unix.PollFd{{Fd: int32(bell), Events: unix.POLLIN}}
		for _, fd := range more {
			fds = append(fds, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
		}
		_, failed = unix.Poll(fds, int(limit.Milliseconds()))
	})
	if errors.Is(failed, unix.EINTR) {
		failed = nil // a little early
	}
	return errors.Join(err, failed)
}

// drain hands on the packets that are there.
func (s *packetSocket) drain(visit func(l link, wall time.Time, length int, data []byte)) error {
	for {
		if more, err := s.receive(visit); err != nil || !more {
			return err
		}
	}
}

func (s *packetSocket) receive(visit func(l link, wall time.Time, length int, data []byte)) (more bool, err error) {
	n, oobn, _, from, err := unix.Recvmsg(s.fd, s.data, s.oob, unix.MSG_DONTWAIT|unix.MSG_TRUNC)
	switch {
	case errors.Is(err, unix.EAGAIN):
		return false, nil
	case errors.Is(err, unix.EINTR):
		return true, nil
	case errors.Is(err, unix.ENETDOWN):
		return true, nil // an interface went down; the others go on
	case err != nil:
		return false, err
	}
	ll, ok := from.(*unix.SockaddrLinklayer)
	if !ok {
		return true, nil
	}
	l := link{
		proto:   binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, ll.Protocol)),
		ifindex: ll.Ifindex, hatype: ll.Hatype, pkttype: ll.Pkttype, addr: ll.Addr[:min(int(ll.Halen), len(ll.Addr))],
	}
	visit(l, stamp(s.oob[:oobn]), n, s.data[:min(n, len(s.data))])
	return true, nil
}

// stamp is the kernel's time of a packet, or now if it gives none.
func stamp(oob []byte) time.Time {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err == nil {
		for _, m := range messages {
			if m.Header.Level != unix.SOL_SOCKET || m.Header.Type != unix.SO_TIMESTAMPNS {
				continue
			}
			switch o := binary.NativeEndian; len(m.Data) {
			case 16:
				return time.Unix(int64(o.Uint64(m.Data)), int64(o.Uint64(m.Data[8:])))
			case 8: // 32-bit systems
				return time.Unix(int64(int32(o.Uint32(m.Data))), int64(o.Uint32(m.Data[4:])))
			}
		}
	}
	return time.Now()
}

// drops is how many packets the kernel had no room for since the last call.
func (s *packetSocket) drops() (uint64, error) {
	stats, err := unix.GetsockoptTpacketStats(s.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		return 0, fmt.Errorf("read packet statistics: %w", err)
	}
	return uint64(stats.Drops), nil
}
