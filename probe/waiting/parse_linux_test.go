package waiting

import (
	"encoding/binary"
	"testing"
	"time"
)

const ms = time.Millisecond

// What a connection says of itself, by which of its ends spoke last.
func TestWhoSpokeLast(t *testing.T) {
	for _, c := range []struct {
		name       string
		info       tcpInfo
		asks, owes bool
	}{
		{"nothing was said", tcpInfo{sent: 9 * ms, received: 9 * ms}, false, false},
		{"the first request is out", tcpInfo{sent: 3 * ms, received: 9 * ms, out: 1}, true, false},
		{"the first request came in", tcpInfo{sent: 9 * ms, received: 3 * ms, in: 1}, false, true},
		{"a request after an answer", tcpInfo{sent: 3 * ms, received: 90 * ms, in: 5, out: 6}, true, false},
		{"an answer after a request", tcpInfo{sent: 90 * ms, received: 3 * ms, in: 6, out: 6}, false, true},
		{"one tick, the last was acknowledged later: of who asks, a request", tcpInfo{sent: 40 * ms, received: 40 * ms, acknowledged: 4 * ms, in: 20, out: 21}, true, false},
		{"one tick, and nothing later: of who answers, a request behind an answer", tcpInfo{sent: 40 * ms, received: 40 * ms, acknowledged: 40 * ms, in: 21, out: 20}, false, true},
		{"one tick on a new connection: an answer that was acknowledged at once", tcpInfo{sent: 40 * ms, received: 40 * ms, acknowledged: 40 * ms, in: 1, out: 1}, false, false},
	} {
		x := conn{info: c.info, hasInfo: true}
		if _, ok := x.asks(); ok != c.asks {
			t.Errorf("%s: asks is %v", c.name, ok)
		}
		if _, ok := x.owes(); ok != c.owes {
			t.Errorf("%s: owes is %v", c.name, ok)
		}
	}
}

func FuzzParseConn(f *testing.F) {
	f.Add([]byte{})
	b := make([]byte, 72+4)
	b[0] = 2
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		c, ok := parseConn(b)
		if ok && (!c.local.IsValid() || !c.remote.IsValid()) {
			t.Fatalf("a socket without addresses: %+v", c)
		}
		_, _ = c.asks()
		_, _ = c.owes()
	})
}

func attribute(kind uint16, value ...byte) []byte {
	b := make([]byte, 4, 4+len(value))
	binary.NativeEndian.PutUint16(b, uint16(4+len(value)))
	binary.NativeEndian.PutUint16(b[2:], kind)
	b = append(b, value...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func tuple(kind uint16, from, to [4]byte, fromPort, toPort uint16, protocol byte) []byte {
	port := func(kind, p uint16) []byte { return attribute(kind, byte(p>>8), byte(p)) }
	ip := attribute(1|0x8000, append(attribute(1, from[:]...), attribute(2, to[:]...)...)...)
	proto := attribute(2|0x8000, append(append(attribute(1, protocol), port(2, fromPort)...), port(3, toPort)...)...)
	return attribute(kind|0x8000, append(ip, proto...)...)
}

// A virtual address is answered by who stands in the other direction's source.
func TestTranslatedConnections(t *testing.T) {
	client, virtual, real := [4]byte{10, 0, 0, 1}, [4]byte{10, 0, 0, 100}, [4]byte{10, 0, 0, 3}
	const tcp, udp = 6, 17
	b := append(tuple(1, client, virtual, 40000, 80, tcp), tuple(2, real, client, 8080, 40000, tcp)...)
	asked, given, ok := parseTracked(b)
	if !ok || asked.String() != "10.0.0.100:80" || given.String() != "10.0.0.3:8080" {
		t.Errorf("got %v -> %v, %v", asked, given, ok)
	}
	b = append(tuple(1, client, virtual, 40000, 53, udp), tuple(2, real, client, 53, 40000, udp)...)
	if _, _, ok := parseTracked(b); ok {
		t.Error("a datagram was taken for a connection")
	}
}

func FuzzParseTracked(f *testing.F) {
	f.Add([]byte{})
	f.Add(tuple(1, [4]byte{10, 0, 0, 1}, [4]byte{10, 0, 0, 2}, 1, 2, 6))
	f.Fuzz(func(t *testing.T, b []byte) {
		if asked, given, ok := parseTracked(b); ok && (!asked.IsValid() || !given.IsValid()) {
			t.Fatalf("%v -> %v", asked, given)
		}
	})
}
