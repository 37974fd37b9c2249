package replies

import (
	"encoding/binary"
	"net/netip"
)

// packet is what a segment of TCP, or a datagram of UDP, carries.
type packet struct {
	from, to netip.AddrPort
	datagram bool
	data     []byte // valid until the next packet is read
	whole    bool   // all of it was taken
}

// decode reads a packet from its network header on, of which length bytes were sent. ok is
// false for what is neither TCP nor UDP. What the lengths in a packet say is not believed:
// packets are seen before the kernel has checked them.
func decode(b []byte, length int) (p packet, ok bool) {
	var src, dst netip.Addr
	var next byte
	if len(b) == 0 {
		return p, false
	}
	taken := len(b)
	switch head := int(b[0]&15) * 4; {
	case b[0]>>4 == 4 && head >= 20 && len(b) >= head:
		src, dst, next = netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20])), b[9]
		if n := int(binary.BigEndian.Uint16(b[2:])); n >= head { // 0: longer than it can say
			length = n
		}
		b = b[head:max(head, min(len(b), length))] // short frames are padded
	case b[0]>>4 == 6 && len(b) >= 40:
		src, dst, next = netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40])), b[6]
		if n := int(binary.BigEndian.Uint16(b[4:])); n > 0 {
			length = 40 + n
		}
		b = b[40:max(40, min(len(b), length))]
	default:
		return p, false
	}
	if len(b) < 8 {
		return p, false
	}
	p.from, p.to = netip.AddrPortFrom(src.Unmap(), binary.BigEndian.Uint16(b)), netip.AddrPortFrom(dst.Unmap(), binary.BigEndian.Uint16(b[2:]))
	p.whole = taken >= length
	switch {
	case next == 17:
		p.datagram, p.data = true, b[8:]
		return p, true
	case next != 6 || len(b) < 20 || int(b[12]>>4)*4 < 20 || len(b) < int(b[12]>>4)*4:
		return p, false
	}
	p.data = b[int(b[12]>>4)*4:]
	return p, true
}
