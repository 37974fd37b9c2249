package wire

import (
	"net"
	"testing"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
)

// BenchmarkAttempts makes attempts over loopback, one after the other: on one
// connection, and on a new connection each.
func BenchmarkAttempts(b *testing.B) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				buf, answer := make([]byte, 4<<10), []byte(okResponse)
				for {
					if _, err := c.Read(buf); err != nil {
						return
					}
					if _, err := c.Write(answer); err != nil {
						return
					}
				}
			}()
		}
	}()
	for name, connections := range map[string]int{"kept": 1, "close": 0} {
		b.Run(name, func(b *testing.B) {
			tr, err := New(Config{
				Exchange: Speak,
				Profile:  profiles.Target{URL: "http://" + ln.Addr().String()},
				Client:   profiles.Client{Connections: connections, Timeout: patience},
			})
			if err != nil {
				b.Fatal(err)
			}
			defer tr.Close()
			req, err := tr.Compile(profiles.Request{Path: "/"})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				var a attack.Attempt
				if tr.Do(req, &a); a.Fault != attack.None {
					b.Fatal(a.Fault)
				}
			}
		})
	}
}
