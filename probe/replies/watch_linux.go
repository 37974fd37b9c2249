package replies

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/internal/netns"
	"github.com/rampload/rampload/probe/internal/sockdiag"
)

// Replies reads error replies that services of a host send, or get from hosts that nobody
// watches, as events of the kind [probe.LogLine]. It needs CAP_NET_RAW, and is for one
// Watch.
type Replies struct {
	opts    Options
	kinds   uint64 // replies of more kinds than are told
	lookups uint64 // questions to name servers that were not followed
	busy    bool   // HTTP/2 was not followed to the end
}

var (
	_ probe.Watcher       = (*Replies)(nil)
	_ probe.PartialSource = (*Replies)(nil)
)

// New returns a watcher that reads nothing yet.
func New(o Options) *Replies { return &Replies{opts: o} }

// Source names the source in reports.
func (r *Replies) Source() probe.Source {
	return probe.Source{Host: r.opts.Host, Name: sourceName}
}

// Missing says what was not told, nil for nothing.
func (r *Replies) Missing() []*probe.Unsupported {
	var out []*probe.Unsupported
	if r.kinds > 0 {
		out = append(out, &probe.Unsupported{What: sourceName, Reason: fmt.Sprintf("%d were of more kinds than are told in a second", r.kinds)})
	}
	if r.lookups > 0 {
		out = append(out, &probe.Unsupported{What: sourceName, Reason: fmt.Sprintf("%d look-ups were not followed: more than %d had no answer at once", r.lookups, maxLookups)})
	}
	if r.busy {
		out = append(out, &probe.Unsupported{What: "streams", Reason: fmt.Sprintf("more than %d packets of HTTP/2 came in a second: its streams were followed up to then", maxFrames)})
	}
	return out
}

// Check says whether replies can be read here.
func (r *Replies) Check() error {
	fd, err := r.open()
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

// gather is how long replies gather, so that many cost one wake-up; buffer is how much of
// them the kernel keeps meanwhile. Those beyond are known by their number alone.
const (
	gather = 50 * time.Millisecond
	buffer = 512 << 10
)

func (r *Replies) open() (fd int, err error) {
	err = netns.Namespace{Path: r.opts.Netns}.Inside(func(int) error {
		// Protocol 0 receives nothing until the filter is in place.
		if fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0); err != nil {
			return err
		}
		if err = attach(fd, true); err == nil {
			_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, buffer)
			all := binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, unix.ETH_P_ALL))
			err = unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all}) // of all interfaces
		}
		if err != nil {
			_ = unix.Close(fd)
		}
		return err
	})
	switch {
	case errors.Is(err, fs.ErrPermission):
		return -1, &probe.Unsupported{What: sourceName, Reason: "this process may not read packets", Needs: "root or CAP_NET_RAW"}
	case errors.Is(err, fs.ErrNotExist):
		return -1, &probe.Unsupported{What: sourceName, Reason: err.Error()}
	case err != nil:
		return -1, fmt.Errorf("open packet socket: %w", err)
	}
	return fd, nil
}

// sockets opens what tells of the sockets of the host.
func (r *Replies) sockets() (conn *sockdiag.Conn, err error) {
	err = netns.Namespace{Path: r.opts.Netns}.Inside(func(int) error {
		conn, err = sockdiag.Open("streams")
		return err
	})
	return conn, err
}

// established calls visit with the ends of every connection that is established.
func established(sockets *sockdiag.Conn, visit func(local, remote netip.AddrPort)) error {
	return sockets.TCP(1<<sockdiag.Established, 0, func(b []byte) {
		if s, _, ok := sockdiag.Parse(b); ok {
			visit(s.Local, s.Remote)
		}
	})
}

// attach gives a socket its filter, or another one.
func attach(fd int, multiplexed bool) error {
	program, err := filter(multiplexed)
	if err != nil {
		return err
	}
	prog := unix.SockFprog{Len: uint16(len(program)), Filter: (*unix.SockFilter)(unsafe.Pointer(&program[0]))}
	return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &prog)
}

// maxFrames bounds the packets of HTTP/2 that are read in a second, as each costs about two
// microseconds.
const maxFrames = 4000

