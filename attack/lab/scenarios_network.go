package lab

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/rampload/rampload/profiles"
)

// networkScenarios are faults of the path and of kernel limits. They run in
// network namespaces of their own.
func networkScenarios() []Scenario {
	scenario := inNetwork()
	return []Scenario{
		scenario("listen-backlog", "listen-backlog", "listen-backlog-reset",
			"a full accept queue resets callers (tcp_abort_on_overflow)", func(b *bench) error {
				return b.backlog("tcp_abort_on_overflow", "1", "ListenOverflows")
			}),
		scenario("listen-backlog", "listen-backlog", "listen-backlog-late",
			"a full accept queue forgets connections that the client believes established, and resets them later", func(b *bench) error {
				return b.backlog("tcp_synack_retries", "1", "ListenOverflows")
			}),
		scenario("client", "client-ephemeral-ports", "client-ports",
			"the client runs out of ephemeral ports, all of them in use", func(b *bench) error {
				ports, work := b.whole(80, 140), b.millis(150, 250)
				load := float64(ports) / work.Seconds()
				b.onset(load, 0.2)
				b.run.Profile.Client.Connections = 2000
				return b.clientPorts(ports, 0.3*load, 1.5*load, arg("work", work))
			}),
		scenario("client", "client-ephemeral-ports", "client-ports-time-wait",
			"the client closes first and runs out of ephemeral ports, most of them in TIME_WAIT", func(b *bench) error {
				// A port in TIME_WAIT is lost for a minute: the run's half of the requests.
				b.run.Profile.Client.Connections = 0
				return b.clientPorts(b.whole(2500, 4000), 100, 500, "-patient")
			}),
		scenario("path-filter", "path-reset", "path-reset-random",
			"a middlebox resets a random share of packets", func(b *bench) error {
				return b.filter("forward", fmt.Sprintf("iifname to-client tcp dport 8080 tcp flags & psh == psh numgen random mod 10000 < %d", b.whole(50, 150)), 400)
			}),
		scenario("path-filter", "path-reset", "path-reset-rule",
			"a middlebox resets requests from some of the ports, by a hash", func(b *bench) error {
				b.run.Profile.Client.Connections = 0
				return b.filter("forward", fmt.Sprintf("iifname to-client tcp dport 8080 tcp flags & psh == psh meta length > 300 jhash tcp sport mod %d < 1", b.whole(30, 80)), 400)
			}),
		scenario("path-filter", "path-rate-limit", "path-rate-limit",
			"a middlebox resets packets beyond a rate", func(b *bench) error {
				rate := b.whole(200, 320)
				b.onset(float64(rate), 0.25)
				return b.filter("forward", fmt.Sprintf("iifname to-client tcp dport 8080 meta length > 300 limit rate over %d/second burst 20 packets", rate), 1.6*float64(rate))
			}),
		scenario("path-filter", "path-rate-limit", "path-rate-limit-connections",
			"a middlebox refuses new connections beyond a rate", func(b *bench) error {
				rate := b.whole(120, 220)
				b.onset(float64(rate), 0.25)
				b.run.Profile.Client.Connections = 0
				return b.filter("forward", fmt.Sprintf("iifname to-client tcp dport 8080 tcp flags & (syn|ack) == syn limit rate over %d/second burst 10 packets", rate), 1.6*float64(rate))
			}),
		scenario("path-connections", "path-connection-limit", "path-connection-limit",
			"a middlebox refuses connections beyond a number", func(b *bench) error { return b.connectionLimit(b.millis(100, 150), 400) }),
		scenario("path-connections", "path-connection-limit", "path-connection-limit-small",
			"a middlebox refuses more than a few connections", func(b *bench) error { return b.connectionLimit(b.millis(30, 50), 0) }),
		scenario("path-idle", "path-idle-expiry", "path-idle-expiry",
			"a stateful firewall forgets idle connections and resets what comes later", func(b *bench) error { return b.idleExpiry(2, 64) }),
		scenario("path-idle", "path-idle-expiry", "path-idle-expiry-few",
			"a stateful firewall forgets idle connections of a small pool", func(b *bench) error { return b.idleExpiry(1, 16) }),
		scenario("host-firewall", "host-firewall", "host-firewall-random",
			"a firewall on the server itself resets a random share", func(b *bench) error {
				return b.filter("input", fmt.Sprintf("tcp dport 8080 tcp flags & psh == psh numgen random mod 10000 < %d", b.whole(50, 150)), 400)
			}),
		scenario("host-firewall", "host-firewall", "host-firewall-rate",
			"a firewall on the server itself resets requests beyond a rate", func(b *bench) error {
				rate := b.whole(200, 320)
				return b.filter("input", fmt.Sprintf("tcp dport 8080 meta length > 300 limit rate over %d/second burst 20 packets", rate), 1.6*float64(rate))
			}),
		scenario("injection", "rst-injection", "rst-injection",
			"somebody on the path forges RSTs to both ends", func(b *bench) error { return b.injection(b.whole(80, 200), 20*time.Millisecond) }),
		scenario("injection", "rst-injection", "rst-injection-often",
			"somebody on the path forges RSTs to both ends of slow requests", func(b *bench) error { return b.injection(b.whole(20, 50), 60*time.Millisecond) }),
		scenario("loss", "packet-loss", "packet-loss",
			"the path loses packets in both directions", func(b *bench) error {
				b.run.Profile.Client.Connections = 0 // a lost SYN takes a second
				return b.loss(b.whole(100, 200))
			}),
		scenario("loss", "packet-loss", "packet-loss-heavy",
			"the path loses many packets in both directions", func(b *bench) error { return b.loss(b.whole(400, 700)) }),
		scenario("outage", "network-outage", "outage",
			"the path is dead for some seconds", func(b *bench) error { return b.outage(b.millis(3000, 5000)) }),
		scenario("outage", "network-outage", "outage-short",
			"the path is dead for a moment", func(b *bench) error {
				b.run.Profile.Client.Timeout = 700 * time.Millisecond
				return b.outage(b.millis(1500, 2500))
			}),
		scenario("mtu", "mtu-black-hole", "mtu-black-hole",
			"a link with a small MTU drops large packets and says nothing", func(b *bench) error { return b.blackHole(0) }),
		scenario("mtu", "mtu-black-hole", "mtu-black-hole-later",
			"a route changes to a link with a small MTU that says nothing", func(b *bench) error { return b.blackHole(b.millis(6000, 9000)) }),
		scenario("tracking", "conntrack-table", "conntrack-table",
			"the router's table of tracked connections is full (changes nf_conntrack_max of this machine while it runs)", func(b *bench) error { return b.conntrackTable(0) }, "conntrack"),
		scenario("tracking", "conntrack-table", "conntrack-table-held",
			"held connections fill the router's table (changes nf_conntrack_max of this machine while it runs)", func(b *bench) error { return b.conntrackTable(150 * time.Millisecond) }, "conntrack"),
		scenario("nat", "nat-ports", "nat-ports",
			"the router's address translation runs out of ports", func(b *bench) error { return b.natPorts(b.whole(60, 100), b.millis(120, 180)) }, "conntrack"),
		scenario("nat", "nat-ports", "nat-ports-many",
			"the router's address translation runs out of a larger range of ports", func(b *bench) error { return b.natPorts(b.whole(120, 160), b.millis(250, 350)) }, "conntrack"),
		scenario("failover", "failover", "failover",
			"the address moves to a standby that knows no connection", func(b *bench) error { return b.failover(0) }),
		scenario("failover", "failover", "failover-twice",
			"the address moves to a standby and back", func(b *bench) error { return b.failover(5 * time.Second) }),
	}
}

