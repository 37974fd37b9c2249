package investigate

import (
	"net"
	"net/netip"
	"net/url"
	"strings"

	"github.com/rampload/rampload/profiles"
)

// sources returns the address from which a target is reached, and another one of this
// machine on the same network; zero where there is none. It sends nothing.
func sources(p profiles.Profile, target string) (first, beside netip.Addr) {
	host := ""
	for _, t := range p.Targets {
		if t.Name != target {
			continue
		}
		if u, err := url.Parse(t.URL); err == nil {
			host = u.Host
		}
		if t.ConnectTo != "" {
			host = t.ConnectTo
		}
	}
	if host == "" {
		return first, beside
	}
	if _, _, err := net.SplitHostPort(host); err != nil {
		host = net.JoinHostPort(strings.Trim(host, "[]"), "9")
	}
	c, err := net.Dial("udp", host) // asks the routing table, and sends nothing
	if err != nil {
		return first, beside
	}
	defer c.Close()
	local, err := netip.ParseAddrPort(c.LocalAddr().String())
	if err != nil {
		return first, beside
	}
	first = local.Addr().Unmap()
	if first.IsLoopback() && first.Is4() {
		return first, first.Next()
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return first, netip.Addr{}
	}
	for _, a := range addrs {
		if n, err := netip.ParsePrefix(a.String()); err == nil && n.Contains(first) && n.Addr() != first {
			return first, n.Addr()
		}
	}
	return first, netip.Addr{}
}
