package wire

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
)

// certified makes a certificate for 127.0.0.1, its own authority, with changes, and
// returns it and a file with it.
func certified(t *testing.T, change func(*x509.Certificate)) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "knock"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	change(template)
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "cert.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

func TestKnock(t *testing.T) {
	good, goodFile := certified(t, func(*x509.Certificate) {})
	old, oldFile := certified(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	early, earlyFile := certified(t, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) })
	other, otherFile := certified(t, func(c *x509.Certificate) { c.IPAddresses, c.DNSNames = nil, []string{"other.example"} })
	certificate := func(code uint16) attack.Detail {
		return attack.Detail{Kind: attack.CertificateDetail, Code: code}
	}
	demand := func(version uint16) *tls.Config {
		return &tls.Config{Certificates: []tls.Certificate{good}, ClientAuth: tls.RequireAnyClientCert, MaxVersion: version}
	}
	plain := &tls.Config{}
	tests := []struct {
		name   string
		server *tls.Config // nil: nothing listens; without certificates: plain HTTP
		scheme string
		client profiles.TLS
		fault  attack.Fault
		detail attack.Detail
		wants  bool
	}{
		{name: "good", server: &tls.Config{Certificates: []tls.Certificate{good}}, scheme: "https", client: profiles.TLS{CAFile: goodFile}},
		{name: "plain", server: plain, scheme: "http"},
		{name: "refused", scheme: "http", fault: attack.Refused},
		{
			name: "unknown authority", server: &tls.Config{Certificates: []tls.Certificate{good}}, scheme: "https",
			fault: attack.TLS, detail: certificate(attack.CertificateUnknownAuthority),
		},
		{name: "unknown authority, accepted", server: &tls.Config{Certificates: []tls.Certificate{good}}, scheme: "https", client: profiles.TLS{SkipVerify: true}},
		{
			name: "expired", server: &tls.Config{Certificates: []tls.Certificate{old}}, scheme: "https", client: profiles.TLS{CAFile: oldFile},
			fault: attack.TLS, detail: certificate(attack.CertificateExpired),
		},
		{
			name: "not yet valid", server: &tls.Config{Certificates: []tls.Certificate{early}}, scheme: "https", client: profiles.TLS{CAFile: earlyFile},
			fault: attack.TLS, detail: certificate(attack.CertificateNotYetValid),
		},
		{
			name: "wrong name", server: &tls.Config{Certificates: []tls.Certificate{other}}, scheme: "https", client: profiles.TLS{CAFile: otherFile},
			fault: attack.TLS, detail: certificate(attack.CertificateWrongName),
		},
		{
			name: "right name by server-name", server: &tls.Config{Certificates: []tls.Certificate{other}}, scheme: "https",
			client: profiles.TLS{CAFile: otherFile, ServerName: "other.example"},
		},
		{
			name: "client certificate, TLS 1.3", server: demand(tls.VersionTLS13), scheme: "https", client: profiles.TLS{CAFile: goodFile},
			fault: attack.TLS, detail: attack.Alert(116), wants: true,
		},
		{
			name: "client certificate, TLS 1.2", server: demand(tls.VersionTLS12), scheme: "https", client: profiles.TLS{CAFile: goodFile},
			fault: attack.TLS, detail: attack.Alert(40), wants: true,
		},
		{
			name: "no TLS there", server: plain, scheme: "https",
			fault: attack.TLS, detail: attack.Detail{Kind: attack.MalformedDetail, Code: attack.WrongProtocol},
		},
		{name: "TLS where http was written: not asked", server: &tls.Config{Certificates: []tls.Certificate{good}}, scheme: "http"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			requests := 0
			s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests++ }))
			s.Config.ErrorLog = log.New(io.Discard, "", 0)
			switch {
			case tt.server == nil || len(tt.server.Certificates) == 0:
				s.Start()
			default:
				s.TLS = tt.server
				s.StartTLS()
			}
			if tt.server == nil {
				s.Close()
			} else {
				defer s.Close()
			}
			k, err := Knock(t.Context(), attack.ClientConfig{
				Profile: profiles.Target{URL: tt.scheme + "://" + s.Listener.Addr().String()},
				Client:  profiles.Client{Timeout: 3 * time.Second, TLS: tt.client},
			}, Speak)
			if err != nil {
				t.Fatal(err)
			}
			a := k.Attempt
			if a.Fault != tt.fault || a.Detail != tt.detail || k.WantsCertificate != tt.wants {
				t.Errorf("%s %q in %s, wants a certificate %v; want %s %q, %v",
					a.Fault, a.Detail, a.Phase, k.WantsCertificate, tt.fault, tt.detail, tt.wants)
			}
			if got := a.Conn.Remote.String(); !strings.HasPrefix(got, "127.0.0.1:") {
				t.Errorf("remote address %s", got)
			}
			if requests > 0 {
				t.Errorf("%d requests were sent", requests)
			}
		})
	}
}
