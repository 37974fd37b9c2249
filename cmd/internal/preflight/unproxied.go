package preflight

import (
	"fmt"
	"net/netip"
	"net/url"

	"golang.org/x/net/http/httpproxy"

	"github.com/rampload/rampload/profiles"
)

// Unproxied names the base URLs of a target that client.proxy: environment does not
// apply to, with the reason: a setting without effect is said.
func Unproxied(p profiles.Profile, t profiles.Target) []string {
	if !p.Client.Proxy {
		return nil
	}
	env := httpproxy.FromEnvironment()
	find := env.ProxyFunc()
	var out []string
	for _, base := range t.Bases() {
		u, err := url.Parse(base.URL)
		if err != nil {
			continue
		}
		if proxy, err := find(u); err != nil || proxy != nil {
			continue
		}
		variable, value := "HTTP_PROXY", env.HTTPProxy
		if u.Scheme == "https" {
			variable, value = "HTTPS_PROXY", env.HTTPSProxy
		}
		why := "NO_PROXY exempts it"
		switch addr, _ := netip.ParseAddr(u.Hostname()); {
		case u.Scheme == "unix":
			why = "a Unix socket has none"
		case value == "":
			why = variable + " is not set"
		case addr.IsLoopback(), u.Hostname() == "localhost":
			why = "no proxy is ever asked for this machine itself"
		}
		where := u.Host
		if where == "" {
			where = u.Path
		}
		out = append(out, fmt.Sprintf("target %s: client.proxy does not apply to %s, which is connected to directly: %s", t.Name, where, why))
	}
	return out
}
