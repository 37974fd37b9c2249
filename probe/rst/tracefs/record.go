// Package tracefs reads the kernel's tracepoints of TCP resets as root finds them in
// tracefs: it opens buffers of their own, decodes their pages by the formats that the
// kernel gives, and finds the processes that records name. It makes no events.
package tracefs

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
)

// recordKind is what a trace record says.
type recordKind uint8

const (
	Sent recordKind = iota
	Received
	Retransmit
	Closed // a socket went to TCP_CLOSE
)

// Record is one decoded trace entry.
type Record struct {
	Kind          recordKind
	At            uint64 // nanoseconds of CLOCK_MONOTONIC
	Socket        uint64 // the kernel's address of it, as an identity; 0 none
	Answer        bool   // recordSent: answers a packet, so nobody decided to send it
	Interrupt     bool   // pid is whoever was interrupted
	Pid           int32  // thread id in the initial pid namespace
	State         string // before it closed, for recordClosed
	Reason        string
	Local, Remote netip.AddrPort
}

// layout decodes the records of one tracepoint.
type layout struct {
	kind                     recordKind
	flags, pid               field
	state, reason, skb, sock field // size 0: this kernel has none
	addrs                    addrLayout
	states, reasons          map[int64]string
	order                    binary.ByteOrder
}

// addrLayout is where the two ends are: as sockaddr_in6 each (whole), or as
// addresses and ports.
type addrLayout struct {
	whole        bool
	saddr, daddr field
	sport, dport field
}

// newLayout prepares a tracepoint's format for decoding.
func newLayout(kind recordKind, f format, order binary.ByteOrder) (layout, error) {
	l := layout{kind: kind, order: order}
	var err error
	if l.flags, err = f.field("common_flags", 1); err != nil {
		return l, err
	}
	if l.pid, err = f.field("common_pid", 4); err != nil {
		return l, err
	}
	state := "state"
	if kind == Closed {
		state = "oldstate"
	}
	l.state, _ = f.field(state, 1, 2, 4)
	l.reason, _ = f.field("reason", 1, 2, 4)
	l.skb, _ = f.field("skbaddr", 4, 8)
	l.sock, _ = f.field("skaddr", 4, 8)
	l.reasons = f.symbols("reason")
	if l.states = f.symbols(state); len(l.states) == 0 {
		l.states = stateNames()
	}
	if l.addrs, err = newAddrLayout(f); err != nil {
		return l, err
	}
	return l, nil
}

func newAddrLayout(f format) (addrLayout, error) {
	var a addrLayout
	var err error
	if s, serr := f.field("saddr", 28); serr == nil {
		a.whole, a.saddr = true, s
		a.daddr, err = f.field("daddr", 28)
		return a, err
	}
	if a.sport, err = f.field("sport", 2); err != nil {
		return a, err
	}
	if a.dport, err = f.field("dport", 2); err != nil {
		return a, err
	}
	// The IPv6 fields hold IPv4 addresses too, mapped.
	suffix, size := "_v6", 16
	if _, verr := f.field("saddr_v6", 16); verr != nil {
		suffix, size = "", 4
	}
	if a.saddr, err = f.field("saddr"+suffix, size); err != nil {
		return a, err
	}
	a.daddr, err = f.field("daddr"+suffix, size)
	return a, err
}

// Bits of common_flags (include/linux/trace_events.h).
const traceHardIRQ, traceSoftIRQ, traceNMI = 0x08, 0x10, 0x40

// decode reads one entry; it fails if the entry is shorter than its format.
func (l layout) decode(at uint64, b []byte) (Record, error) {
	r := Record{Kind: l.kind, At: at}
	need := 0
	for _, f := range []field{l.flags, l.pid, l.state, l.reason, l.skb, l.sock, l.addrs.saddr, l.addrs.daddr, l.addrs.sport, l.addrs.dport} {
		need = max(need, f.offset+f.size)
	}
	if len(b) < need {
		return r, fmt.Errorf("trace record of %d bytes, its format needs %d", len(b), need)
	}
	r.Interrupt = b[l.flags.offset]&(traceHardIRQ|traceSoftIRQ|traceNMI) != 0
	r.Pid = int32(l.uint(b, l.pid))
	r.Socket = l.uint(b, l.sock)
	r.Answer = l.uint(b, l.skb) != 0
	r.State = name(l.states, l.uint(b, l.state))
	if l.reason.size > 0 {
		v := l.uint(b, l.reason)
		if r.Reason = name(l.reasons, v); r.Reason == "" {
			r.Reason = "reason " + strconv.FormatUint(v, 10)
		}
	}
	r.Local = l.end(b, l.addrs.saddr, l.addrs.sport)
	r.Remote = l.end(b, l.addrs.daddr, l.addrs.dport)
	return r, nil
}

func (l layout) end(b []byte, addr, port field) netip.AddrPort {
	raw := b[addr.offset : addr.offset+addr.size]
	if !l.addrs.whole {
		a, _ := netip.AddrFromSlice(raw)
		return netip.AddrPortFrom(a.Unmap().WithZone(""), uint16(l.uint(b, port)))
	}
	// struct sockaddr_in or sockaddr_in6: the port and the address are in network
	// order, the family is not.
	const inet, inet6 = 2, 10
	at, size := 4, 4
	switch l.order.Uint16(raw) {
	case inet:
	case inet6:
		at, size = 8, 16
	default:
		return netip.AddrPort{}
	}
	a, _ := netip.AddrFromSlice(raw[at : at+size])
	return netip.AddrPortFrom(a.Unmap().WithZone(""), binary.BigEndian.Uint16(raw[2:]))
}

// uint reads a field of 0, 1, 2, 4 or 8 bytes.
func (l layout) uint(b []byte, f field) uint64 {
	b = b[f.offset:]
	switch f.size {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(l.order.Uint16(b))
	case 4:
		return uint64(l.order.Uint32(b))
	case 8:
		return l.order.Uint64(b)
	}
	return 0
}

// name is "" for a value that the kernel has no name for.
func name(names map[int64]string, v uint64) string { return names[int64(v)] }

// Options says what the buffers are filled with; see [TraceOptions].
type Options struct {
	Root          string
	Ports         []uint16
	BufferKB      int
	WithoutStates bool
}

// sourceName is what is unsupported where tracepoints cannot be read.
const sourceName = "reset trace"

// Process is who called into the kernel when a trace record was made.
type Process struct {
	Pid  int32  // 0: nobody, or a kernel thread
	Comm string // of the thread
	Net  uint64 // inode of its network namespace; 0 unknown
}