// networkService builds a network and starts a service on port 8080 of its server.
func (b *bench) networkService(service string, args ...string) (*network, *Child, error) {
	n, err := b.network(false)
	if err != nil {
		return nil, nil, err
	}
	c, err := b.child(n.server, service, append([]string{arg("addr", serverAddr+":8080")}, args...)...)
	return n, c, err
}

// clientPorts gives the client few ephemeral ports.
func (b *bench) clientPorts(ports int, from, to float64, args ...string) error {
	n, c, err := b.networkService("api", args...)
	if err != nil {
		return err
	}
	if err := b.sysctl(n.client, "net/ipv4/ip_local_port_range", fmt.Sprintf("20000 %d", 20000+ports-1)); err != nil {
		return err
	}
	b.remote(c, "orders", get("/orders"), n)
	b.rampTo(from, to, 18*time.Second)
	b.run.Expect.Host, b.run.Expect.Resource = "local", "ephemeral-ports"
	return b.watchKernel(n.server, "server")
}

// remote loads a child that runs in the server's namespace, and has server and
// router watched.
func (b *bench) remote(c *Child, target string, requests []profiles.Request, n *network) {
	b.target(target, c.URL(), requests, "router", target+"-1")
	b.host("router", n.router)
	b.host(target+"-1", n.server, c.Addr().Port())
}

