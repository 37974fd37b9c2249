package route

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"github.com/rampload/rampload/profiles"
)

// sessions is how many TLS sessions of a target are kept to be resumed: one for each
// of its addresses would do, for the cache is by name.
const sessions = 64

// TLS makes the TLS configuration of a client for a server of that name or address.
// The error says which of its files cannot be used.
func TLS(c profiles.Client, server string) (*tls.Config, error) {
	out := &tls.Config{ServerName: server, InsecureSkipVerify: c.TLS.SkipVerify}
	if c.TLS.ServerName != "" {
		out.ServerName = c.TLS.ServerName
	}
	if c.TLS.Resume {
		out.ClientSessionCache = tls.NewLRUClientSessionCache(sessions)
	}
	if c.TLS.CAFile != "" {
		pem, err := os.ReadFile(c.TLS.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read CA file: %w", err)
		}
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read CA file %s: no certificate in PEM format found", c.TLS.CAFile)
		}
	}
	if c.TLS.CertFile != "" || c.TLS.KeyFile != "" {
		cert, err := tls.LoadX509KeyPair(c.TLS.CertFile, c.TLS.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("load client certificate: %w", err)
		}
		out.Certificates = []tls.Certificate{cert}
	}
	return out, nil
}

// Secure makes the TLS configurations of the connections on a route: with its target, which
// is offered protocols (ALPN) and known by name unless that is empty, and with its proxy; nil
// where there is no TLS. Errors are as of [TLS].
func (r *Route) Secure(c profiles.Client, name string, protocols []string) (target, proxy *tls.Config, err error) {
	if r.TLS {
		if target, err = TLS(c, r.Server); err != nil {
			return nil, nil, err
		}
		if name != "" {
			target.ServerName = name
		}
		target.NextProtos = protocols
	}
	if p := r.Proxy; p != nil && p.Scheme == "https" {
		if proxy, err = TLS(c, p.Hostname()); err != nil {
			return nil, nil, err
		}
		proxy.ServerName, proxy.NextProtos = p.Hostname(), []string{"http/1.1"}
		proxy.Certificates = nil // the client's certificate is for the target
	}
	return target, proxy, nil
}
