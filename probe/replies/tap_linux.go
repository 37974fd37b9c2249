package replies

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// A tap is a packet socket with a filter of its own, and a ring of memory that the kernel
// writes packets to: reading one costs no system call, and none is charged with more than what
// is taken of it. One kind of packets does not take another's room. It is for one goroutine.
type tap struct {
	fd   int
	ring []byte
	next int // frame of the ring
}

// The ring: blocks of whole pages, in each as many frames as fit. A frame has a head, an
// address and what is taken of a packet (linux/if_packet.h, TPACKET_V2).
const (
	frameRoom  = 80 + snapLength
	blockSize  = 64 << 10
	frameBlock = blockSize / frameRoom
)

// openTap opens a tap in the namespace of the thread, with room for about 50 packets a block.
func openTap(filter []bpf.RawInstruction, blocks int) (t *tap, err error) {
	// Protocol 0 receives nothing until the filter is in place.
	t = &tap{}
	if t.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			t.close()
		}
	}()
	if err = t.attach(filter); err != nil {
		return nil, err
	}
	if err = unix.SetsockoptInt(t.fd, unix.SOL_PACKET, unix.PACKET_VERSION, unix.TPACKET_V2); err != nil {
		return nil, fmt.Errorf("set version of packet ring: %w", err)
	}
	req := unix.TpacketReq{Block_size: blockSize, Block_nr: uint32(blocks), Frame_size: frameRoom, Frame_nr: uint32(blocks * frameBlock)}
	if err = unix.SetsockoptTpacketReq(t.fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &req); err != nil {
		return nil, fmt.Errorf("make packet ring: %w", err)
	}
	if t.ring, err = unix.Mmap(t.fd, 0, blocks*blockSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
		return nil, fmt.Errorf("map packet ring: %w", err)
	}
	all := binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, unix.ETH_P_ALL))
	if err = unix.Bind(t.fd, &unix.SockaddrLinklayer{Protocol: all}); err != nil { // of all interfaces
		return nil, err
	}
	return t, nil
}

// attach gives a tap its filter, or another one.
func (t *tap) attach(filter []bpf.RawInstruction) error {
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: (*unix.SockFilter)(unsafe.Pointer(&filter[0]))}
	if err := unix.SetsockoptSockFprog(t.fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &prog); err != nil {
		return fmt.Errorf("attach packet filter: %w", err)
	}
	return nil
}

// drain hands on the packets that are there, as many as the ring has at most, and says how many
// there were and how many were lost since the last time.
func (t *tap) drain(take func(packet)) (read, lost int, err error) {
	frames := len(t.ring) / blockSize * frameBlock
	for ; read < frames; read++ {
		at := t.next/frameBlock*blockSize + t.next%frameBlock*frameRoom
		head := (*unix.Tpacket2Hdr)(unsafe.Pointer(&t.ring[at]))
		if atomic.LoadUint32(&head.Status)&unix.TP_STATUS_USER == 0 {
			break
		}
		from := at + int(head.Net)
		if p, ok := decode(t.ring[from:min(from+int(head.Snaplen), at+frameRoom)], int(head.Len)); ok {
			take(p)
		}
		atomic.StoreUint32(&head.Status, unix.TP_STATUS_KERNEL)
		t.next = (t.next + 1) % frames
	}
	stats, err := unix.GetsockoptTpacketStats(t.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		return read, 0, fmt.Errorf("read packet statistics: %w", err)
	}
	return read, int(stats.Drops), nil
}

func (t *tap) close() {
	if t.ring != nil {
		_ = unix.Munmap(t.ring)
	}
	_ = unix.Close(t.fd)
}

// taps are those of a namespace.
type taps struct{ replies, lookups, streams *tap }

// Blocks of the rings: what comes between two readings at the rates that are read.
const (
	repliesBlocks = 10
	lookupsBlocks = 5
	streamsBlocks = 24
)

// openTaps opens the taps in the namespace of the thread.
func openTaps() (ts taps, err error) {
	defer func() {
		if err != nil {
			ts.close()
		}
	}()
	open := func(blocks int, filter func() ([]bpf.RawInstruction, error)) *tap {
		if err != nil {
			return nil
		}
		var program []bpf.RawInstruction
		if program, err = filter(); err != nil {
			return nil
		}
		var t *tap
		t, err = openTap(program, blocks)
		return t
	}
	ts.replies = open(repliesBlocks, filterReplies)
	ts.lookups = open(lookupsBlocks, filterLookups)
	ts.streams = open(streamsBlocks, func() ([]bpf.RawInstruction, error) { return filterStreams(0) })
	if errors.Is(err, unix.ENOMEM) {
		err = fmt.Errorf("no memory for packets: %w", err)
	}
	return ts, err
}

func (ts taps) close() {
	for _, t := range []*tap{ts.replies, ts.lookups, ts.streams} {
		if t != nil {
			t.close()
		}
	}
}