// backlog lets a slow acceptor with a short queue meet too many connections.
func (b *bench) backlog(parameter, value, harm string) error {
	gap := b.millis(4, 6)
	n, c, err := b.networkService("api", arg("backlog", b.whole(8, 24)), arg("accept-gap", gap))
	if err != nil {
		return err
	}
	if err := b.sysctl(n.server, "net/ipv4/"+parameter, value); err != nil {
		return err
	}
	b.remote(c, "orders", post("/orders", 300), n)
	b.run.Profile.Client.Connections = 0
	b.run.Profile.Client.Timeout = 5 * time.Second
	load := 1 / gap.Seconds()
	b.rampTo(0.4*load, 1.5*load, 18*time.Second)
	b.onset(load, 0.25)
	b.run.Expect.Resource = "listen-queue"
	return b.watchKernel(n.server, "server", harm)
}

// filter puts a rule that answers with RSTs on the router (forward) or on the
// server (input), and ramps to a load.
func (b *bench) filter(hook, match string, load float64) error {
	n, c, err := b.networkService("api", arg("work", "3ms"))
	if err != nil {
		return err
	}
	where, what := n.router, "resets"
	if strings.Contains(match, "== syn") {
		what = "refusals" // a RST to a SYN
	}
	if hook == "input" {
		where = n.server
	}
	if err := b.nft(where, fmt.Sprintf(`
table ip lab {
	counter harm {}
	chain c {
		type filter hook %s priority 0;
		%s counter name harm reject with tcp reset
	}
}`, hook, match)); err != nil {
		return err
	}
	b.remote(c, "orders", post("/orders", 400), n)
	b.rampTo(0.25*load, load, 18*time.Second)
	b.watchFilter(where, what)
	return b.watchKernel(n.server, "server")
}

// connectionLimit allows a number of connections through the router.
func (b *bench) connectionLimit(work time.Duration, body int) error {
	n, c, err := b.networkService("api", arg("work", work))
	if err != nil {
		return err
	}
	limit := b.whole(30, 60)
	if err := b.nft(n.router, fmt.Sprintf(`
table ip lab {
	counter harm {}
	set clients { type ipv4_addr; size 1024; flags dynamic; }
	chain c {
		type filter hook forward priority 0;
		iifname to-client tcp dport 8080 ct state new add @clients { ip saddr ct count over %d } counter name harm reject with tcp reset
	}
}`, limit)); err != nil {
		return err
	}
	requests := get("/orders")
	if body > 0 {
		requests = post("/orders", body)
	}
	b.remote(c, "orders", requests, n)
	load := float64(limit) / work.Seconds()
	b.rampTo(0.3*load, 1.5*load, 18*time.Second)
	b.onset(load, 0.3)
	b.watchFilter(n.router, "refusals")
	return b.watchKernel(n.server, "server")
}

