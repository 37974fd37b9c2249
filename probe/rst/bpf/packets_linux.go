package bpf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	mathbits "math/bits"
	"net/netip"
	"os"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/ringbuf"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/probe"
)

// PacketOptions say which packets to take.
type PacketOptions struct {
	Ports     []uint16 // at either end; empty: all
	Flows     int      // whose SYN-ACKs are remembered; 0: 32,768
	PerSecond int      // RSTs of a place taken whole; those beyond are counted. 0: 5,000; an eighth in a storm of four times as many
}

// Handshake is what SYN-ACKs told of a RST's ends, as seen at the same place.
type Handshake struct {
	FlowTTL    uint8 // of this very flow, sent by the RST's sender; 0: not seen
	ServerTTL  uint8 // of the latest from the RST's source port; 0: not seen
	PeerServes bool  // the RST's receiver has sent SYN-ACKs from its port
}

// Captured is a RST as it passed an interface.
type Captured struct {
	At       uint64 // nanoseconds of CLOCK_MONOTONIC
	Ifindex  int
	Outgoing bool
	Protocol uint16 // of Data, as in Ethernet's type field
	Hardware [6]byte
	Length   int    // on the wire, from the network header on
	Data     []byte // from the network header on, 256 bytes at most; valid during the visit
	Handshake
}

// CapturedCount counts RSTs that were too many to be taken whole. The client's port is
// 0.
type CapturedCount struct {
	Count             uint64
	Source, Dest      netip.AddrPort
	Ifindex           int
	Outgoing          bool
	Flags, TTL        uint8
	HasOptions, HasID bool // TCP options, an IP ID other than 0
	HasWindow, DF     bool // a window other than 0, Don't Fragment
	Handshake
}

// Packets takes the RST packets of interfaces. It is not for concurrent use.
type Packets struct {
	coll   *ebpf.Collection
	ring   *ringbuf.Reader
	record ringbuf.Record
	tcx    bool // until the kernel refuses
	told   uint64
}

const whatPackets = "packet programs"

// OpenPackets loads the programs; nothing is taken before [Packets.Attach]. An
// error that matches [probe.ErrUnsupported] says what is missing here: Linux 5.8 and
// CAP_BPF, or CAP_NET_ADMIN too for what costs least. Close the result.
func OpenPackets(o PacketOptions) (*Packets, error) {
	_ = rlimit.RemoveMemlock() // counts against memory limits since Linux 5.11
	var failed error
	for _, tcx := range []bool{true, false} {
		p, err := openPackets(o, tcx)
		if err == nil {
			return p, nil
		}
		failed = err
	}
	return nil, failed
}

func openPackets(o PacketOptions, tcx bool) (*Packets, error) {
	spec, err := loadPackets()
	if err != nil {
		return nil, fmt.Errorf("read packet programs: %w", err)
	}
	keep := []string{"on_ingress", "on_egress", "on_packet"}
	if !tcx {
		keep = keep[2:]
	}
	programs := map[string]*ebpf.ProgramSpec{}
	for _, name := range keep {
		programs[name] = spec.Programs[name]
	}
	spec.Programs = programs
	var bits [1024]uint64
	for _, port := range o.Ports {
		bits[port>>6] |= 1 << (port & 63)
	}
	set := map[string]any{"all_packets": flag(len(o.Ports) == 0), "packet_ports": bits}
	if o.PerSecond > 0 {
		set["per_second"] = uint32(o.PerSecond)
	}
	if o.Flows > 0 {
		// A slot is soon taken by another flow where they are few.
		slots := uint32(1) << min(mathbits.Len(uint(4*o.Flows-1)), 22)
		set["flow_mask"], spec.Maps["flow_ttls"].MaxEntries = slots-1, slots
	}
	for name, value := range set {
		if err := spec.Variables[name].Set(value); err != nil {
			return nil, fmt.Errorf("configure packet programs: set %s: %w", name, err)
		}
	}
	coll, err := ebpf.NewCollection(spec)
	if err != nil {
		return nil, unsupportedPackets(fmt.Errorf("load packet programs: %w", err))
	}
	p := &Packets{coll: coll, tcx: tcx}
	if p.ring, err = ringbuf.NewReader(coll.Maps["packets"]); err != nil {
		coll.Close()
		return nil, fmt.Errorf("open ring of packets: %w", err)
	}
	return p, nil
}

func unsupportedPackets(err error) error {
	u := &probe.Unsupported{What: whatPackets, Reason: brief("packets", err)}
	var verifier *ebpf.VerifierError
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES) && !errors.As(err, &verifier):
		u.Needs = "CAP_BPF"
	case errors.Is(err, ebpf.ErrNotSupported), errors.Is(err, unix.EINVAL):
		u.Needs = "Linux 5.8"
	case errors.As(err, &verifier): // a newer one may understand them
	default:
		return err
	}
	return u
}

// Close takes the programs out of the kernel; what was attached is closed before.
func (p *Packets) Close() {
	_ = p.ring.Close()
	p.coll.Close()
}

