package lab

import (
	"time"

	"github.com/rampload/rampload/profiles"
)

// Mixed weighs two kinds of request.
func (b *Bench) Mixed(most, few []profiles.Request, share float64) []profiles.Request {
	most[0].Weight, few[0].Weight = 1-share, share
	return append(most, few...)
}

// NetworkService builds a network and starts a service on port 8080 of its server.
func (b *Bench) NetworkService(service string, args ...string) (*Network, *Child, error) {
	n, err := b.Network(false)
	if err != nil {
		return nil, nil, err
	}
	c, err := b.Child(n.Server, service, append([]string{Arg("addr", ServerAddr+":8080")}, args...)...)
	return n, c, err
}

// Remote loads a child that runs in the server's namespace, and has server and
// router watched.
func (b *Bench) Remote(c *Child, target string, requests []profiles.Request, n *Network) {
	b.Target(target, c.URL(), requests, "router", target+"-1")
	b.Host("router", n.Router)
	b.Host(target+"-1", n.Server, c.Addr().Port())
}

// AtServer adds the server on port 8080 of a network's server as the target; the
// processes on the given ports serve it.
func (b *Bench) AtServer(n *Network, requests []profiles.Request, ports ...uint16) {
	b.Target("orders", "http://"+ServerAddr+":8080", requests, "router", "orders-1")
	b.Host("router", n.Router)
	b.Host("orders-1", n.Server, ports...)
}

// Upstream starts a service on the server; a proxy on the router follows.
func (b *Bench) Upstream(service string, args ...string) (*Network, *Child, error) {
	n, c, err := b.NetworkService(service, args...)
	if err != nil {
		return nil, nil, err
	}
	return n, c, b.WatchKernel(n.Server, "upstream")
}

// ThroughProxy loads the upstream through the proxy on the router's port 8080,
// up to beyond the given load.
func (b *Bench) ThroughProxy(n *Network, up *Child, load float64) {
	b.Target("orders", "http://"+RouterClient+":8080", Post("/orders", 600), "proxy", "upstream")
	b.Host("proxy", n.Router, 8080)
	b.Host("upstream", n.Server, up.Addr().Port())
	b.RampTo(0.3*load, 1.5*load, 18*time.Second)
}
