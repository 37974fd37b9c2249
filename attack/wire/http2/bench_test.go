package http2

import (
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// The server of the benchmarks answers every request with a few bytes. It is
// simpler than any real one, so that the client's work shows.
func answer(b *testing.B, p *peer) {
	p.ReadMetaHeaders = nil
	p.SetReuseFrames()
	in, out := []byte(nil), []byte(nil)
	buf := make([]byte, 64<<10)
	first := p.block(":status", "200", "content-type", "text/plain", "date", "Sun, 29 Nov 2026 07:00:00 GMT", "content-length", "5")
	block := p.block(":status", "200", "content-type", "text/plain", "date", "Sun, 29 Nov 2026 07:00:00 GMT", "content-length", "5")
	for {
		n, err := p.conn.Read(buf)
		if err != nil {
			return
		}
		in = append(in, buf[:n]...)
		for len(in) >= frameHeader {
			length := int(in[0])<<16 | int(in[1])<<8 | int(in[2])
			if len(in) < frameHeader+length {
				break
			}
			if http2.FrameType(in[3]) == http2.FrameHeaders {
				id := uint32(in[5])<<24 | uint32(in[6])<<16 | uint32(in[7])<<8 | uint32(in[8])
				out = appendHeader(out, len(first), http2.FrameHeaders, http2.FlagHeadersEndHeaders, id)
				out = append(out, first...)
				first = block
				out = appendHeader(out, 5, http2.FrameData, http2.FlagDataEndStream, id)
				out = append(out, "hello"...)
			}
			in = in[frameHeader+length:]
		}
		if _, err := p.conn.Write(out); err != nil {
			return
		}
		out = out[:0]
	}
}

func startPeer(b *testing.B, client func(l tcpLink)) {
	cl, server := pair(b)
	client(tcpLink{cl})
	p := &peer{Framer: http2.NewFramer(server, server), conn: server, t: b}
	p.enc = hpack.NewEncoder(&p.buf)
	if _, err := io.ReadFull(server, make([]byte, len(http2.ClientPreface))); err != nil {
		b.Fatal(err)
	}
	p.WriteSettings()
	go answer(b, p)
}

// BenchmarkRequests compares with the client of golang.org/x/net/http2.
func BenchmarkRequests(b *testing.B) {
	for _, streams := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("own/%d", streams), func(b *testing.B) {
			var c *Conn
			startPeer(b, func(l tcpLink) { c = NewConn(l, Config{}) })
			b.ReportAllocs()
			b.ResetTimer()
			var wg sync.WaitGroup
			for range streams {
				wg.Go(func() {
					x := NewExchange(nil)
					x.Block, x.Deadline = get, Never
					for range b.N/streams + 1 {
						if err := x.Do(c, nil); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			c.Abort()
		})
		b.Run(fmt.Sprintf("xnet/%d", streams), func(b *testing.B) {
			var cc *http2.ClientConn
			startPeer(b, func(l tcpLink) {
				var err error
				if cc, err = (&http2.Transport{DisableCompression: true}).NewClientConn(l.Conn); err != nil {
					b.Fatal(err)
				}
			})
			b.ReportAllocs()
			b.ResetTimer()
			var wg sync.WaitGroup
			for range streams {
				wg.Go(func() {
					buf := make([]byte, 4096)
					for range b.N/streams + 1 {
						req, _ := http.NewRequest("GET", "http://localhost/", nil)
						resp, err := cc.RoundTrip(req)
						if err != nil {
							b.Error(err)
							return
						}
						for err == nil {
							_, err = resp.Body.Read(buf)
						}
						resp.Body.Close()
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			cc.Close()
		})
	}
}
