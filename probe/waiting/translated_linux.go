package waiting

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/internal/sockdiag"
)

// translation reads which destination addresses a network namespace translates to which others, from
// its connection tracking (DNAT: the virtual address of a balancer, the published port of a container).
type translation struct {
	fd     int // -1: not opened, or this kernel has none
	seq    uint32
	buffer []byte
	due    time.Time
	seen   map[[2]netip.AddrPort]float64
}

const (
	// maxTracked is the number of tracked connections above which none are read, as a dump would take too
	// long.
	maxTracked       = 20_000
	translationEvery = 5 * time.Second
	maxTranslations  = 64
)

// openTranslation opens connection tracking in the network namespace of the calling thread. Without it
// the result has no translations.
func openTranslation() translation {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		fd = -1
	}
	return translation{fd: fd, seen: map[[2]netip.AddrPort]float64{}}
}

func (t *translation) close() error {
	if t.fd < 0 {
		return nil
	}
	fd := t.fd
	t.fd = -1
	return unix.Close(fd)
}

// read dumps the tracked connections from time to time, if there are not too many. tracked is how many
// there are.
func (t *translation) read(now time.Time, tracked func() (int, bool)) {
	if t.fd < 0 || now.Before(t.due) {
		return
	}
	t.due = now.Add(translationEvery)
	if n, known := tracked(); !known || n == 0 || n > maxTracked {
		return
	}
	for k := range t.seen {
		t.seen[k] = 0
	}
	if err := t.dump(); err != nil {
		_ = t.close()
	}
}

// tracked returns how many connections the calling thread's namespace tracks.
func tracked(file *os.File) (int, bool) {
	if file == nil {
		return 0, false
	}
	var b [32]byte
	n, err := file.ReadAt(b[:], 0)
	if n == 0 && err != nil {
		return 0, false
	}
	v, err := strconv.Atoi(strings.TrimSpace(string(b[:n])))
	return v, err == nil
}

// dump asks for all tracked connections (IPCTNL_MSG_CT_GET).
func (t *translation) dump() error {
	const get = 1<<8 | 1 // NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET
	if t.buffer == nil {
		t.buffer = make([]byte, 64<<10)
	}
	t.seq++
	m := make([]byte, unix.SizeofNlMsghdr+4) // struct nfgenmsg: any family
	binary.NativeEndian.PutUint32(m[0:], uint32(len(m)))
	binary.NativeEndian.PutUint16(m[4:], get)
	binary.NativeEndian.PutUint16(m[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	binary.NativeEndian.PutUint32(m[8:], t.seq)
	if err := unix.Sendto(t.fd, m, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("ask for tracked connections: %w", err)
	}
	for {
		n, _, flags, _, err := unix.Recvmsg(t.fd, t.buffer, nil, 0)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return fmt.Errorf("read tracked connections: %w", err)
		case flags&unix.MSG_TRUNC != 0:
			return fmt.Errorf("read tracked connections: %w", sockdiag.ErrOverrun)
		}
		for b := t.buffer[:n]; len(b) >= unix.SizeofNlMsghdr; {
			size, kind := int(binary.NativeEndian.Uint32(b)), binary.NativeEndian.Uint16(b[4:])
			if size < unix.SizeofNlMsghdr || size > len(b) {
				return fmt.Errorf("read tracked connections: a message of %d bytes in %d", size, len(b))
			}
			if kind == unix.NLMSG_DONE || kind == unix.NLMSG_ERROR {
				return nil
			}
			if size >= unix.SizeofNlMsghdr+4 {
				if asked, given, ok := parseTracked(b[unix.SizeofNlMsghdr+4 : size]); ok && asked != given {
					t.add(asked, given)
				}
			}
			b = b[min(len(b), (size+3)&^3):]
		}
	}
}

func (t *translation) add(asked, given netip.AddrPort) {
	key := [2]netip.AddrPort{asked, given}
	if _, known := t.seen[key]; known || len(t.seen) < maxTranslations {
		t.seen[key]++
	}
}

func (t *translation) emit(host string, emit func(probe.Reading)) {
	keys := make([][2]netip.AddrPort, 0, len(t.seen))
	for k := range t.seen {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b [2]netip.AddrPort) int { return cmp.Or(a[0].Compare(b[0]), a[1].Compare(b[1])) })
	for _, k := range keys {
		emit(probe.Reading{
			Metric: probe.Metric{Host: host, Name: probe.Translated, Instance: k[0].String() + " " + k[1].String()},
			Value:  t.seen[k], Limit: probe.NoLimit(),
		})
	}
}

// parseTracked reads the original and the translated destination of a tracked TCP connection
// (include/uapi/linux/netfilter/nfnetlink_conntrack.h); false for other protocols.
func parseTracked(b []byte) (asked, given netip.AddrPort, ok bool) {
	const original, reply = 1, 2 // CTA_TUPLE_ORIG, CTA_TUPLE_REPLY
	attributes(b, func(kind uint16, v []byte) {
		switch kind {
		case original:
			_, asked = parseTuple(v)
		case reply:
			given, _ = parseTuple(v)
		}
	})
	return asked, given, asked.IsValid() && given.IsValid()
}

// parseTuple reads source and destination of one direction; neither is valid for
// protocols other than TCP.
func parseTuple(b []byte) (from, to netip.AddrPort) {
	const (
		addresses, protocol                  = 1, 2 // CTA_TUPLE_IP, CTA_TUPLE_PROTO
		fromV4, toV4, fromV6, toV6           = 1, 2, 3, 4
		protocolNumber, fromPort, toPortAttr = 1, 2, 3
	)
	var source, destination netip.Addr
	var ports [2]uint16
	tcp := false
	attributes(b, func(kind uint16, v []byte) {
		attributes(v, func(inner uint16, x []byte) {
			switch {
			case kind == addresses && (inner == fromV4 && len(x) == 4 || inner == fromV6 && len(x) == 16):
				source, _ = netip.AddrFromSlice(x)
			case kind == addresses && (inner == toV4 && len(x) == 4 || inner == toV6 && len(x) == 16):
				destination, _ = netip.AddrFromSlice(x)
			case kind == protocol && inner == protocolNumber && len(x) >= 1:
				tcp = x[0] == unix.IPPROTO_TCP
			case kind == protocol && (inner == fromPort || inner == toPortAttr) && len(x) >= 2:
				ports[inner-fromPort] = binary.BigEndian.Uint16(x)
			}
		})
	})
	if !tcp || !source.IsValid() || !destination.IsValid() {
		return from, to
	}
	return netip.AddrPortFrom(source.Unmap(), ports[0]), netip.AddrPortFrom(destination.Unmap(), ports[1])
}

// attributes calls f for each netlink attribute.
func attributes(b []byte, f func(kind uint16, value []byte)) {
	const header, nested = 4, 0x8000 | 0x4000 // NLA_F_NESTED, NLA_F_NET_BYTEORDER
	for len(b) >= header {
		n := int(binary.NativeEndian.Uint16(b))
		if n < header || n > len(b) {
			return
		}
		f(binary.NativeEndian.Uint16(b[2:])&^nested, b[header:n])
		b = b[min(len(b), (n+3)&^3):]
	}
}
