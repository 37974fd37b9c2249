package route

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"

	"golang.org/x/net/http/httpproxy"
)

// ErrProxy is matched by the error of a proxy of another kind than http and https.
var ErrProxy = errors.New("only http and https proxies are supported: set HTTP_PROXY or HTTPS_PROXY to one, or client.proxy: none")

// FromEnvironment finds proxies as HTTP_PROXY, HTTPS_PROXY and NO_PROXY say.
func FromEnvironment() func(*url.URL) (*url.URL, error) {
	return httpproxy.FromEnvironment().ProxyFunc()
}

// findProxy has the target reached through the environment's proxy for it.
func (r *Route) findProxy(cfg Config, u *url.URL) error {
	find := cfg.Proxy
	if find == nil {
		find = FromEnvironment()
	}
	p, err := find(u)
	if err != nil {
		return fmt.Errorf("find proxy: %w", err)
	}
	if p == nil {
		return nil
	}
	if p.Scheme != "http" && p.Scheme != "https" {
		return fmt.Errorf("use proxy %s: %w", p.Redacted(), ErrProxy)
	}
	r.Proxy, r.ProxyAuth = p, basicAuth(p.User)
	target := net.JoinHostPort(r.Host, strconv.Itoa(int(r.Port)))
	if r.TLS {
		r.Connect = target
	} else {
		r.Origin = "http://" + r.Authority
	}
	if r.Host, r.Port, err = hostPort(p); err != nil {
		return fmt.Errorf("use proxy %s: %w", p.Redacted(), err)
	}
	return nil
}
