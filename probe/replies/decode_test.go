package replies

import (
	"encoding/binary"
	"net/netip"
	"testing"
)

// ip makes a packet of IP that carries TCP or UDP.
func ip(from, to netip.AddrPort, protocol byte, data string) []byte {
	var l4 []byte
	l4 = binary.BigEndian.AppendUint16(l4, from.Port())
	l4 = binary.BigEndian.AppendUint16(l4, to.Port())
	if protocol == 17 {
		l4 = append(l4, 0, 0, 0, 0)
	} else {
		l4 = append(l4, make([]byte, 16)...)
		l4[12] = 5 << 4
	}
	l4 = append(l4, data...)
	if from.Addr().Is6() {
		b := append([]byte{6 << 4, 0, 0, 0}, byte(len(l4)>>8), byte(len(l4)), protocol, 64)
		b = append(append(b, from.Addr().AsSlice()...), to.Addr().AsSlice()...)
		return append(b, l4...)
	}
	b := make([]byte, 12)
	b[0], b[9] = 4<<4|5, protocol
	binary.BigEndian.PutUint16(b[2:], uint16(20+len(l4)))
	b = append(append(b, from.Addr().AsSlice()...), to.Addr().AsSlice()...)
	return append(b, l4...)
}

func TestDecode(t *testing.T) {
	a, b := netip.MustParseAddrPort("10.0.0.1:40000"), netip.MustParseAddrPort("10.0.0.2:80")
	a6, b6 := netip.MustParseAddrPort("[2001:db8::1]:40000"), netip.MustParseAddrPort("[2001:db8::2]:80")
	long := ip(a, b, 6, "begin")
	binary.BigEndian.PutUint16(long[2:], 0) // of more than 64 kB
	lies := ip(a, b, 6, "begin")
	binary.BigEndian.PutUint16(lies[2:], 7)
	offset := ip(a, b, 6, "begin")
	offset[20+12] = 15 << 4
	for name, c := range map[string]struct {
		data     []byte
		length   int // 0: of data
		from     netip.AddrPort
		payload  string
		cut, bad bool
	}{
		"IPv4":                 {data: ip(a, b, 6, "begin"), from: a, payload: "begin"},
		"IPv6":                 {data: ip(a6, b6, 6, "begin"), from: a6, payload: "begin"},
		"UDP":                  {data: ip(a, b, 17, "ask"), from: a, payload: "ask"},
		"padded":               {data: append(ip(a, b, 6, "x"), 0, 0, 0, 0, 0), from: a, payload: "x"},
		"not all of it":        {data: ip(a, b, 6, "begin")[:43], from: a, payload: "beg", cut: true},
		"longer than it says":  {data: long, length: 70000, from: a, payload: "begin", cut: true},
		"shorter than a head":  {data: lies, from: a, payload: "begin"},
		"a head beyond it":     {data: offset, bad: true},
		"nothing":              {data: nil, bad: true},
		"a part of a head":     {data: ip(a, b, 6, "")[:30], bad: true},
		"neither TCP nor UDP":  {data: ip(a, b, 1, "begin......................"), bad: true},
		"no version of IP":     {data: make([]byte, 60), bad: true},
		"a head of no length":  {data: append([]byte{4 << 4}, make([]byte, 60)...), bad: true},
		"IPv6 that is too few": {data: ip(a6, b6, 6, "")[:39], bad: true},
	} {
		if c.length == 0 {
			c.length = len(c.data)
		}
		p, ok := decode(c.data, c.length)
		if ok == c.bad || ok && (p.from != c.from || string(p.data) != c.payload || p.whole == c.cut) {
			t.Errorf("%s: %v %+v %q", name, ok, p, p.data)
		}
	}
}

// FuzzDecode has packets say what they like about their lengths, and follows what they carry.
func FuzzDecode(f *testing.F) {
	a, b := netip.MustParseAddrPort("10.0.0.1:40000"), netip.MustParseAddrPort("10.0.0.2:80")
	f.Add(ip(a, b, 6, "HTTP/1.1 503 No\r\n\r\n"), 90)
	f.Add(ip(a, b, 6, preface+string(frame(frameHeaders, 5, 1, 1, 2))+string(frame(frameGoAway, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0))), 100)
	f.Add(ip(b, a, 6, string(frame(frameSettings, 0, 0, 0, settingLimit, 0, 0, 0, 64))), 70000)
	f.Add(ip(a, b, 17, "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x05price\x00\x00\x01\x00\x01"), 0)
	f.Add(append([]byte{4<<4 | 5, 0, 0, 0}, make([]byte, 60)...), 0)
	f.Fuzz(func(t *testing.T, data []byte, length int) {
		p, ok := decode(data, length)
		if !ok {
			return
		}
		if len(p.data) > len(data) {
			t.Errorf("%d bytes of %d", len(p.data), len(data))
		}
		_, _ = readMessage(p.data)
		_, _ = Read(p.data)
		s := &streams{share: newShare(0, 0, 0)}
		for range 2 {
			if isFrame(p.data) {
				s.take(p.from, p.to, p.data, p.whole, 0)
			}
		}
		for _, c := range s.conns {
			if len(c.open) > maxStreams {
				t.Errorf("%d streams", len(c.open))
			}
		}
	})
}
