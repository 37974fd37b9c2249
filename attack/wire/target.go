package wire

import (
	"encoding/base64"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
	"golang.org/x/net/http/httpproxy"

	"github.com/rampload/rampload/profiles"
)

// target is what a profile's URL says of the connections and requests.
type target struct {
	tls    bool
	socket string // path of a Unix socket; empty: TCP
	host   string // name or address to connect to, without port: the proxy's if there is one
	port   uint16
	server string // name or address of the target itself, for SNI and certificates
	header string // Host header
	prefix string // path below which requests are, with its last slash
	user   string // Authorization from the URL; empty: none
	origin string // scheme://host as requests through a plain proxy name it; empty: they do not

	proxy     *url.URL // nil: none
	proxyAuth string   // Proxy-Authorization
	connect   string   // host:port to CONNECT to through the proxy; empty: no tunnel
}

func newTarget(cfg Config) (*target, error) {
	u, err := url.Parse(cfg.Profile.URL)
	if err != nil {
		return nil, fmt.Errorf("parse target URL: %w", err)
	}
	if u.Fragment != "" || u.RawQuery != "" {
		return nil, fmt.Errorf("parse target URL %q: query and fragment belong to the path of a request", u.Redacted())
	}
	tg := &target{prefix: u.EscapedPath(), user: basicAuth(u.User)}
	switch u.Scheme {
	case "unix":
		tg.socket, tg.prefix, tg.header = u.Path, "", "localhost"
		if u.Host != "" || u.Path == "" {
			return nil, fmt.Errorf("parse target URL %q: a Unix socket is written unix:///path/to.sock", u.Redacted())
		}
		if len(u.Path) > 107 { // sizeof sun_path less its NUL, unix(7)
			return nil, fmt.Errorf("parse target URL %q: the path of a Unix socket has at most 107 bytes", u.Redacted())
		}
		return tg, tg.checkProtocol(cfg.Client.Protocol)
	case "http", "https":
		tg.tls = u.Scheme == "https"
	default:
		return nil, fmt.Errorf("parse target URL %q: the scheme must be http, https or unix", u.Redacted())
	}
	if tg.host, tg.port, err = hostPort(u); err != nil {
		return nil, fmt.Errorf("parse target URL %q: %w", u.Redacted(), err)
	}
	tg.server, _, _ = strings.Cut(tg.host, "%") // a zone is of this machine only
	if tg.header, err = httpguts.PunycodeHostPort(u.Host); err != nil {
		return nil, fmt.Errorf("parse target URL %q: %w", u.Redacted(), err)
	}
	if h, zone, ok := strings.Cut(tg.header, "%"); ok {
		tg.header = h + zone[max(strings.Index(zone, "]"), 0):]
	}
	if to := cfg.Profile.ConnectTo; to != "" {
		if tg.host, tg.port, err = hostPort(&url.URL{Scheme: u.Scheme, Host: to}); err != nil {
			return nil, fmt.Errorf("parse connect-to %q: %w", to, err)
		}
	}
	if err := tg.checkProtocol(cfg.Client.Protocol); err != nil {
		return nil, err
	}
	if cfg.Client.Proxy {
		if err := tg.findProxy(cfg, u); err != nil {
			return nil, err
		}
	}
	return tg, nil
}

func (tg *target) checkProtocol(p profiles.Protocol) error {
	switch {
	case p == profiles.ProtocolHTTP2 && !tg.tls:
		return fmt.Errorf("choose protocol: http2 needs an https target; without TLS it is protocol: h2c")
	case p == profiles.ProtocolH2C && tg.tls:
		return fmt.Errorf("choose protocol: h2c is for targets without TLS; over https it is protocol: http2")
	}
	return nil
}

// hostPort returns where a URL points to.
func hostPort(u *url.URL) (string, uint16, error) {
	host, err := httpguts.PunycodeHostPort(u.Hostname())
	if err != nil || host == "" {
		return "", 0, fmt.Errorf("the host is missing or malformed")
	}
	port := u.Port()
	switch {
	case port != "":
	case u.Scheme == "https":
		port = "443"
	default:
		port = "80"
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return "", 0, fmt.Errorf("the port must be 1 to 65535")
	}
	return host, uint16(n), nil
}

// findProxy has the target reached through the environment's proxy for it.
func (tg *target) findProxy(cfg Config, u *url.URL) error {
	find := cfg.Proxy
	if find == nil {
		find = httpproxy.FromEnvironment().ProxyFunc()
	}
	p, err := find(u)
	if err != nil {
		return fmt.Errorf("find proxy: %w", err)
	}
	if p == nil {
		return nil
	}
	if p.Scheme != "http" && p.Scheme != "https" {
		return fmt.Errorf("use proxy %s: %w", p.Redacted(), errUnsupportedProxy)
	}
	if cfg.Client.Protocol == profiles.ProtocolH2C {
		return fmt.Errorf("use proxy %s: h2c cannot go through a proxy: choose another protocol, or set client.proxy: none", p.Redacted())
	}
	tg.proxy, tg.proxyAuth = p, basicAuth(p.User)
	target := net.JoinHostPort(tg.host, strconv.Itoa(int(tg.port)))
	if tg.tls {
		tg.connect = target
	} else {
		tg.origin = "http://" + tg.header
	}
	if tg.host, tg.port, err = hostPort(p); err != nil {
		return fmt.Errorf("use proxy %s: %w", p.Redacted(), err)
	}
	return nil
}

func basicAuth(u *url.Userinfo) string {
	if u == nil {
		return ""
	}
	password, _ := u.Password()
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(u.Username()+":"+password))
}

// address returns the address that the host is, if it is no name.
func (tg *target) address() (netip.Addr, bool) {
	a, err := netip.ParseAddr(tg.host)
	return a, err == nil
}
