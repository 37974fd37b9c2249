package wire

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire/wiretest/record"
	"github.com/rampload/rampload/profiles"
)

// servePeer plays HTTP/2 servers: each connection is a framer whose preface has been
// read and whose settings are sent.
func servePeer(t *testing.T, ln net.Listener, settings []http2.Setting, play func(net.Conn, *http2.Framer)) {
	t.Helper()
	serve(t, ln, func(c net.Conn, _ int) {
		if _, err := io.ReadFull(c, make([]byte, len(http2.ClientPreface))); err != nil {
			return
		}
		f := http2.NewFramer(c, c)
		if f.WriteSettings(settings...) == nil {
			play(c, f)
		}
	})
}

// requests calls do for each request that arrives, until it returns false.
func requests(f *http2.Framer, do func(id uint32) bool) {
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return
		}
		if h, ok := frame.(*http2.HeadersFrame); ok && !do(h.StreamID) {
			return
		}
	}
}

// answer200 answers a request.
func answer200(f *http2.Framer, id uint32) bool {
	return f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: []byte{0x88}, EndHeaders: true, EndStream: true}) == nil
}

// plain compiles a request of nothing special.
func plain(t *testing.T, tr *Transport) attack.Request {
	t.Helper()
	return compile(t, tr, profiles.Request{Path: "/"})
}

func h2cTo(ln net.Listener) func(*Config) {
	return func(c *Config) {
		c.Profile.URL = "http://" + ln.Addr().String()
		c.Client.Protocol = profiles.ProtocolH2C
	}
}

// TestStalledPeer: a peer that stops reading, with windows that never fill, holds up
// no time limit: neither those of its own attempts nor those of others.
func TestStalledPeer(t *testing.T) {
	ln := listen(t, "tcp", "127.0.0.1:0")
	stalled := make(chan struct{})
	servePeer(t, ln, []http2.Setting{{ID: http2.SettingInitialWindowSize, Val: 1<<31 - 1}}, func(c net.Conn, f *http2.Framer) {
		_ = c.(*net.TCPConn).SetReadBuffer(8 << 10)
		_ = f.WriteWindowUpdate(0, 1<<30)
		<-stalled
	})
	tr, _ := client(t, "http://"+ln.Addr().String(), func(c *Config) {
		h2cTo(ln)(c)
		c.Client.Timeout = 500 * time.Millisecond
		c.Client.Connections = 4
	})
	big := compile(t, tr, profiles.Request{Method: "POST", Path: "/", Body: strings.Repeat("x", 32<<20)})
	small := compile(t, tr, profiles.Request{Path: "/"})
	ended := make(chan attack.Attempt, 8)
	for i := range 8 {
		req := small
		if i < 3 {
			req = big
		}
		go func() {
			var a attack.Attempt
			tr.Do(req, &a)
			ended <- a
		}()
	}
	for range 8 {
		select {
		case a := <-ended:
			if a.Fault != attack.Timeout {
				t.Errorf("%v", a.Fault)
			}
		case <-time.After(patience):
			t.Fatal("an attempt goes on after its time limit")
		}
	}
	close(stalled)
	tr.Close()
}

// TestResetAtOnce: every request is answered with a RST of the connection, and each
// is a reset that is seen, by the attempt itself, once.
func TestResetAtOnce(t *testing.T) {
	ln := listen(t, "tcp", "127.0.0.1:0")
	servePeer(t, ln, nil, func(c net.Conn, f *http2.Framer) {
		requests(f, func(uint32) bool { return false })
		_ = c.(*net.TCPConn).SetLinger(0)
		c.Close()
	})
	rec := record.New()
	tr, _ := client(t, "http://"+ln.Addr().String(), func(c *Config) {
		h2cTo(ln)(c)
		c.OnIdle = rec.OnIdle
	})
	for i := range 200 {
		var a attack.Attempt
		tr.Do(plain(t, tr), &a)
		if a.Fault != attack.Reset || !a.WireReset {
			t.Errorf("%d: %v, wire reset %v", i, a.Fault, a.WireReset)
		}
	}
	tr.Close()
	if rec.Resets() != 0 {
		t.Errorf("%d resets beside the attempts", rec.Resets())
	}
}