// Attach takes the packets of an interface of the calling thread's network
// namespace until the result is closed, or the process ends. Of loopback it takes
// those that come in, which are the same that went out.
func (p *Packets) Attach(ifindex int, loopback bool) (io.Closer, error) {
	if p.tcx {
		c, err := p.attachTCX(ifindex, loopback)
		if err == nil || !errors.Is(err, ebpf.ErrNotSupported) && !errors.Is(err, unix.EINVAL) {
			return c, err
		}
		p.tcx = false // before Linux 6.6
	}
	fd, err := OpenTap(ifindex, loopback, func(fd int) error {
		return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ATTACH_BPF, p.coll.Programs["on_packet"].FD())
	})
	if err != nil {
		return nil, err
	}
	return tap(fd), nil
}

func (p *Packets) attachTCX(ifindex int, loopback bool) (io.Closer, error) {
	in, err := link.AttachTCX(link.TCXOptions{Interface: ifindex, Program: p.coll.Programs["on_ingress"], Attach: ebpf.AttachTCXIngress})
	if err != nil {
		return nil, fmt.Errorf("attach to interface %d: %w", ifindex, err)
	}
	if loopback {
		return in, nil
	}
	out, err := link.AttachTCX(link.TCXOptions{Interface: ifindex, Program: p.coll.Programs["on_egress"], Attach: ebpf.AttachTCXEgress})
	if err != nil {
		_ = in.Close()
		return nil, fmt.Errorf("attach to interface %d: %w", ifindex, err)
	}
	return both{in, out}, nil
}

type both [2]io.Closer

func (b both) Close() error { return errors.Join(b[0].Close(), b[1].Close()) }

type tap int

func (t tap) Close() error { return os.NewSyscallError("close", unix.Close(int(t))) }

// OpenTap opens a packet socket on an interface, in the calling thread's network
// namespace. It is of type SOCK_DGRAM, so that packets begin at the network header
// whatever the link (packet(7)). filter is called before the first packet.
func OpenTap(ifindex int, loopback bool, filter func(fd int) error) (int, error) {
	// Protocol 0 receives nothing until the filter is in place.
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, fmt.Errorf("open packet socket: %w", err)
	}
	if loopback {
		// What goes out comes in again; without this (before Linux 4.20 it is not
		// known) the kernel copies the head of every packet for nothing.
		const ignoreOutgoing = 23 // PACKET_IGNORE_OUTGOING in linux/if_packet.h
		_ = unix.SetsockoptInt(fd, unix.SOL_PACKET, ignoreOutgoing, 1)
	}
	if err := filter(fd); err != nil {
		_ = unix.Close(fd)
		return -1, fmt.Errorf("attach packet filter: %w", err)
	}
	all := binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, unix.ETH_P_ALL))
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: ifindex}); err != nil {
		_ = unix.Close(fd)
		return -1, fmt.Errorf("bind packet socket: %w", err)
	}
	return fd, nil
}

// Read hands over the packets since the last call, and then the counts of those
// that were too many.
func (p *Packets) Read(visit func(Captured), counted func(CapturedCount)) error {
	p.ring.SetDeadline(time.Now())
	for {
		err := p.ring.ReadInto(&p.record)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil {
			return fmt.Errorf("read ring of packets: %w", err)
		}
		raw := p.record.RawSample
		if len(raw) < int(unsafe.Sizeof(packetsPacketRecord{})) {
			return fmt.Errorf("read ring of packets: a record of %d bytes", len(raw))
		}
		r := (*packetsPacketRecord)(unsafe.Pointer(unsafe.SliceData(raw)))
		visit(Captured{
			At: r.At, Ifindex: int(r.Ifindex), Outgoing: r.Outgoing != 0, Protocol: r.Protocol, Hardware: r.Hardware,
			Length: int(r.Length), Data: r.Data[:min(int(r.Captured), len(r.Data))],
			Handshake: Handshake{r.FlowTtl, r.ServerTtl, r.PeerServes != 0},
		})
	}
	return drain(p.coll.Maps["packet_folds"], func(k *packetsPacketFold, n *uint64) {
		family := uint16(unix.AF_INET6)
		if k.Protocol == unix.ETH_P_IP {
			family = unix.AF_INET
		}
		counted(CapturedCount{
			Count: *n, Ifindex: int(k.Ends.Place >> 1), Outgoing: k.Ends.Place&1 != 0,
			Source: addrPort(family, k.Ends.Source, k.Ends.SourcePort), Dest: addrPort(family, k.Ends.Dest, k.Ends.DestPort),
			Flags: k.Flags, TTL: k.Ttl, HasOptions: k.Options != 0, HasID: k.Id != 0, HasWindow: k.Window != 0, DF: k.Df != 0,
			Handshake: Handshake{k.FlowTtl, k.ServerTtl, k.PeerServes != 0},
		})
	})
}

// Lost returns how many RSTs since the last call could not even be counted by kind.
func (p *Packets) Lost() (uint64, error) {
	var total uint64
	if err := p.coll.Maps["packets_lost"].Lookup(uint32(0), &total); err != nil {
		return 0, fmt.Errorf("read losses of packets: %w", err)
	}
	n := total - p.told
	p.told = total
	return n, nil
}
