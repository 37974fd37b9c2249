package rst

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"net/netip"
	"runtime"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/rampload/rampload/probe"
)

// kept is a captured RST with the header that Wireshark expects before packets
// taken from several interfaces (LINKTYPE_LINUX_SLL2).
type kept struct {
	wall          time.Time
	length        int // of the packet on the wire, with the header
	data          []byte
	at            time.Duration
	local, remote netip.AddrPort
	packet        probe.Packet
}

// link is the link-layer part of a captured packet.
type link struct {
	proto   uint16
	ifindex int
	hatype  uint16
	pkttype uint8
	addr    []byte // of the sender, at most 8 bytes
}

const sll2Length = 20

// header appends the SLL2 header; all its numbers are in network order.
func (l link) header(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, l.proto)
	b = append(b, 0, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(l.ifindex))
	b = binary.BigEndian.AppendUint16(b, l.hatype)
	addr := l.addr[:min(len(l.addr), 8)]
	b = append(b, l.pkttype, byte(len(addr)))
	b = append(b, addr...)
	return append(b, make([]byte, 8-len(addr))...)
}

// keeper holds the first half of its packets for ever, because the first resets
// tell the cause, and the latest in the other half.
type keeper struct {
	first, last []kept
	next        int // place of the oldest in last, once it is full
	half        int
	dropped     uint64
}

func newKeeper(size int) *keeper { return &keeper{half: max(size/2, 1)} }

func (k *keeper) add(p kept) {
	switch {
	case len(k.first) < k.half:
		k.first = append(k.first, p)
	case len(k.last) < k.half:
		k.last = append(k.last, p)
	default:
		k.last[k.next] = p
		k.next = (k.next + 1) % k.half
		k.dropped++
	}
}

// all returns the packets in order.
func (k *keeper) all() []kept {
	list := append([]kept(nil), k.first...)
	list = append(list, k.last[k.next:]...)
	return append(list, k.last[:k.next]...)
}

// writePcapng writes packets with one comment each: the class of the sender and
// what the caller says of the attempt that it hit.
func writePcapng(w io.Writer, packets []kept, dropped uint64, host, filter string,
	comment func(local, remote netip.AddrPort, at time.Duration) string,
) error {
	about := "TCP resets seen at host " + host
	if dropped > 0 {
		about += fmt.Sprintf("; %d packets between the first %d and the last %d were left out",
			dropped, len(packets)/2, len(packets)-len(packets)/2)
	}
	ng, err := pcapgo.NewNgWriterInterface(w, pcapgo.NgInterface{
		Name: "any", Description: host, Filter: filter, OS: runtime.GOOS,
		LinkType: layers.LinkTypeLinuxSLL2, SnapLength: snapLength + sll2Length, TimestampResolution: 9,
	}, pcapgo.NgWriterOptions{SectionInfo: pcapgo.NgSectionInfo{
		Hardware: runtime.GOARCH, OS: runtime.GOOS, Application: "rampload", Comment: about,
	}})
	if err != nil {
		return fmt.Errorf("write resets: %w", err)
	}
	for _, p := range packets {
		text := fmt.Sprintf("%s: %s", Sender(p.packet), Why(p.packet))
		if comment != nil {
			if attempt := comment(p.local, p.remote, p.at); attempt != "" {
				text = attempt + "; " + text
			}
		}
		if len(text) > math.MaxUint16 {
			text = text[:math.MaxUint16]
		}
		err := ng.WritePacketWithOptions(gopacket.CaptureInfo{
			Timestamp: p.wall, CaptureLength: len(p.data), Length: max(p.length, len(p.data)),
		}, p.data, pcapgo.NgPacketOptions{Comments: []string{text}})
		if err != nil {
			return fmt.Errorf("write reset: %w", err)
		}
	}
	if err := ng.Flush(); err != nil {
		return fmt.Errorf("write resets: %w", err)
	}
	return nil
}
