package wire

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire/route"
	"github.com/rampload/rampload/attack/wire/wiretest/record"
	"github.com/rampload/rampload/profiles"
)

// names resolves any name to addresses.
func names(addrs ...string) func(context.Context, string) ([]netip.Addr, error) {
	var out []netip.Addr
	for _, a := range addrs {
		out = append(out, netip.MustParseAddr(a))
	}
	return func(context.Context, string) ([]netip.Addr, error) { return out, nil }
}

func TestSeveralAddresses(t *testing.T) {
	var ln, other net.Listener
	var port string
	for other == nil { // on both addresses, unless another process has the port on one
		ln = listen(t, "tcp", "127.0.0.1:0")
		_, port, _ = net.SplitHostPort(ln.Addr().String())
		var err error
		if other, err = net.Listen("tcp", "127.0.0.2:"+port); errors.Is(err, syscall.EADDRINUSE) {
			ln.Close()
		} else if err != nil {
			t.Fatal(err)
		}
	}
	serve(t, ln, answers(okResponse))
	serve(t, other, answers(okResponse))
	told := make(map[uint16]string)
	tr, _ := client(t, "http://service.test:"+port, func(c *Config) {
		c.Client.Connections = 0
		c.Resolve = names("127.0.0.1", "127.0.0.2", "127.0.0.3")
		c.OnAddress = func(i uint16, a netip.AddrPort) { told[i] = a.Addr().String() }
	})
	got := make(map[string]int)
	for range 9 {
		a := do(t, tr, profiles.Request{})
		got[fmt.Sprint(a.Conn.Remote.Addr(), " ", a.Fault)]++
		if told[a.Conn.RemoteIndex] != a.Conn.Remote.Addr().String() || tr.RemoteIndex(a.Conn.Remote) != a.Conn.RemoteIndex {
			t.Errorf("index %d of %v: told %v", a.Conn.RemoteIndex, a.Conn.Remote, told)
		}
	}
	// The bad instance shows: its refusals are not tried elsewhere.
	want := map[string]int{"127.0.0.1 none": 3, "127.0.0.2 none": 3, "127.0.0.3 refused": 3}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestFamilyFallback has a name with an address of a family on which the service
// does not listen.
func TestFamilyFallback(t *testing.T) {
	ln := listen(t, "tcp4", "127.0.0.1:0")
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	serve(t, ln, answers(okResponse))
	tr, rec := client(t, "http://localhost:"+port, func(c *Config) {
		c.Client.Connections = 0
		c.Resolve = names("::1", "127.0.0.1")
	})
	for range 4 {
		a := do(t, tr, profiles.Request{})
		expectEnd(t, a, attack.None, attack.PhaseDone, 200)
		if !a.Conn.Remote.Addr().Is4() {
			t.Errorf("%+v", a.Conn)
		}
	}
	eventually(t, "the refusal of the other address is told", func() bool {
		return len(rec.Idle()) == 1
	})
	if r := rec.Idle()[0]; r.Fault != attack.Refused || r.Phase != attack.PhaseDial || r.Held || r.Last || !r.Conn.Remote.Addr().Is6() {
		t.Errorf("told %+v", r)
	}
	ln.Close() // a family that has answered is not given up
	a := do(t, tr, profiles.Request{})
	expectEnd(t, a, attack.Refused, attack.PhaseDial, 0)
	if !a.Conn.Remote.Addr().Is4() {
		t.Errorf("%+v", a.Conn)
	}
}

func TestNameFaults(t *testing.T) {
	var lookups atomic.Int32
	tr, _ := client(t, "http://service.test", func(c *Config) {
		c.Client.Connections = 0
		c.Resolve = func(context.Context, string) ([]netip.Addr, error) {
			lookups.Add(1)
			return nil, &net.DNSError{Err: "no such host", IsNotFound: true}
		}
	})
	expectEnd(t, do(t, tr, profiles.Request{}), attack.DNS, attack.PhaseDNS, 0)
	expectEnd(t, do(t, tr, profiles.Request{}), attack.DNS, attack.PhaseDNS, 0)
	if lookups.Load() != 2 {
		t.Errorf("%d look-ups", lookups.Load())
	}

	tr, _ = client(t, "http://service.test", func(c *Config) {
		c.Client.Timeout = 50 * time.Millisecond
		c.Resolve = func(ctx context.Context, _ string) ([]netip.Addr, error) {
			<-ctx.Done()
			return nil, &net.DNSError{UnwrapErr: ctx.Err()}
		}
	})
	expectEnd(t, do(t, tr, profiles.Request{}), attack.Timeout, attack.PhaseDNS, 0)

	tr, _ = client(t, "http://does-not-exist.invalid", nil)
	expectEnd(t, do(t, tr, profiles.Request{}), attack.DNS, attack.PhaseDNS, 0)
}

// authority makes certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string // its certificate in PEM
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	ca := &authority{file: filepath.Join(t.TempDir(), "ca.pem")}
	der := ca.sign(t, &x509.Certificate{IsCA: true, BasicConstraintsValid: true, Subject: pkix.Name{CommonName: "CA"}}, "")
	ca.cert, _ = x509.ParseCertificate(der)
	if err := os.WriteFile(ca.file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return ca
}

// sign makes a certificate; with a path, it and its key are written to
// path.pem and path.key.
func (ca *authority) sign(t *testing.T, c *x509.Certificate, path string) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c.SerialNumber = big.NewInt(time.Now().UnixNano())
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := ca.cert, ca.key
	if parent == nil {
		parent, signer, ca.key = c, key, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	if path != "" {
		bytes, err := x509.MarshalECPrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		err = errors.Join(
			os.WriteFile(path+".pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600),
			os.WriteFile(path+".key", pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: bytes}), 0o600))
		if err != nil {
			t.Fatal(err)
		}
	}
	return der
}

