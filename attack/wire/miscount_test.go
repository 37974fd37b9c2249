package wire

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
)

// eventually waits for a condition, and fails after ten seconds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(10 * time.Second); !ok(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("%s: not within 10 s", what)
		}
	}
}

// More connections than any fixed number end together, each with a FIN and then a
// RST: each RST counts, or was not waited for and is counted as such.
func TestRSTsOfManyConnectionsThatEndTogether(t *testing.T) {
	const n = 1500 // above lingerMin
	for name, most := range map[string]int{"room for all": n, "room for few": 100} {
		t.Run(name, func(t *testing.T) {
			ln := listenAnywhere(t)
			accepted := make(chan *net.TCPConn, 8*n)
			go func() {
				for {
					c, err := ln.Accept()
					if err != nil {
						return
					}
					accepted <- c.(*net.TCPConn)
				}
			}()
			tr, rec := client(t, "http://"+ln.Addr().String(), nil)
			tr.bg.mu.Lock()
			tr.bg.lingerMax = most
			tr.bg.lingerTime[lingerReset] = patience // the test itself takes its time
			tr.bg.mu.Unlock()
			tr.Hold(n)
			var all []*net.TCPConn
			for range n {
				all = append(all, <-accepted)
			}
			eventually(t, "all idle", func() bool { return tr.Stats().Idle == n })
			for _, c := range all {
				_ = c.CloseWrite()
			}
			for _, c := range all {
				_ = c.SetLinger(0)
				_ = c.Close()
			}
			resets := func() int {
				count := 0
				for _, a := range rec.Idle() {
					if a.WireReset {
						count++
					}
				}
				return count
			}
			eventually(t, "every connection is accounted for", func() bool {
				return resets()+int(tr.Stats().Unawaited) >= n
			})
			if most >= n && resets() != n {
				t.Errorf("%d resets of %d", resets(), n)
			}
		})
	}
}

// Refusals count for each address, and a family is given up only when all of its
// addresses refuse.
func TestRefusedAddresses(t *testing.T) {
	ln := listenAnywhere(t)
	serve(t, ln, answers(okResponse))
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	for name, tt := range map[string]struct {
		addrs   []string
		refused int // of 30 attempts
	}{
		"one of two":           {[]string{"127.0.0.2", "127.0.0.1"}, 15},
		"one of three":         {[]string{"127.0.0.1", "127.0.0.2", "127.0.0.1"}, 10},
		"the only one of IPv6": {[]string{"::1", "127.0.0.1"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var addrs []netip.Addr
			for _, a := range tt.addrs {
				addrs = append(addrs, netip.MustParseAddr(a))
			}
			tr, _ := client(t, "http://svc.test:"+port, func(c *Config) {
				c.Client.Connections = 0
				c.Resolve = func(context.Context, string) ([]netip.Addr, error) { return addrs, nil }
			})
			refused := 0
			for range 30 {
				switch a := do(t, tr, profiles.Request{Path: "/"}); a.Fault {
				case attack.Refused:
					refused++
				case attack.None:
				default:
					t.Errorf("%s of %s", a.Fault, a.Conn.Remote)
				}
			}
			if refused != tt.refused {
				t.Errorf("%d of 30 refused, want %d", refused, tt.refused)
			}
		})
	}
}

// The time for which 100 Continue is awaited is no time limit of the attempt.
func TestErrorsAfterAwaitingContinue(t *testing.T) {
	for name, serve := range map[string]func(http.Handler) *httptest.Server{
		"plain": httptest.NewServer, "TLS": httptest.NewTLSServer,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				c, _, err := w.(http.Hijacker).Hijack()
				if err != nil {
					return
				}
				defer c.Close()
				<-time.After(continueWait + 100*time.Millisecond)
				_, _ = io.WriteString(c, "220 not HTTP\r\n\r\n")
			}))
			defer s.Close()
			tr, _ := client(t, s.URL, func(c *Config) {
				c.Client.TLS.SkipVerify, c.Client.ExpectContinue = true, true
				c.Client.Protocol = profiles.ProtocolHTTP1
			})
			if a := do(t, tr, profiles.Request{Method: "PUT", Path: "/", Body: "b"}); a.Fault != attack.Protocol {
				t.Errorf("%s in %s, want protocol", a.Fault, a.Phase)
			}
		})
	}
}

// A FIN behind a response that the next request crosses is seen at once, though
// the peer goes on reading.
func TestFINBehindResponseIsNoTimeout(t *testing.T) {
	url := scripted(t, func(c net.Conn, _ int) {
		if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
			return
		}
		_, _ = io.WriteString(c, okResponse)
		_ = c.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, c)
	})
	tr, _ := client(t, url, func(c *Config) { c.Client.Timeout = 2 * time.Second })
	req := compile(t, tr, profiles.Request{Path: "/"})
	for i := range 300 {
		l := tr.Lease()
		var a attack.Attempt
		l.Do(req, &a)
		l.Do(req, &a)
		l.Close()
		if a.Fault == attack.Timeout {
			t.Fatalf("round %d: %s in %s", i, a.Fault, a.Phase)
		}
	}
}

// A profile without a pool keeps the connections that a stage wants held, and
// still says Connection: close on all others.
func TestHeldConnectionsWithoutPool(t *testing.T) {
	tr, _ := client(t, scripted(t, answers(okResponse)), func(c *Config) { c.Client.Connections = 0 })
	req := compile(t, tr, profiles.Request{Path: "/"})
	var a attack.Attempt
	tr.Hold(3)
	eventually(t, "three idle", func() bool { return tr.Stats().Idle == 3 })
	for range 30 {
		if tr.Do(req, &a); a.Fault != attack.None {
			t.Fatalf("%s in %s", a.Fault, a.Phase)
		}
	}
	if dials := tr.Stats().Dials; dials != 3 {
		t.Errorf("%d dials for 3 held connections", dials)
	}
	tr.Hold(0)
	eventually(t, "none open", func() bool { return tr.Stats().Open == 0 })
	if tr.Do(req, &a); a.Fault != attack.None || a.Conn.Reused {
		t.Errorf("after holding: %s, reused %v", a.Fault, a.Conn.Reused)
	}
}
