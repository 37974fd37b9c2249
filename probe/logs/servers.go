package logs

import (
	"net/netip"
	"strings"
	"time"
)

// servers are the addresses of the servers that the balancers of a host know by names of
// their own: in the log of one it is "orders/s2" that failed, and nobody else calls it so.
// It belongs to one goroutine.
type servers struct {
	configs func() []string // the texts of the balancers' configurations

	read time.Duration // when they were read
	by   map[string]string
}

// rereadAfter is how old what was read of configurations may be: they change with reloads.
const rereadAfter = 10 * time.Second

// at returns the address of a server, "" where it is not known, or two balancers know
// different ones by that name. A nil servers knows none.
func (s *servers) at(name string, now time.Duration) string {
	if s == nil || name == "" {
		return ""
	}
	if s.by == nil || now-s.read >= rereadAfter {
		s.by, s.read = map[string]string{}, now
		for _, text := range s.configs() {
			for name, addr := range haproxyServers(text) {
				if old, again := s.by[name]; again && old != addr {
					addr = ""
				}
				s.by[name] = addr
			}
		}
	}
	return s.by[name]
}

// haproxyServers reads the servers of a configuration of HAProxy, by BACKEND/SERVER
// (haproxy, configuration manual, 4.2, "server"). Those without an address and a port of
// their own are left out.
func haproxyServers(text string) map[string]string {
	out := map[string]string{}
	section := ""
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		switch f[0] {
		case "backend", "listen":
			section = ""
			if len(f) > 1 {
				section = f[1]
			}
		case "global", "defaults", "frontend", "peers", "resolvers", "userlist", "mailers", "ring", "cache", "program", "http-errors", "fcgi-app", "log-forward", "crt-store", "traces", "log-profile":
			section = ""
		case "server":
			if len(f) < 3 || section == "" {
				continue
			}
			if addr, ok := serverAddr(f[2]); ok {
				out[section+"/"+f[1]] = addr
			}
		}
	}
	return out
}

// serverAddr returns host and port of a server's address: "10.0.3.2:8080", "ipv4@app:80",
// "[fd00::2]:8080".
func serverAddr(s string) (string, bool) {
	s = strings.Trim(s, `"'`)
	for _, family := range []string{"ipv4@", "ipv6@", "tcp@", "tcp4@", "tcp6@"} {
		s = strings.TrimPrefix(s, family)
	}
	at := strings.LastIndexByte(s, ':')
	if at <= 0 || at == len(s)-1 || strings.Trim(s[at+1:], "0123456789") != "" || strings.ContainsAny(s, "$@/ ") {
		return "", false
	}
	host := s[:at]
	if a, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil { // "::1:80" is written so, too
		if a.Is6() && !a.Is4In6() {
			return "[" + a.String() + "]" + s[at:], true
		}
		return a.Unmap().String() + s[at:], true
	}
	return s, true
}
