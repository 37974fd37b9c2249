package wire

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire/wiretest/record"
	"github.com/rampload/rampload/profiles"
)

// TestWithdrawnAddresses: connections to an address that the name has no more are left
// when the name is looked up again, idle ones at once; a look-up that fails leaves
// everything as it is, and is counted.
func TestWithdrawnAddresses(t *testing.T) {
	for _, protocol := range []profiles.Protocol{profiles.ProtocolHTTP1, profiles.ProtocolH2C} {
		t.Run(string(protocol), func(t *testing.T) {
			s := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), Protocols: new(http.Protocols)}
			s.Protocols.SetHTTP1(true)
			s.Protocols.SetUnencryptedHTTP2(true)
			ln, err := net.Listen("tcp4", "0.0.0.0:0")
			if err != nil {
				t.Fatal(err)
			}
			go s.Serve(ln)
			t.Cleanup(func() { s.Close() })
			_, port, _ := net.SplitHostPort(ln.Addr().String())

			one, two := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.2")
			var later atomic.Int64 // on the clock
			var answer atomic.Pointer[[]netip.Addr]
			var looked atomic.Int64
			answer.Store(&[]netip.Addr{one, two})
			start := time.Now()
			tr, rec := client(t, "http://svc.test:"+port, func(c *Config) {
				c.Client.Protocol = protocol
				c.Client.IdleTimeout = 0
				c.Clock = func() time.Duration { return time.Since(start) + time.Duration(later.Load()) }
				c.Resolve = func(context.Context, string) ([]netip.Addr, error) {
					looked.Add(1)
					if a := answer.Load(); a != nil {
						return *a, nil
					}
					return nil, &net.DNSError{Err: "server misbehaving", IsTemporary: true}
				}
			})
			tr.Hold(4)
			eventually(t, "four open", func() bool { return tr.Stats().Idle == 4 })
			again := func() {
				n := looked.Load()
				later.Add(int64(time.Minute))
				tr.bg.poke()
				eventually(t, "another look-up", func() bool { return looked.Load() > n })
			}
			answer.Store(nil)
			again()
			eventually(t, "a failed look-up", func() bool { return tr.Stats().LookupFailures == 1 })
			if s := tr.Stats(); s.Open != 4 || s.Dials != 4 {
				t.Errorf("after a look-up that failed: %+v", s)
			}
			answer.Store(&[]netip.Addr{two})
			again()
			eventually(t, "all to the address that is left", func() bool {
				tr.mu.Lock()
				defer tr.mu.Unlock()
				for c := range tr.all() {
					if c.Remote().Addr() != two {
						return false
					}
				}
				return tr.open.Load() == 4
			})
			for range 8 {
				if a := do(t, tr, profiles.Request{Path: "/"}); a.Fault != attack.None || a.Conn.Remote.Addr() != two {
					t.Errorf("%s at %v", a.Fault, a.Conn.Remote)
				}
			}
			if d := tr.Stats().Dials; d != 6 {
				t.Errorf("%d dials, want the four and two instead of those left", d)
			}
			tr.Close()
			if len(rec.Idle()) > 0 {
				t.Errorf("reported %v", record.Faults(rec.Idle()))
			}
		})
	}
}

// TestCloseFirst: the client does not ask the target to close, and does it itself.
func TestCloseFirst(t *testing.T) {
	for _, secure := range []bool{false, true} {
		ends := make(chan error, 1)
		asked := make(chan string, 1)
		play := func(c net.Conn, _ int) {
			br := bufio.NewReader(c)
			req, err := http.ReadRequest(br)
			if err != nil {
				return
			}
			asked <- req.Header.Get("Connection")
			io.WriteString(c, okResponse)
			_, err = br.ReadByte() // it keeps the connection open
			ends <- err
		}
		set := func(c *Config) {
			c.Client.Connections, c.Client.CloseFirst = 0, true
			c.Client.TLS.SkipVerify = true
			c.Resolve = names("127.0.0.1")
		}
		to := ""
		if secure {
			pair := newAuthority(t).pair(t, &x509.Certificate{DNSNames: []string{"service.test"}})
			to = secured(t, &tls.Config{Certificates: []tls.Certificate{pair}}, play)
		} else {
			to = scripted(t, play)
		}
		tr, rec := client(t, to, set)
		expectEnd(t, do(t, tr, profiles.Request{Path: "/"}), attack.None, attack.PhaseDone, 200)
		if got := <-asked; got != "" {
			t.Errorf("Connection: %s was sent", got)
		}
		select {
		case err := <-ends:
			if !errors.Is(err, io.EOF) {
				t.Errorf("the connection ended with %v", err)
			}
		case <-time.After(patience):
			t.Error("the client did not close")
		}
		tr.Close()
		if len(rec.Idle()) > 0 {
			t.Errorf("reported %v", record.Faults(rec.Idle()))
		}
	}
}

