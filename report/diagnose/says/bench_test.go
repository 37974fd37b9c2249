package says

import (
	"strings"
	"testing"
)

// BenchmarkRead reads lines as services write them, and texts that are made to cost most.
func BenchmarkRead(b *testing.B) {
	for _, x := range []struct{ name, text string }{
		{"nothing", `10.0.3.2 - - [29/Nov/2026:10:00:00 +0000] "GET /orders/42?x=1 HTTP/1.1" 500 1043 "-" "rampload/1" rt=0.012 id=6f2d8e4c1a9b0372-00000000000001a4`},
		{"known", `2026/11/29 10:00:00 [error] 9#9: *7 recv() failed (104: Connection reset by peer) while reading response header from upstream, client: 10.0.1.1, server: , request: "GET / HTTP/1.1", upstream: "http://10.0.3.2:8080/"`},
		{"long", longText()},
		{"hostile", strings.Repeat("connection pool 53300 code: (", 4*maxRead/100)},
	} {
		b.Run(x.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(x.text)))
			for b.Loop() {
				Read(x.text)
			}
		})
	}
}

// longText is as much as is read of a text, in which nothing is known.
func longText() string {
	return strings.Repeat("order 4711 of customer 42 was taken by worker-3 and sent on to payments; ", maxRead/70)
}