// idleExpiry lets the router's tracking forget connections after some seconds,
// and lets bursts come before and after that.
func (b *bench) idleExpiry(seconds, size int) error {
	n, c, err := b.networkService("api", arg("work", "2ms"))
	if err != nil {
		return err
	}
	for name, value := range map[string]string{
		"nf_conntrack_tcp_timeout_established": fmt.Sprint(seconds),
		"nf_conntrack_tcp_loose":               "0",
	} {
		if err := b.sysctl(n.router, "net/netfilter/"+name, value); err != nil {
			return err
		}
	}
	if err := b.nft(n.router, `
table ip lab {
	counter harm {}
	chain c {
		type filter hook forward priority 0;
		iifname to-client tcp dport 8080 ct state invalid tcp flags & rst == 0 counter name harm reject with tcp reset
	}
}`); err != nil {
		return err
	}
	b.remote(c, "orders", post("/orders", 400), n)
	every := time.Duration(seconds) * time.Second
	b.bursts(size, every, every*4/10, 30*time.Second)
	b.watchFilter(n.router, "resets")
	return b.watchKernel(n.server, "server")
}

// injection forges RSTs on the router.
func (b *bench) injection(every int, work time.Duration) error {
	n, c, err := b.networkService("api", arg("work", work))
	if err != nil {
		return err
	}
	if _, err := b.child(n.router, "forge", arg("device", "to-client"), arg("port", 8080), arg("every", every), arg("ttl", b.whole(100, 250))); err != nil {
		return err
	}
	b.remote(c, "orders", post("/orders", 400), n)
	b.rampTo(60, 300, 18*time.Second)
	return b.watchKernel(n.server, "server")
}

// loss drops packets of the router in both directions, in 1 of 10,000.
func (b *bench) loss(per10000 int) error {
	n, c, err := b.networkService("api", arg("work", "5ms"), arg("size", 4000))
	if err != nil {
		return err
	}
	if err := b.nft(n.router, fmt.Sprintf(`
table ip lab {
	counter harm {}
	chain c {
		type filter hook forward priority 0;
		numgen random mod 10000 < %d counter name harm drop
	}
}`, per10000)); err != nil {
		return err
	}
	b.remote(c, "orders", post("/orders", 400), n)
	b.run.Profile.Client.Timeout = 700 * time.Millisecond
	b.rampTo(60, 300, 18*time.Second)
	b.watchFilter(n.router, "dropped")
	return b.watchKernel(n.server, "server")
}

// outage kills the path for a while, some seconds after the load has begun.
func (b *bench) outage(length time.Duration) error {
	n, c, err := b.networkService("api", arg("work", "5ms"))
	if err != nil {
		return err
	}
	if err := b.sysctl(n.server, "net/ipv4/tcp_retries2", "3"); err != nil {
		return err
	}
	b.remote(c, "orders", post("/orders", 400), n)
	b.rampTo(100, 300, 18*time.Second)
	if err := b.watchKernel(n.server, "server"); err != nil {
		return err
	}
	return b.afterTraffic(n.server, b.millis(6000, 10000), func() error {
		if err := b.nft(n.router, `
table ip lab {
	chain c {
		type filter hook forward priority 0;
		drop
	}
}`); err != nil {
			return err
		}
		b.tally.harm("outages")
		pause(b.ctx, length)
		return b.in(n.router, "nft", "delete", "table", "ip", "lab")
	})
}

// interrupt takes the path away at the router some times under traffic, each time
// for a while, as two calls of ip say.
func (b *bench) interrupt(n *network, times int, every, length time.Duration, away, back []string) error {
	return b.onTraffic(n.server, func(ctx context.Context) error {
		for range times {
			if !pause(ctx, every) {
				break
			}
			if err := b.ip(n.router, away...); err != nil {
				return err
			}
			b.tally.harm("outages")
			pause(ctx, length)
			if err := b.ip(n.router, back...); err != nil {
				return err
			}
		}
		return nil
	})
}

// blackHole makes the link to the client narrow, at once or later, and keeps the
// router from saying so.
func (b *bench) blackHole(later time.Duration) error {
	n, c, err := b.networkService("api", arg("work", "3ms"), arg("size", b.whole(8000, 20000)))
	if err != nil {
		return err
	}
	if err := b.nft(n.router, `
table ip lab {
	counter harm {}
	chain c {
		type filter hook output priority 0;
		icmp type destination-unreachable counter name harm drop
	}
}`); err != nil {
		return err
	}
	b.remote(c, "orders", get("/orders"), n)
	b.rampTo(60, 250, 18*time.Second)
	b.watchFilter(n.router, "too-big-unsaid")
	if err := b.watchKernel(n.server, "server"); err != nil {
		return err
	}
	narrow := func() error { return b.ip(n.router, "link", "set", "to-client", "mtu", "1300") }
	if later == 0 {
		return narrow()
	}
	return b.afterTraffic(n.server, later, narrow)
}

