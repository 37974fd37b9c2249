package lab

import (
	"strings"
	"time"

	"github.com/rampload/rampload/profiles"
)

// Plan is the profile of a scenario being made: its targets, its hosts and its load, and
// what a right diagnosis of it says.
type Plan struct{ Run *Running }

// Target adds a target with one kind of request, served by the named hosts.
func (plan *Plan) Target(name, url string, requests []profiles.Request, hosts ...string) {
	p := &plan.Run.Profile
	p.Targets = append(p.Targets, profiles.Target{
		Name: name, URL: url, Hosts: hosts, Share: 1, Requests: requests,
		Expect: profiles.StatusSet{{Low: 200, High: 299}},
	})
	for i := range p.Targets {
		p.Targets[i].Share = 1 / float64(len(p.Targets))
	}
}

// Host adds a watched host with the processes that listen on ports of it.
func (plan *Plan) Host(name, netns string, ports ...uint16) {
	h := profiles.Host{Name: name, Netns: netns}
	for _, p := range ports {
		h.Processes = append(h.Processes, profiles.Process{Listen: int(p)})
	}
	plan.Run.Profile.Hosts = append(plan.Run.Profile.Hosts, h)
}

// Simple is the usual shape: one child, one target of the same name on one host.
func (plan *Plan) Simple(c *Child, target string, requests []profiles.Request) {
	plan.Target(target, c.URL(), requests, target+"-1")
	plan.Host(target+"-1", c.Netns, c.Addr().Port())
}

// RampTo loads from a low rate through the rate of interest to beyond it.
func (plan *Plan) RampTo(from, to float64, over time.Duration) {
	plan.Run.Profile.Load = profiles.Load{
		profiles.Hold{Rate: from, For: 3 * time.Second},
		profiles.Ramp{From: from, To: to, For: over},
		profiles.Hold{Rate: to, For: 3 * time.Second},
	}
}

// Bursts loads in bursts with rests between them.
func (plan *Plan) Bursts(size int, every, jitter, length time.Duration) {
	plan.Run.Profile.Load = profiles.Load{profiles.Burst{Size: size, Every: every, Jitter: jitter, For: length}}
}

// Onset tells at which offered load the fault is due.
func (plan *Plan) Onset(load, tolerance float64) {
	plan.Run.Expect.LoadLow, plan.Run.Expect.LoadHigh = load*(1-tolerance), load*(1+tolerance)
}

// Post is a request with a body of the given size.
func Post(path string, size int) []profiles.Request {
	return []profiles.Request{{
		Method: "POST", Path: path, Weight: 1, Body: strings.Repeat("p", size),
		Headers: []profiles.Header{{Name: "Content-Type", Value: "application/octet-stream"}},
	}}
}

// Get is a request without a body.
func Get(path string) []profiles.Request {
	return []profiles.Request{{Method: "GET", Path: path, Weight: 1}}
}

// Mixed weighs two kinds of request.
func Mixed(most, few []profiles.Request, share float64) []profiles.Request {
	most[0].Weight, few[0].Weight = 1-share, share
	return append(most, few...)
}

// Remote loads a child that runs in the server's namespace, and has server and
// router watched.
func (plan *Plan) Remote(c *Child, target string, requests []profiles.Request, n *Network) {
	plan.Target(target, c.URL(), requests, "router", target+"-1")
	plan.Host("router", n.Router)
	plan.Host(target+"-1", n.Server, c.Addr().Port())
}

// AtServer adds the server on port 8080 of a network's server as the target; the
// processes on the given ports serve it.
func (plan *Plan) AtServer(n *Network, requests []profiles.Request, ports ...uint16) {
	plan.Target("orders", "http://"+ServerAddr+":8080", requests, "router", "orders-1")
	plan.Host("router", n.Router)
	plan.Host("orders-1", n.Server, ports...)
}

// ThroughProxy loads the upstream through the proxy on the router's port 8080,
// up to beyond the given load.
func (plan *Plan) ThroughProxy(n *Network, up *Child, load float64) {
	plan.Target("orders", "http://"+RouterClient+":8080", Post("/orders", 600), "proxy", "upstream")
	plan.Host("proxy", n.Router, 8080)
	plan.Host("upstream", n.Server, up.Addr().Port())
	plan.RampTo(0.3*load, 1.5*load, 18*time.Second)
}
