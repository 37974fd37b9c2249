//go:build bench && linux

package protocol_test

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire"
	"github.com/rampload/rampload/attack/wire/protocol"
	"github.com/rampload/rampload/profiles"
)

// BenchmarkHeldMessages compares the processor time of a message, of this process with its
// little server, between a few held WebSocket connections and very many: the ratio says
// whether anything walks through all of them. It prints the time of an idle second too.
func BenchmarkHeldMessages(b *testing.B) {
	const few, messages = 500, 30_000
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		b.Fatal(err)
	}
	many := min(20_000, int(limit.Cur)/5*2) // each has two ends here
	url := echoServer(b)
	for b.Loop() {
		of := func(n int) (each, idle float64) {
			tr, req := held(b, url, n)
			defer tr.Close()
			before := processor()
			time.Sleep(time.Second) // what is measured is a second without messages
			idle = (processor() - before).Seconds()
			before = processor()
			var wg sync.WaitGroup
			const workers = 8
			for range workers {
				wg.Go(func() {
					for range messages / workers {
						var a attack.Attempt
						if tr.Do(req, &a); a.Fault != attack.None {
							b.Errorf("%v %q", a.Fault, a.Detail)
							return
						}
					}
				})
			}
			wg.Wait()
			return (processor() - before).Seconds() / messages, idle
		}
		one, _ := of(few)
		two, idle := of(many)
		b.ReportMetric(two/one, fmt.Sprintf("cpu-of-%d/cpu-of-%d", many, few))
		b.ReportMetric(one*1e6, "µs/message-few")
		b.ReportMetric(two*1e6, "µs/message-many")
		b.ReportMetric(idle*1e3, "ms/idle-second")
	}
}

func processor() time.Duration {
	var use unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &use) // of itself it always can
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}

// held opens connections that stay.
func held(b *testing.B, url string, n int) (*wire.Transport, attack.Request) {
	b.Helper()
	tr, err := wire.New(wire.Config{
		Profile: profiles.Target{URL: url}, Exchange: protocol.New,
		Client: profiles.Client{Timeout: 20 * time.Second, IdleTimeout: 90 * time.Second, MaxInFlight: 200},
	})
	if err != nil {
		b.Fatal(err)
	}
	req, err := tr.Compile(profiles.Request{Command: "hello"})
	if err != nil {
		b.Fatal(err)
	}
	tr.Hold(n)
	for end := time.Now().Add(time.Minute); tr.Stats().Idle < int64(n); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			b.Fatalf("%+v of %d", tr.Stats(), n)
		}
	}
	return tr, req
}

// echoServer echoes short messages with a goroutine and 200 bytes for each connection.
func echoServer(b *testing.B) string {
	b.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { ln.Close() })
	serve := func(c net.Conn) {
		defer c.Close()
		r, err := http.ReadRequest(bufio.NewReaderSize(c, 1<<10))
		if err != nil {
			return
		}
		sum := sha1.Sum([]byte(r.Header.Get("Sec-Websocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
		if _, err := fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", base64.StdEncoding.EncodeToString(sum[:])); err != nil {
			return
		}
		for buf := make([]byte, 200); ; {
			if _, err := io.ReadFull(c, buf[:6]); err != nil || buf[0] != 0x81 {
				return
			}
			n, mask := int(buf[1]&0x7f), [4]byte(buf[2:6])
			if _, err := io.ReadFull(c, buf[2:2+n]); err != nil {
				return
			}
			for i := range n {
				buf[2+i] ^= mask[i%4]
			}
			buf[1] = byte(n)
			if _, err := c.Write(buf[:2+n]); err != nil {
				return
			}
		}
	}
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go serve(c)
		}
	}()
	return "ws://" + ln.Addr().String() + "/"
}
