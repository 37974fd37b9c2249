// Package route says how a target is reached, before there is a connection: what
// its URL, connect-to and proxy say, which addresses its name has and which of them
// is next, and the TLS configuration. It opens no connection and speaks no protocol.
package route

import (
	"encoding/base64"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/rampload/rampload/profiles"
)

// Route is how a target is reached. It is immutable.
type Route struct {
	Scheme    string // of the URL
	TLS       bool
	Socket    string // path of a Unix socket; empty: TCP
	Host      string // name or address to connect to, without port: the proxy's if there is one
	Port      uint16
	Server    string // name or address of the target itself, for SNI and certificates
	Authority string // host, and port if the URL has one, as a Host header names it
	Prefix    string // path below which requests are, with its last slash
	User      string // Authorization from the URL; empty: none
	Origin    string // scheme://host as requests through a plain proxy name it; empty: they do not

	Proxy     *url.URL // nil: none
	ProxyAuth string   // Proxy-Authorization
	Connect   string   // host:port to CONNECT to through the proxy; empty: no tunnel
}

// Config is what a route follows from.
type Config struct {
	Profile profiles.Target
	Client  profiles.Client
	// Proxy finds the proxy of a target, nil for none; see [FromEnvironment]. It is
	// asked once, and only with Client.Proxy.
	Proxy func(*url.URL) (*url.URL, error)
}

// New reads the route of a target. The error says what of the URL, of connect-to or
// of the proxy is wrong.
func New(cfg Config) (*Route, error) {
	u, err := url.Parse(cfg.Profile.URL)
	if err != nil {
		return nil, fmt.Errorf("parse target URL: %w", err)
	}
	kind, known := profiles.FindScheme(u.Scheme)
	if u.Fragment != "" || u.RawQuery != "" && !kind.Speaks.HasQuery() {
		return nil, fmt.Errorf("parse target URL %q: query and fragment belong to the path of a request", u.Redacted())
	}
	r := &Route{Scheme: u.Scheme, Prefix: u.EscapedPath(), User: basicAuth(u.User)}
	if u.Scheme == "unix" {
		r.Socket, r.Prefix, r.Authority = u.Path, "", "localhost"
		if u.Host != "" || u.Path == "" {
			return nil, fmt.Errorf("parse target URL %q: a Unix socket is written unix:///path/to.sock", u.Redacted())
		}
		if len(u.Path) > 107 { // sizeof sun_path less its NUL, unix(7)
			return nil, fmt.Errorf("parse target URL %q: the path of a Unix socket has at most 107 bytes", u.Redacted())
		}
		return r, nil
	}
	if !known {
		return nil, fmt.Errorf("parse target URL %q: it must begin with %s", u.Redacted(), profiles.SchemeList())
	}
	r.TLS = profiles.WantsTLS(u)
	if r.Host, r.Port, err = hostPort(u); err != nil {
		return nil, fmt.Errorf("parse target URL %q: %w", u.Redacted(), err)
	}
	r.Server, _, _ = strings.Cut(r.Host, "%") // a zone is of this machine only
	if r.Authority, err = httpguts.PunycodeHostPort(u.Host); err != nil {
		return nil, fmt.Errorf("parse target URL %q: %w", u.Redacted(), err)
	}
	if h, zone, ok := strings.Cut(r.Authority, "%"); ok {
		r.Authority = h + zone[max(strings.Index(zone, "]"), 0):]
	}
	if to := cfg.Profile.ConnectTo; to != "" {
		if r.Host, r.Port, err = hostPort(&url.URL{Scheme: u.Scheme, Host: to}); err != nil {
			return nil, fmt.Errorf("parse connect-to %q: %w", to, err)
		}
	}
	if cfg.Client.Proxy && kind.Proxied {
		if err := r.findProxy(cfg, u); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// hostPort returns where a URL points to.
func hostPort(u *url.URL) (string, uint16, error) {
	host, err := httpguts.PunycodeHostPort(u.Hostname())
	if err != nil || host == "" {
		return "", 0, fmt.Errorf("the host is missing or malformed")
	}
	port := u.Port()
	if port == "" {
		kind, _ := profiles.FindScheme(u.Scheme)
		port = strconv.Itoa(kind.Port)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return "", 0, fmt.Errorf("the port must be 1 to 65535")
	}
	return host, uint16(n), nil
}

func basicAuth(u *url.Userinfo) string {
	if u == nil {
		return ""
	}
	password, _ := u.Password()
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(u.Username()+":"+password))
}

// Address returns the address that the host is, if it is no name.
func (r *Route) Address() (netip.Addr, bool) {
	a, err := netip.ParseAddr(r.Host)
	return a, err == nil
}