// Watch reads replies until ctx is done.
func (r *Replies) Watch(ctx context.Context, emit func(probe.Event)) error {
	fd, err := r.open()
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	f := &folder{opts: r.opts, kinds: map[kind]*tally{}}
	names := &lookups{open: map[lookup]seen{}}
	h2 := &streams{}
	if sockets, err := r.sockets(); err == nil { // else a connection that ended is told of for a while
		defer sockets.Close()
		h2.established = func(visit func(local, remote netip.AddrPort)) error { return established(sockets, visit) }
	}
	data := make([]byte, snapLength)
	tick := time.NewTicker(gather)
	defer tick.Stop()
	for done := false; !done; {
		select {
		case <-ctx.Done():
			done = true
		case <-tick.C:
		}
		if err := r.drain(fd, data, f, names, h2, emit); err != nil {
			return err
		}
		now := r.opts.Clock.Now()
		names.overdue(now, func(s seen) { f.late(s, emit) })
		f.flush(now, done, emit)
		if h2.packets > maxFrames && !r.busy {
			r.busy = true
			if err := attach(fd, false); err != nil {
				return fmt.Errorf("attach packet filter: %w", err)
			}
			clear(h2.conns)
		}
		h2.flush(r.opts, now, done, emit)
	}
	r.kinds, r.lookups = f.lost, names.lost
	return nil
}

// drain takes the packets that are there: look-ups go to names, error replies to f. A packet
// of the last moments counts as of now.
func (r *Replies) drain(fd int, data []byte, f *folder, names *lookups, h2 *streams, emit func(probe.Event)) error {
	now := r.opts.Clock.Now()
	for {
		n, from, err := unix.Recvfrom(fd, data, unix.MSG_DONTWAIT)
		switch {
		case errors.Is(err, unix.EAGAIN):
			stats, err := unix.GetsockoptTpacketStats(fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
			if err == nil && stats.Drops > 0 {
				names.forget()
				clear(h2.conns)
			}
			if err == nil && stats.Drops > 0 && stats.Packets > stats.Drops {
				f.more(float64(stats.Drops) / float64(stats.Packets-stats.Drops))
			}
			f.tick()
			return nil
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.ENETDOWN):
			continue
		case err != nil:
			return fmt.Errorf("read packets: %w", err)
		}
		ll, ok := from.(*unix.SockaddrLinklayer)
		if !ok {
			continue
		}
		proto := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, ll.Protocol))
		if s, ok := decode(proto, data[:n]); ok {
			s.at = now
			if s.message.name != "" && !r.opts.SentOnly {
				names.take(s, r.opts.Local)
			}
			if s.reply.Text != "" || s.well || s.nothing {
				f.take(s, emit)
			}
			if s.frames != nil && !r.busy {
				h2.take(s.from, s.to, s.frames, s.whole, now)
			}
		}
	}
}

// decode reads a packet from its network header on.
func decode(proto uint16, b []byte) (s seen, ok bool) {
	var src, dst netip.Addr
	var next byte
	taken, length := len(b), 0
	switch {
	case proto == protoIPv4 && len(b) >= 20 && len(b) >= int(b[0]&15)*4:
		src, dst, next = netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20])), b[9]
		length = int(binary.BigEndian.Uint16(b[2:]))
		b = b[:min(len(b), length)] // short frames are padded
		b = b[min(len(b), int(b[0]&15)*4):]
	case proto == protoIPv6 && len(b) >= 40:
		src, dst, next = netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40])), b[6]
		length = 40 + int(binary.BigEndian.Uint16(b[4:]))
		b = b[40:min(len(b), length)]
	default:
		return s, false
	}
	if len(b) < 8 {
		return s, false
	}
	s.from, s.to = netip.AddrPortFrom(src.Unmap(), binary.BigEndian.Uint16(b)), netip.AddrPortFrom(dst.Unmap(), binary.BigEndian.Uint16(b[2:]))
	if next == 17 {
		s.message, ok = readMessage(b[8:])
		s.reply, _ = s.message.reply()
		return s, ok
	}
	if len(b) < 20 || len(b) < int(b[12]>>4)*4 {
		return s, false
	}
	b = b[int(b[12]>>4)*4:]
	s.reply, ok = Read(b)
	if !ok && isFrame(b) {
		s.frames, s.whole = b, taken >= length
		return s, true
	}
	s.well, s.nothing = !ok && Well(b), Nothing(b)
	return s, ok || s.well || s.nothing
}
