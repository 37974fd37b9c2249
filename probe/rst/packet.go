package rst

import (
	"encoding/binary"
	"net/netip"
)

// Ethernet protocol numbers.
const (
	protoIPv4 = 0x0800
	protoIPv6 = 0x86DD
	protoVLAN = 0x8100
	protoQinQ = 0x88A8
)

// segment is the header of one captured TCP segment.
type segment struct {
	src, dst   netip.AddrPort
	flags      uint8
	window     uint16
	id         uint16
	df         bool
	ttl        uint8
	seq, ack   uint32
	hasOptions bool
	network    int // where the IP header begins, behind VLAN tags
}

// decodeSegment reads a packet from its network header on, as an AF_PACKET
// socket of type SOCK_DGRAM delivers it. It reports false for whatever is not a
// whole first fragment of a TCP segment over IPv4 (RFC 791) or IPv6 (RFC 8200).
func decodeSegment(proto uint16, b []byte) (segment, bool) {
	var s segment
	for n := 0; proto == protoVLAN || proto == protoQinQ; n++ {
		if len(b) < 4 || n == 2 {
			return s, false
		}
		proto = binary.BigEndian.Uint16(b[2:])
		b, s.network = b[4:], s.network+4
	}
	var src, dst netip.Addr
	switch proto {
	case protoIPv4:
		if len(b) < 20 || b[0]>>4 != 4 {
			return s, false
		}
		header := int(b[0]&15) * 4
		fragment := binary.BigEndian.Uint16(b[6:])
		if header < 20 || len(b) < header || b[9] != 6 || fragment&0x1fff != 0 {
			return s, false
		}
		s.id, s.df, s.ttl = binary.BigEndian.Uint16(b[4:]), fragment&0x4000 != 0, b[8]
		src, dst = netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20]))
		b = b[header:]
	case protoIPv6:
		if len(b) < 40 || b[0]>>4 != 6 {
			return s, false
		}
		s.df, s.ttl = true, b[7]
		src, dst = netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40]))
		var ok bool
		if b, ok = skipExtensions(b[6], b[40:]); !ok {
			return s, false
		}
	default:
		return s, false
	}
	return s, s.decodeTCP(src, dst, b)
}

// skipExtensions finds the TCP header behind hop-by-hop (0), routing (43) and
// destination (60) options.
func skipExtensions(next byte, b []byte) ([]byte, bool) {
	for range 8 {
		switch next {
		case 6:
			return b, true
		case 0, 43, 60:
			if len(b) < 8 {
				return nil, false
			}
			length := int(b[1])*8 + 8
			if len(b) < length {
				return nil, false
			}
			next, b = b[0], b[length:]
		default:
			return nil, false
		}
	}
	return nil, false
}

func (s *segment) decodeTCP(src, dst netip.Addr, b []byte) bool {
	if len(b) < 20 {
		return false
	}
	header := int(b[12]>>4) * 4
	if header < 20 {
		return false
	}
	s.src = netip.AddrPortFrom(unmap(src), binary.BigEndian.Uint16(b))
	s.dst = netip.AddrPortFrom(unmap(dst), binary.BigEndian.Uint16(b[2:]))
	s.seq, s.ack = binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:])
	s.flags = b[13]
	s.window = binary.BigEndian.Uint16(b[14:])
	// Options that are only padding do not count.
	for _, kind := range b[20:min(header, len(b))] {
		if kind == 0 {
			break
		}
		if kind != 1 {
			s.hasOptions = true
			break
		}
	}
	return true
}