// TestResetOutranks: what a peer says in HTTP/2 just before it resets the connection
// does not hide the reset, and is not lost.
func TestResetOutranks(t *testing.T) {
	for name, say := range map[string]func(*http2.Framer, uint32) error{
		"goaway":     func(f *http2.Framer, _ uint32) error { return f.WriteGoAway(0, http2.ErrCodeInternal, nil) },
		"rst-stream": func(f *http2.Framer, id uint32) error { return f.WriteRSTStream(id, http2.ErrCodeInternal) },
	} {
		t.Run(name, func(t *testing.T) {
			ln := listen(t, "tcp", "127.0.0.1:0")
			closed := make(chan struct{})
			servePeer(t, ln, nil, func(c net.Conn, f *http2.Framer) {
				defer close(closed) // the RST is here: over loopback it takes no time
				var ids []uint32
				requests(f, func(id uint32) bool {
					ids = append(ids, id)
					return len(ids) < 5
				})
				_ = c.(*net.TCPConn).SetLinger(0)
				_ = say(f, ids[0])
				c.Close()
			})
			rec := record.New()
			tr, _ := client(t, "http://"+ln.Addr().String(), func(c *Config) {
				h2cTo(ln)(c)
				c.Client.Connections = 1
				c.OnIdle = rec.OnIdle
			})
			wire, resets := 0, 0
			for _, a := range together(tr, plain(t, tr), 5) {
				if a.WireReset {
					wire++
				}
				switch {
				case a.Fault == attack.Reset:
					resets++
				case a.Detail != attack.HTTP2Code(uint32(http2.ErrCodeInternal)):
					t.Errorf("%v, %v", a.Fault, a.Detail)
				}
			}
			<-closed
			tr.Close()
			if wire+rec.Resets() != 1 {
				t.Errorf("%d wire resets by attempts, %d beside them", wire, rec.Resets())
			}
			if name == "rst-stream" && resets < 4 {
				t.Errorf("%d resets", resets)
			}
		})
	}
}

// TestPriorityFlood: frames that carry nothing end the connection, and print nothing.
func TestPriorityFlood(t *testing.T) {
	ln := listen(t, "tcp", "127.0.0.1:0")
	servePeer(t, ln, nil, func(_ net.Conn, f *http2.Framer) {
		requests(f, func(id uint32) bool {
			for range 50_000 {
				if f.WritePriority(id, http2.PriorityParam{}) != nil {
					return false
				}
			}
			return true
		})
	})
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr := os.Stderr
	os.Stderr = w
	tr, _ := client(t, "http://"+ln.Addr().String(), h2cTo(ln))
	var a attack.Attempt
	tr.Do(plain(t, tr), &a)
	tr.Close()
	os.Stderr = stderr
	w.Close()
	if said, _ := io.ReadAll(r); len(said) > 0 {
		t.Errorf("%d bytes on stderr: %.100s", len(said), said)
	}
	if a.Fault != attack.Protocol || a.Detail != (attack.Detail{Kind: attack.MalformedDetail, Code: attack.Flooded}) {
		t.Errorf("%v, %v", a.Fault, a.Detail)
	}
}

// TestStreamCodes: every code of a peer is kept.
func TestStreamCodes(t *testing.T) {
	for code := http2.ErrCode(0); code <= 14; code++ {
		for _, goAway := range []bool{false, true} {
			ln := listen(t, "tcp", "127.0.0.1:0")
			servePeer(t, ln, nil, func(_ net.Conn, f *http2.Framer) {
				requests(f, func(id uint32) bool {
					if goAway {
						return f.WriteGoAway(0, code, []byte("why")) == nil
					}
					return f.WriteRSTStream(id, code) == nil
				})
			})
			tr, _ := client(t, "http://"+ln.Addr().String(), h2cTo(ln))
			want := attack.HTTP2Reset
			if goAway {
				want = attack.HTTP2GoAway
			}
			var a attack.Attempt
			tr.Do(plain(t, tr), &a)
			if a.Fault != want || a.Detail != attack.HTTP2Code(uint32(code)) || a.Phase != attack.PhaseAwait {
				t.Errorf("%v: %v in %v, %v", code, a.Fault, a.Phase, a.Detail)
			}
			tr.Close()
		}
	}
}