// TestResume: with the switch, later connections resume the first one's session.
func TestResume(t *testing.T) {
	ca := newAuthority(t)
	pair := ca.pair(t, &x509.Certificate{DNSNames: []string{"service.test"}})
	for _, resume := range []bool{false, true} {
		var mu sync.Mutex
		var resumed []bool
		to := secured(t, &tls.Config{Certificates: []tls.Certificate{pair}}, func(c net.Conn, n int) {
			mu.Lock()
			resumed = append(resumed, c.(*tls.Conn).ConnectionState().DidResume)
			mu.Unlock()
			answers(okResponse)(c, n)
		})
		tr, _ := client(t, to, func(c *Config) {
			c.Client.Connections, c.Client.TLS = 0, profiles.TLS{CAFile: ca.file, Resume: resume}
			c.Resolve = names("127.0.0.1")
		})
		for range 3 {
			expectEnd(t, do(t, tr, profiles.Request{Path: "/"}), attack.None, attack.PhaseDone, 200)
		}
		tr.Close()
		mu.Lock()
		if want := []bool{false, resume, resume}; !slices.Equal(resumed, want) {
			t.Errorf("resume %v: the server resumed %v, want %v", resume, resumed, want)
		}
		mu.Unlock()
	}
}

// TestSecureProxy speaks TLS to the proxy, and through it to the target: both are held
// against tls.ca, and neither with skip-verify.
func TestSecureProxy(t *testing.T) {
	ca := newAuthority(t)
	at := ca.pair(t, &x509.Certificate{DNSNames: []string{"proxy.test"}})
	p := new(proxy)
	through := strings.Replace(secured(t, &tls.Config{Certificates: []tls.Certificate{at}}, p.serve), "service.test", "proxy.test", 1)
	target := secured(t, &tls.Config{Certificates: []tls.Certificate{ca.pair(t, &x509.Certificate{DNSNames: []string{"service.test"}})}}, answers(okResponse))
	for _, tt := range []struct {
		name   string
		url    string
		tls    profiles.TLS
		fault  attack.Fault
		detail string
	}{
		{"ca, http", "http://plain.test", profiles.TLS{CAFile: ca.file}, attack.None, ""},
		{"ca, https", target, profiles.TLS{CAFile: ca.file}, attack.None, ""},
		{"skip-verify, http", "http://plain.test", profiles.TLS{SkipVerify: true}, attack.None, ""},
		{"skip-verify, https", target, profiles.TLS{SkipVerify: true}, attack.None, ""},
		{"server-name is the target's", target, profiles.TLS{CAFile: ca.file, ServerName: "service.test"}, attack.None, ""},
		{"unknown authority", "http://plain.test", profiles.TLS{CAFile: newAuthority(t).file}, attack.TLS, "certificate unknown-authority"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tr, _ := client(t, tt.url, func(c *Config) {
				c.Client.TLS, c.Client.Proxy = tt.tls, true
				c.Resolve = names("127.0.0.1")
				c.Proxy = func(*url.URL) (*url.URL, error) { return url.Parse(through) }
			})
			a := do(t, tr, profiles.Request{Path: "/"})
			if a.Fault != tt.fault || a.Detail.String() != tt.detail {
				t.Errorf("%s %q in %s, want %s %q", a.Fault, a.Detail, a.Phase, tt.fault, tt.detail)
			}
		})
	}
}
