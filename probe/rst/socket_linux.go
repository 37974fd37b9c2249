package rst

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/rst/bpf"
)

// socketSource takes packets with a packet socket an interface, where the kernel
// does not run programs of ours: a filter of the classic kind picks RSTs and
// SYN-ACKs (see captureFilter), and everything else is done here.
type socketSource struct {
	ports   []uint16
	sockets map[int]packetSocket // by descriptor
	sampled uint                 // of 2^sampled SYN-ACKs one is taken
	since   time.Duration        // when answers was 0
	answers int                  // SYN-ACKs taken since then
	resets  []arrived            // of one reading
	data    []byte
	oob     []byte
}

// packetSocket is a packet socket of type SOCK_DGRAM, so that packets begin at the
// network header whatever the link (packet(7)). It is not in Go's poller: that would
// wake up for every packet, also while they gather.
type packetSocket int

func newSocketSource(ports []uint16) *socketSource {
	return &socketSource{
		ports: ports, sockets: map[int]packetSocket{},
		data: make([]byte, snapLength), oob: make([]byte, unix.CmsgSpace(16)),
	}
}

// attach opens a socket on an interface of the calling thread's namespace.
func (s *socketSource) attach(n nic) (io.Closer, error) {
	fd, err := bpf.OpenTap(n.index, n.loopback(), func(fd int) error {
		if err := s.filter(fd); err != nil {
			return err
		}
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1); err != nil {
			return fmt.Errorf("ask for timestamps: %w", err)
		}
		const buffer = 8 << 20 // a fifth of a second of 20,000 packets/s
		if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, buffer) != nil {
			_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, buffer) // CAP_NET_ADMIN is missing
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.sockets[fd] = packetSocket(fd)
	return closer(func() error {
		delete(s.sockets, fd)
		return unix.Close(fd)
	}), nil
}

type closer func() error

func (c closer) Close() error { return c() }

func (s *socketSource) filter(fd int) error {
	filter, err := captureFilter(s.ports, s.sampled)
	if err != nil {
		return err
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: (*unix.SockFilter)(unsafe.Pointer(&filter[0]))}
	return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &program)
}

// read hands the packets that are there to the reader.
func (s *socketSource) read(r *captureReader) error {
	for _, socket := range s.sockets {
		if err := socket.drain(s, r); err != nil {
			return fmt.Errorf("read packets: %w", err)
		}
	}
	r.takeAll(s.resets)
	clear(s.resets)
	s.resets = s.resets[:0]
	return s.sample(r.capture.opts.Clock.Now())
}

// SYN-ACKs are many where connections are short, and each that is taken costs as
// much as part of a request. From so many a second on a sample of them is taken: the
// TTL of a flow is then that of another flow of the same server.
const mostAnswers = 1000

// sample adapts the filters to the rate of SYN-ACKs, once a second at most.
func (s *socketSource) sample(now time.Duration) error {
	past := now - s.since
	if past < time.Second && s.answers < mostAnswers {
		return nil
	}
	want := sampling(float64(s.answers)*float64(uint64(1)<<s.sampled)/max(past, time.Millisecond).Seconds(), s.sampled)
	s.since, s.answers = now, 0
	if want == s.sampled {
		return nil
	}
	s.sampled = want
	for fd := range s.sockets {
		if err := s.filter(fd); err != nil {
			return fmt.Errorf("attach packet filter: %w", err)
		}
	}
	return nil
}

// sampling is the binary logarithm of how many SYN-ACKs one is to be taken of, at so
// many a second. It goes back only at half of what it takes to go on.
func sampling(perSecond float64, now uint) uint {
	want := uint(0)
	for perSecond > mostAnswers {
		perSecond, want = perSecond/2, want+1
	}
	if want == now-1 && perSecond > mostAnswers/2 {
		return now
	}
	return min(want, 16)
}

func (s *socketSource) lost() (lost uint64, err error) {
	for _, socket := range s.sockets {
		n, serr := socket.drops()
		lost, err = lost+n, errors.Join(err, serr)
	}
	return lost, err
}

func (s *socketSource) close() {}

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

// drain hands on the packets that are there.
func (p packetSocket) drain(s *socketSource, r *captureReader) error {
	for {
		if more, err := p.receive(s, r); err != nil || !more {
			return err
		}
	}
}

func (p packetSocket) receive(s *socketSource, r *captureReader) (more bool, err error) {
	n, oobn, _, from, err := unix.Recvmsg(int(p), s.data, s.oob, unix.MSG_DONTWAIT|unix.MSG_TRUNC)
	switch {
	case errors.Is(err, unix.EAGAIN):
		return false, nil
	case errors.Is(err, unix.EINTR):
		return true, nil
	case errors.Is(err, unix.ENETDOWN):
		return true, nil // the interface went down; it may come back
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
	if a, ok := r.packet(l, stamp(s.oob[:oobn]), n, s.data[:min(n, len(s.data))]); ok {
		s.resets = append(s.resets, a)
	} else {
		s.answers++
	}
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
func (p packetSocket) drops() (uint64, error) {
	stats, err := unix.GetsockoptTpacketStats(int(p), unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		return 0, fmt.Errorf("read packet statistics: %w", err)
	}
	return uint64(stats.Drops), nil
}