// TestStreamsPerConnection: no connection carries more streams than the profile
// allows, or the peer.
func TestStreamsPerConnection(t *testing.T) {
	for _, c := range []struct{ profile, peer, want int }{{10, 0, 5}, {0, 10, 5}, {10, 25, 5}, {0, 0, 1}} {
		t.Run(fmt.Sprintf("%d-%d", c.profile, c.peer), func(t *testing.T) {
			ln := listen(t, "tcp", "127.0.0.1:0")
			var settings []http2.Setting
			if c.peer > 0 {
				settings = append(settings, http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: uint32(c.peer)})
			}
			release := make(chan struct{})
			arrived := make(chan struct{}, 100)
			servePeer(t, ln, settings, func(_ net.Conn, f *http2.Framer) {
				var ids []uint32
				warm := true
				done := make(chan bool)
				go func() {
					defer close(done)
					<-release
				}()
				requests(f, func(id uint32) bool {
					if warm { // the first tells that the settings have come
						warm = false
						return answer200(f, id)
					}
					arrived <- struct{}{}
					ids = append(ids, id)
					if c.want > 1 && len(ids) == 10 || len(ids) == 50 {
						<-done
						for _, id := range ids {
							if !answer200(f, id) {
								return false
							}
						}
						ids = nil
					}
					return true
				})
			})
			tr, _ := client(t, "http://"+ln.Addr().String(), func(cfg *Config) {
				h2cTo(ln)(cfg)
				cfg.Client.Connections = 20
				cfg.Client.StreamsPerConn = c.profile
			})
			tr.Hold(c.want)
			await(t, func() bool { return tr.Stats().Idle == int64(c.want) })
			for range c.want {
				var a attack.Attempt
				tr.Do(plain(t, tr), &a)
				expectEnd(t, a, attack.None, attack.PhaseDone, 200)
			}
			out := make(chan []attack.Attempt)
			go func() { out <- together(tr, plain(t, tr), 50) }()
			for range 50 {
				<-arrived
			}
			close(release)
			used := make(map[uint64]int)
			for _, a := range <-out {
				expectEnd(t, a, attack.None, attack.PhaseDone, 200)
				used[a.Conn.ID]++
			}
			if len(used) != c.want {
				t.Errorf("%d connections: %v", len(used), used)
			}
		})
	}
}

// TestStreamsSpread: requests at once go to every address of the target.
func TestStreamsSpread(t *testing.T) {
	first := listen(t, "tcp", "127.0.0.1:0")
	port := first.Addr().(*net.TCPAddr).Port
	second, err := net.Listen("tcp", fmt.Sprintf("127.0.0.2:%d", port))
	if err != nil {
		t.Skipf("a second address with the same port: %v", err)
	}
	t.Cleanup(func() { second.Close() })
	for _, ln := range []net.Listener{first, second} {
		servePeer(t, ln, nil, func(_ net.Conn, f *http2.Framer) {
			requests(f, func(id uint32) bool {
				rest(5 * time.Millisecond)
				return answer200(f, id)
			})
		})
	}
	tr, _ := client(t, fmt.Sprintf("http://service.test:%d", port), func(c *Config) {
		c.Client.Protocol = profiles.ProtocolH2C
		c.Client.Connections = 20
		c.Resolve = names("127.0.0.1", "127.0.0.2")
	})
	used := make(map[netip.Addr]int)
	for range 3 {
		for _, a := range together(tr, plain(t, tr), 50) {
			expectEnd(t, a, attack.None, attack.PhaseDone, 200)
			used[a.Conn.Remote.Addr()]++
		}
	}
	// How evenly depends on when the second connection is up, and on the peers' pace.
	if len(used) != 2 || min(used[netip.MustParseAddr("127.0.0.1")], used[netip.MustParseAddr("127.0.0.2")]) < 10 {
		t.Errorf("%v", used)
	}
	if n := tr.Stats().Open; n != 2 {
		t.Errorf("%d connections", n)
	}
}

// TestStreamsOverUnixSocket speaks h2c over a Unix socket.
func TestStreamsOverUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	ln := listen(t, "unix", path)
	servePeer(t, ln, nil, func(_ net.Conn, f *http2.Framer) {
		requests(f, func(id uint32) bool { return answer200(f, id) })
	})
	tr, _ := client(t, "unix://"+path, func(c *Config) { c.Client.Protocol = profiles.ProtocolH2C })
	for range 3 {
		var a attack.Attempt
		tr.Do(plain(t, tr), &a)
		expectEnd(t, a, attack.None, attack.PhaseDone, 200)
	}
}
