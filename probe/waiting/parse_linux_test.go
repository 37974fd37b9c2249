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

func FuzzReadMessages(f *testing.F) {
	f.Add([]byte{})
	m := make([]byte, headerSize+diagMsgSize+4)
	binary.NativeEndian.PutUint32(m, uint32(len(m)))
	binary.NativeEndian.PutUint16(m[4:], byFamily)
	m[headerSize] = 2
	f.Add(m)
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = readMessages(b, 0, func(c conn) {
			if !c.local.IsValid() || !c.remote.IsValid() {
				t.Fatalf("a socket without addresses: %+v", c)
			}
			_, _ = c.asks()
			_, _ = c.owes()
		})
	})
}