func (ca *authority) pair(t *testing.T, c *x509.Certificate) tls.Certificate {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cert")
	ca.sign(t, c, path)
	pair, err := tls.LoadX509KeyPair(path+".pem", path+".key")
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// secured starts a TLS server for service.test on loopback.
func secured(t *testing.T, cfg *tls.Config, f func(net.Conn, int)) string {
	t.Helper()
	ln := listen(t, "tcp", "127.0.0.1:0")
	serve(t, ln, func(c net.Conn, n int) {
		s := tls.Server(c, cfg)
		if s.Handshake() == nil {
			f(s, n)
			s.Close()
		}
	})
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	return "https://service.test:" + port
}

func TestTLS(t *testing.T) {
	ca := newAuthority(t)
	pair := ca.pair(t, &x509.Certificate{DNSNames: []string{"service.test"}})
	with := func(change func(*profiles.Client)) func(*Config) {
		return func(c *Config) {
			c.Resolve = names("127.0.0.1")
			c.Client.TLS.CAFile = ca.file
			if change != nil {
				change(&c.Client)
			}
		}
	}
	var seen atomic.Pointer[tls.ConnectionState]
	state := func(c net.Conn, n int) {
		s := c.(*tls.Conn).ConnectionState()
		seen.Store(&s)
		answers(okResponse)(c, n)
	}
	server := &tls.Config{Certificates: []tls.Certificate{pair}}
	t.Run("good", func(t *testing.T) {
		tr, rec := client(t, secured(t, server, state), with(nil))
		for i := range 3 {
			a := do(t, tr, profiles.Request{})
			expectEnd(t, a, attack.None, attack.PhaseDone, 200)
			if int(a.Conn.Served) != i {
				t.Errorf("%+v", a.Conn)
			}
		}
		if s := seen.Load(); s.ServerName != "service.test" || s.Version != tls.VersionTLS13 {
			t.Errorf("%+v", s)
		}
		tr.Close()
		if len(rec.Idle()) != 0 {
			t.Errorf("reported %v", record.Faults(rec.Idle()))
		}
	})
	t.Run("unknown authority", func(t *testing.T) {
		tr, _ := client(t, secured(t, server, state), with(func(c *profiles.Client) { c.TLS.CAFile = newAuthority(t).file }))
		a := do(t, tr, profiles.Request{})
		expectEnd(t, a, attack.TLS, attack.PhaseTLS, 0)
		if a.WireReset || a.Conn.ID == 0 {
			t.Errorf("%+v", a)
		}
	})
	t.Run("skip verify and server name", func(t *testing.T) {
		tr, _ := client(t, secured(t, server, state), with(func(c *profiles.Client) {
			c.TLS = profiles.TLS{SkipVerify: true, ServerName: "other.test"}
		}))
		expectEnd(t, do(t, tr, profiles.Request{}), attack.None, attack.PhaseDone, 200)
		if s := seen.Load(); s.ServerName != "other.test" {
			t.Errorf("%+v", s)
		}
	})
	t.Run("wrong name", func(t *testing.T) {
		tr, _ := client(t, secured(t, server, state), with(func(c *profiles.Client) { c.TLS.ServerName = "other.test" }))
		expectEnd(t, do(t, tr, profiles.Request{}), attack.TLS, attack.PhaseTLS, 0)
	})
	t.Run("no common version", func(t *testing.T) {
		old := server.Clone()
		old.MaxVersion = tls.VersionTLS10
		tr, _ := client(t, secured(t, old, state), with(nil))
		expectEnd(t, do(t, tr, profiles.Request{}), attack.TLS, attack.PhaseTLS, 0)
	})
	t.Run("not TLS", func(t *testing.T) {
		url := scripted(t, func(c net.Conn, _ int) {
			io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n")
			c.Read(make([]byte, 1<<10))
		})
		tr, _ := client(t, strings.Replace(url, "http", "https", 1), nil)
		expectEnd(t, do(t, tr, profiles.Request{}), attack.TLS, attack.PhaseTLS, 0)
	})
	t.Run("silent", func(t *testing.T) {
		url := scripted(t, func(c net.Conn, _ int) { io.Copy(io.Discard, c) })
		tr, _ := client(t, strings.Replace(url, "http", "https", 1), func(c *Config) { c.Client.Timeout = 500 * time.Millisecond })
		expectEnd(t, do(t, tr, profiles.Request{}), attack.Timeout, attack.PhaseTLS, 0)
	})
	t.Run("closed", func(t *testing.T) {
		url := scripted(t, func(c net.Conn, _ int) {
			http.ReadRequest(bufio.NewReaderSize(c, 4<<10)) // reads all that came
		})
		tr, _ := client(t, strings.Replace(url, "http", "https", 1), nil)
		expectEnd(t, do(t, tr, profiles.Request{}), attack.EOF, attack.PhaseTLS, 0)
	})
	t.Run("client certificate", func(t *testing.T) {
		strict := server.Clone()
		strict.ClientAuth, strict.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
		strict.ClientCAs.AddCert(ca.cert)
		path := filepath.Join(t.TempDir(), "client")
		ca.sign(t, &x509.Certificate{
			Subject: pkix.Name{CommonName: "me"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		}, path)
		tr, _ := client(t, secured(t, strict, state), with(func(c *profiles.Client) {
			c.TLS.CertFile, c.TLS.KeyFile = path+".pem", path+".key"
		}))
		expectEnd(t, do(t, tr, profiles.Request{}), attack.None, attack.PhaseDone, 200)
		if s := seen.Load(); len(s.PeerCertificates) != 1 || s.PeerCertificates[0].Subject.CommonName != "me" {
			t.Errorf("%+v", s.PeerCertificates)
		}
		// Without one: TLS 1.3 tells after the client's handshake is over.
		tr, _ = client(t, secured(t, strict, state), with(nil))
		expectEnd(t, do(t, tr, profiles.Request{}), attack.TLS, attack.PhaseAwait, 0)
	})
	t.Run("http2 not spoken", func(t *testing.T) {
		tr, _ := client(t, secured(t, server, state), with(func(c *profiles.Client) { c.Protocol = profiles.ProtocolHTTP2 }))
		expectEnd(t, do(t, tr, profiles.Request{}), attack.Protocol, attack.PhaseTLS, 0)
	})
	t.Run("response until close", func(t *testing.T) {
		tr, _ := client(t, secured(t, server, func(c net.Conn, _ int) {
			http.ReadRequest(bufio.NewReader(c))
			io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\nall of it")
		}), with(nil))
		expectEnd(t, do(t, tr, profiles.Request{}), attack.None, attack.PhaseDone, 200)
	})
}

// proxy is an HTTP proxy that records what it is asked.
type proxy struct {
	mu    sync.Mutex
	asked []string
}

func (p *proxy) serve(c net.Conn, _ int) {
	br := bufio.NewReader(c)
	req, err := http.ReadRequest(br)
	if err != nil {
		return
	}
	p.mu.Lock()
	p.asked = append(p.asked, fmt.Sprintf("%s %s %s", req.Method, req.RequestURI, req.Header.Get("Proxy-Authorization")))
	p.mu.Unlock()
	switch {
	case req.Method != "CONNECT":
		io.WriteString(c, okResponse)
	case strings.HasPrefix(req.RequestURI, "forbidden"):
		io.WriteString(c, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
	case strings.HasPrefix(req.RequestURI, "reset"):
		c.(*net.TCPConn).SetLinger(0)
	default:
		_, port, _ := net.SplitHostPort(req.RequestURI)
		up, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err != nil {
			return
		}
		defer up.Close()
		io.WriteString(c, "HTTP/1.1 200 Connection established\r\n\r\n")
		go io.Copy(up, br)
		io.Copy(c, up)
	}
}

func TestProxy(t *testing.T) {
	p := new(proxy)
	at := strings.Replace(scripted(t, p.serve), "http://", "http://me:pw@", 1)
	through := func(change func(*Config)) func(*Config) {
		return func(c *Config) {
			c.Client.Proxy = true
			c.Proxy = func(*url.URL) (*url.URL, error) { return url.Parse(at) }
			if change != nil {
				change(c)
			}
		}
	}
	ca := newAuthority(t)
	server := &tls.Config{Certificates: []tls.Certificate{ca.pair(t, &x509.Certificate{DNSNames: []string{"service.test"}})}}
	secure := secured(t, server, answers(okResponse))

	tr, _ := client(t, "http://plain.test/api", through(nil))
	a := do(t, tr, profiles.Request{Path: "/x"})
	expectEnd(t, a, attack.None, attack.PhaseDone, 200)
	if !strings.HasSuffix(at, a.Conn.Remote.String()) {
		t.Errorf("went to %v", a.Conn.Remote)
	}
	tr, _ = client(t, secure, through(func(c *Config) { c.Client.TLS.CAFile = ca.file }))
	expectEnd(t, do(t, tr, profiles.Request{}), attack.None, attack.PhaseDone, 200)
	tr, _ = client(t, "https://forbidden.test", through(nil))
	expectEnd(t, do(t, tr, profiles.Request{}), attack.Status, attack.PhaseDial, 403)
	tr, _ = client(t, "https://reset.test", through(nil))
	if a := do(t, tr, profiles.Request{}); a.Fault != attack.Reset || a.Phase != attack.PhaseDial || !a.WireReset {
		t.Errorf("%+v", a)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	want := []string{
		"GET http://plain.test/api/x Basic bWU6cHc=",
		"CONNECT " + strings.TrimPrefix(secure, "https://") + " Basic bWU6cHc=",
		"CONNECT forbidden.test:443 Basic bWU6cHc=",
		"CONNECT reset.test:443 Basic bWU6cHc=",
	}
	if strings.Join(p.asked, "\n") != strings.Join(want, "\n") {
		t.Errorf("the proxy was asked\n%s", strings.Join(p.asked, "\n"))
	}

	_, err := New(Config{
		Exchange: Speak,
		Profile:  profiles.Target{URL: "http://h"}, Client: profiles.Client{Proxy: true},
		Proxy: func(*url.URL) (*url.URL, error) { return url.Parse("socks5://p:1080") },
	})
	if !errors.Is(err, route.ErrProxy) {
		t.Errorf("socks: %v", err)
	}
}

func TestProxyEnvironment(t *testing.T) {
	p := new(proxy)
	t.Setenv("HTTP_PROXY", scripted(t, p.serve))
	tr, _ := client(t, "http://plain.test", func(c *Config) { c.Client.Proxy = true })
	expectEnd(t, do(t, tr, profiles.Request{}), attack.None, attack.PhaseDone, 200)
	tr, _ = client(t, "http://plain.invalid", nil) // not without leave
	expectEnd(t, do(t, tr, profiles.Request{}), attack.DNS, attack.PhaseDNS, 0)
}