// conntrackTable fills the router's table: by connections that have ended but
// are remembered, or by connections that are in use.
func (b *bench) conntrackTable(work time.Duration) error {
	n, c, err := b.networkService("api", arg("work", work))
	if err != nil {
		return err
	}
	limit := b.whole(1500, 2500)
	b.remote(c, "orders", get("/orders"), n)
	if work > 0 {
		limit = b.whole(60, 90)
		load := float64(limit) / work.Seconds()
		b.rampTo(0.3*load, 1.4*load, 18*time.Second)
		// What has ended is forgotten soon, so that only connections in use count.
		for _, state := range []string{"time_wait", "close", "last_ack", "fin_wait", "close_wait"} {
			if err := b.sysctl(n.router, "net/netfilter/nf_conntrack_tcp_timeout_"+state, "1"); err != nil {
				return err
			}
		}
	} else {
		b.run.Profile.Client.Connections = 0
		b.rampTo(60, 300, 18*time.Second)
	}
	if err := b.nft(n.router, `
table ip lab {
	chain c {
		type filter hook forward priority 0;
		ct state new,established accept
	}
}`); err != nil {
		return err
	}
	if err := b.globalSysctl("net/netfilter/nf_conntrack_max", fmt.Sprint(limit)); err != nil {
		return err
	}
	b.run.Expect.Host, b.run.Expect.Resource = "router", "conntrack"
	b.watchConntrack(n.router, "drop", "early_drop")
	return b.watchKernel(n.server, "server")
}

// natPorts translates the client's address with a small range of ports.
func (b *bench) natPorts(ports int, work time.Duration) error {
	n, c, err := b.networkService("api", arg("work", work))
	if err != nil {
		return err
	}
	if err := b.nft(n.router, fmt.Sprintf(`
table ip lab {
	chain c {
		type nat hook postrouting priority 100;
		oifname to-server ip protocol tcp masquerade to :40000-%d
	}
}`, 40000+ports-1)); err != nil {
		return err
	}
	b.remote(c, "orders", post("/orders", 300), n)
	load := float64(ports) / work.Seconds()
	b.rampTo(0.3*load, 1.5*load, 18*time.Second)
	b.onset(load, 0.3)
	b.run.Expect.Host = "router"
	b.watchConntrack(n.router, "insert_failed", "drop")
	return b.watchKernel(n.server, "server")
}

// failover moves a virtual address from the server to a standby, and back.
func (b *bench) failover(back time.Duration) error {
	n, err := b.network(true)
	if err != nil {
		return err
	}
	for _, ns := range []string{n.server, n.standby} {
		if err := b.ip(ns, "addr", "add", virtualAddr+"/32", "dev", "lo"); err != nil {
			return err
		}
		if _, err := b.child(ns, "api", arg("addr", virtualAddr+":8080"), arg("work", "5ms")); err != nil {
			return err
		}
	}
	move := func(via string) error {
		return b.ip(n.router, "route", "replace", virtualAddr, "via", via)
	}
	if err := move(serverAddr); err != nil {
		return err
	}
	b.target("orders", "http://"+virtualAddr+":8080", post("/orders", 400), "router", "orders-1", "orders-2")
	b.host("router", n.router)
	b.host("orders-1", n.server, 8080)
	b.host("orders-2", n.standby, 8080)
	b.rampTo(100, 400, 18*time.Second)
	for role, ns := range map[string]string{"server": n.server, "standby": n.standby} {
		if err := b.watchKernel(ns, role); err != nil {
			return err
		}
	}
	return b.afterTraffic(n.server, b.millis(6000, 9000), func() error {
		b.tally.harm("moves")
		if err := move(standbyAddr); err != nil {
			return err
		}
		if back == 0 || !pause(b.ctx, back) {
			return nil
		}
		b.tally.harm("moves")
		return move(serverAddr)
	})
}
