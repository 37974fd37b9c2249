package wire

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
)

// TestDetailOfHandshake has real handshakes fail, each for a reason of its own.
func TestDetailOfHandshake(t *testing.T) {
	hour := time.Hour
	now := time.Now()
	tests := map[string]struct {
		cert   x509.Certificate
		trust  bool
		server func(*tls.Config)
		want   string
	}{
		"unknown authority": {cert: x509.Certificate{NotAfter: now.Add(hour)}, want: "certificate unknown-authority"},
		"expired":           {cert: x509.Certificate{NotBefore: now.Add(-2 * hour), NotAfter: now.Add(-hour)}, trust: true, want: "certificate expired"},
		"not yet valid":     {cert: x509.Certificate{NotBefore: now.Add(hour), NotAfter: now.Add(2 * hour)}, trust: true, want: "certificate not-yet-valid"},
		"wrong name":        {cert: x509.Certificate{NotAfter: now.Add(hour), DNSNames: []string{"other.test"}, IPAddresses: []net.IP{}}, trust: true, want: "certificate wrong-name"},
		"wrong use":         {cert: x509.Certificate{NotAfter: now.Add(hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, trust: true, want: "certificate wrong-use"},
		"client certificate": {
			cert: x509.Certificate{NotAfter: now.Add(hour)}, trust: true,
			server: func(c *tls.Config) { c.ClientAuth, c.MaxVersion = tls.RequireAnyClientCert, tls.VersionTLS12 },
			want:   "tls-alert handshake-failure",
		},
		"version": {
			cert: x509.Certificate{NotAfter: now.Add(hour)}, trust: true,
			server: func(c *tls.Config) { c.MaxVersion = tls.VersionTLS11 }, want: "tls-alert protocol-version",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			addr, pemFile := serveTLS(t, tt.cert, tt.server)
			client := profiles.Client{Connections: 1, Timeout: 5 * time.Second}
			if tt.trust {
				client.TLS.CAFile = pemFile
			}
			a := attemptTo(t, "https://"+addr, client, nil)
			if a.Fault != attack.TLS && a.Detail.Kind != attack.AlertDetail || a.Detail.String() != tt.want {
				t.Errorf("%s in %s: %q, want %q", a.Fault, a.Phase, a.Detail, tt.want)
			}
		})
	}
}

func TestDetailOfPlainAnswer(t *testing.T) {
	for name, tt := range map[string]struct{ scheme, answer, want string }{
		"no TLS":      {"https", "HTTP/1.1 400 Bad Request\r\n\r\n", "malformed wrong-protocol"},
		"no HTTP":     {"http", "SSH-2.0-OpenSSH_9.2\r\n", "malformed status-line"},
		"header":      {"http", "HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "malformed header"},
		"two lengths": {"http", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "malformed length"},
		"chunk":       {"http", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "malformed chunk"},
	} {
		t.Run(name, func(t *testing.T) {
			ln := listenAnywhere(t)
			go func() {
				for {
					c, err := ln.Accept()
					if err != nil {
						return
					}
					var buf [512]byte
					_, _ = c.Read(buf[:])
					_, _ = c.Write([]byte(tt.answer))
					_ = c.Close()
				}
			}()
			a := attemptTo(t, tt.scheme+"://"+ln.Addr().String(), profiles.Client{Connections: 1, Timeout: 5 * time.Second}, nil)
			if a.Detail.String() != tt.want {
				t.Errorf("%s in %s: %q, want %q", a.Fault, a.Phase, a.Detail, tt.want)
			}
		})
	}
}

func TestDetailOfName(t *testing.T) {
	for want, err := range map[string]*net.DNSError{
		"dns nxdomain": {IsNotFound: true},
		"dns timeout":  {IsTimeout: true},
		"dns servfail": {IsTemporary: true},
		"dns failed":   {},
	} {
		a := attemptTo(t, "http://name.test", profiles.Client{Connections: 1, Timeout: 5 * time.Second},
			func(context.Context, string) ([]netip.Addr, error) { return nil, err })
		if a.Fault != attack.DNS || a.Detail.String() != want {
			t.Errorf("%s: %q, want %q", a.Fault, a.Detail, want)
		}
	}
}

func attemptTo(t *testing.T, url string, client profiles.Client, resolve func(context.Context, string) ([]netip.Addr, error)) attack.Attempt {
	t.Helper()
	tr, err := New(Config{Exchange: Speak, Profile: profiles.Target{URL: url}, Client: client, Resolve: resolve})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	r, err := tr.Compile(profiles.Request{Method: "GET", Path: "/"})
	if err != nil {
		t.Fatal(err)
	}
	var a attack.Attempt
	tr.Do(r, &a)
	return a
}

func listenAnywhere(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

// serveTLS serves TLS with a certificate that signs itself.
func serveTLS(t *testing.T, cert x509.Certificate, change func(*tls.Config)) (addr, pemFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert.SerialNumber = big.NewInt(1)
	if cert.IPAddresses == nil {
		cert.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	cert.IsCA, cert.BasicConstraintsValid = true, true
	der, err := x509.CreateCertificate(rand.Reader, &cert, &cert, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cfg := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS10}
	if change != nil {
		change(cfg)
	}
	ln := listenAnywhere(t)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				s := tls.Server(c, cfg)
				_ = s.Handshake()
				var buf [512]byte
				_, _ = s.Read(buf[:]) // until the client is gone
				_ = s.Close()
			}()
		}
	}()
	pemFile = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(pemFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return ln.Addr().String(), pemFile
}
