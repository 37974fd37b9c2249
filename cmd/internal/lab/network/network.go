package network

import (
	"fmt"
	"strings"
	"time"

	"github.com/rampload/rampload/cmd/internal/lab"
)

// networkScenarios are faults of the path and of kernel limits. They run in
// network namespaces of their own.
func networkScenarios() []lab.Scenario {
	scenario := lab.InNetwork()
	return []lab.Scenario{
		scenario("listen-backlog", "listen-backlog", "listen-backlog-reset",
			"a full accept queue resets callers (tcp_abort_on_overflow)", func(b *lab.Bench) error {
				return backlog(b, "tcp_abort_on_overflow", "1", "ListenOverflows")
			}),
		scenario("listen-backlog", "listen-backlog", "listen-backlog-late",
			"a full accept queue forgets connections that the client believes established, and resets them later", func(b *lab.Bench) error {
				return backlog(b, "tcp_synack_retries", "1", "ListenOverflows")
			}),
		scenario("client", "client-ephemeral-ports", "client-ports",
			"the client runs out of ephemeral ports, all of them in use", func(b *lab.Bench) error {
				ports, work := b.Whole(80, 140), b.Millis(150, 250)
				load := float64(ports) / work.Seconds()
				b.Onset(load, 0.2)
				b.Run.Profile.Client.Connections = 2000
				return clientPorts(b, ports, 0.3*load, 1.5*load, lab.Arg("work", work))
			}),
		scenario("client", "client-ephemeral-ports", "client-ports-time-wait",
			"the client closes first and runs out of ephemeral ports, most of them in TIME_WAIT", func(b *lab.Bench) error {
				// A port in TIME_WAIT is lost for a minute: the run's half of the requests.
				b.Run.Profile.Client.Connections = 0
				return clientPorts(b, b.Whole(2500, 4000), 100, 500, "-patient")
			}),
		scenario("path-filter", "path-reset", "path-reset-random",
			"a middlebox resets a random share of packets", func(b *lab.Bench) error {
				return filter(b, "forward", fmt.Sprintf("iifname to-client tcp dport 8080 tcp flags & psh == psh numgen random mod 10000 < %d", b.Whole(50, 150)), 400)
			}),
		scenario("path-filter", "path-reset", "path-reset-rule",
			"a middlebox resets requests from some of the ports, by a hash", func(b *lab.Bench) error {
				b.Run.Profile.Client.Connections = 0
				return filter(b, "forward", fmt.Sprintf("iifname to-client tcp dport 8080 tcp flags & psh == psh meta length > 300 jhash tcp sport mod %d < 1", b.Whole(30, 80)), 400)
			}),
		scenario("path-filter", "path-rate-limit", "path-rate-limit",
			"a middlebox resets packets beyond a rate", func(b *lab.Bench) error {
				rate := b.Whole(200, 320)
				b.Onset(float64(rate), 0.25)
				return filter(b, "forward", fmt.Sprintf("iifname to-client tcp dport 8080 meta length > 300 limit rate over %d/second burst 20 packets", rate), 1.6*float64(rate))
			}),
		scenario("path-filter", "path-rate-limit", "path-rate-limit-connections",
			"a middlebox refuses new connections beyond a rate", func(b *lab.Bench) error {
				rate := b.Whole(120, 220)
				b.Onset(float64(rate), 0.25)
				b.Run.Profile.Client.Connections = 0
				return filter(b, "forward", fmt.Sprintf("iifname to-client tcp dport 8080 tcp flags & (syn|ack) == syn limit rate over %d/second burst 10 packets", rate), 1.6*float64(rate))
			}),
		scenario("path-connections", "path-connection-limit", "path-connection-limit",
			"a middlebox refuses connections beyond a number", func(b *lab.Bench) error { return connectionLimit(b, b.Millis(100, 150), 400) }),
		scenario("path-connections", "path-connection-limit", "path-connection-limit-small",
			"a middlebox refuses more than a few connections", func(b *lab.Bench) error { return connectionLimit(b, b.Millis(30, 50), 0) }),
		scenario("path-idle", "path-idle-expiry", "path-idle-expiry",
			"a stateful firewall forgets idle connections and resets what comes later", func(b *lab.Bench) error { return idleExpiry(b, 2, 64) }),
		scenario("path-idle", "path-idle-expiry", "path-idle-expiry-few",
			"a stateful firewall forgets idle connections of a small pool", func(b *lab.Bench) error { return idleExpiry(b, 1, 16) }),
		scenario("host-firewall", "host-firewall", "host-firewall-random",
			"a firewall on the server itself resets a random share", func(b *lab.Bench) error {
				return filter(b, "input", fmt.Sprintf("tcp dport 8080 tcp flags & psh == psh numgen random mod 10000 < %d", b.Whole(50, 150)), 400)
			}),
		scenario("host-firewall", "host-firewall", "host-firewall-rate",
			"a firewall on the server itself resets requests beyond a rate", func(b *lab.Bench) error {
				rate := b.Whole(200, 320)
				return filter(b, "input", fmt.Sprintf("tcp dport 8080 meta length > 300 limit rate over %d/second burst 20 packets", rate), 1.6*float64(rate))
			}),
		scenario("injection", "rst-injection", "rst-injection",
			"somebody on the path forges RSTs to both ends", func(b *lab.Bench) error { return injection(b, b.Whole(80, 200), 20*time.Millisecond) }),
		scenario("injection", "rst-injection", "rst-injection-often",
			"somebody on the path forges RSTs to both ends of slow requests", func(b *lab.Bench) error { return injection(b, b.Whole(20, 50), 60*time.Millisecond) }),
		scenario("loss", "packet-loss", "packet-loss",
			"the path loses packets in both directions", func(b *lab.Bench) error {
				b.Run.Profile.Client.Connections = 0 // a lost SYN takes a second
				return loss(b, b.Whole(100, 200))
			}),
		scenario("loss", "packet-loss", "packet-loss-heavy",
			"the path loses many packets in both directions", func(b *lab.Bench) error { return loss(b, b.Whole(400, 700)) }),
		scenario("outage", "network-outage", "outage",
			"the path is dead for some seconds", func(b *lab.Bench) error { return outage(b, b.Millis(3000, 5000)) }),
		scenario("outage", "network-outage", "outage-short",
			"the path is dead for a moment", func(b *lab.Bench) error {
				b.Run.Profile.Client.Timeout = 700 * time.Millisecond
				return outage(b, b.Millis(1500, 2500))
			}),
		scenario("mtu", "mtu-black-hole", "mtu-black-hole",
			"a link with a small MTU drops large packets and says nothing", func(b *lab.Bench) error { return blackHole(b, 0) }),
		scenario("mtu", "mtu-black-hole", "mtu-black-hole-later",
			"a route changes to a link with a small MTU that says nothing", func(b *lab.Bench) error { return blackHole(b, b.Millis(6000, 9000)) }),
		scenario("tracking", "conntrack-table", "conntrack-table",
			"the router's table of tracked connections is full (changes nf_conntrack_max of this machine while it runs)", func(b *lab.Bench) error { return conntrackTable(b, 0) }, "conntrack"),
		scenario("tracking", "conntrack-table", "conntrack-table-held",
			"held connections fill the router's table (changes nf_conntrack_max of this machine while it runs)", func(b *lab.Bench) error { return conntrackTable(b, 150*time.Millisecond) }, "conntrack"),
		scenario("nat", "nat-ports", "nat-ports",
			"the router's address translation runs out of ports", func(b *lab.Bench) error { return natPorts(b, b.Whole(60, 100), b.Millis(120, 180)) }, "conntrack"),
		scenario("nat", "nat-ports", "nat-ports-many",
			"the router's address translation runs out of a larger range of ports", func(b *lab.Bench) error { return natPorts(b, b.Whole(120, 160), b.Millis(250, 350)) }, "conntrack"),
		scenario("failover", "failover", "failover",
			"the address moves to a standby that knows no connection", func(b *lab.Bench) error { return failover(b, 0) }),
		scenario("failover", "failover", "failover-twice",
			"the address moves to a standby and back", func(b *lab.Bench) error { return failover(b, 5*time.Second) }),
	}
}

// clientPorts gives the client few ephemeral ports.
func clientPorts(b *lab.Bench, ports int, from, to float64, args ...string) error {
	n, c, err := b.NetworkService("api", args...)
	if err != nil {
		return err
	}
	if err := b.Sysctl(n.Client, "net/ipv4/ip_local_port_range", fmt.Sprintf("20000 %d", 20000+ports-1)); err != nil {
		return err
	}
	b.Remote(c, "orders", lab.Get("/orders"), n)
	b.RampTo(from, to, 18*time.Second)
	b.Run.Expect.Host, b.Run.Expect.Resource = "local", "ephemeral-ports"
	return b.WatchKernel(n.Server, "server")
}

// backlog lets a slow acceptor with a short queue meet too many connections.
func backlog(b *lab.Bench, parameter, value, harm string) error {
	gap := b.Millis(4, 6)
	n, c, err := b.NetworkService("api", lab.Arg("backlog", b.Whole(8, 24)), lab.Arg("accept-gap", gap))
	if err != nil {
		return err
	}
	if err := b.Sysctl(n.Server, "net/ipv4/"+parameter, value); err != nil {
		return err
	}
	b.Remote(c, "orders", lab.Post("/orders", 300), n)
	b.Run.Profile.Client.Connections = 0
	b.Run.Profile.Client.Timeout = 5 * time.Second
	load := 1 / gap.Seconds()
	b.RampTo(0.4*load, 1.5*load, 18*time.Second)
	b.Onset(load, 0.25)
	b.Run.Expect.Resource = "listen-queue"
	return b.WatchKernel(n.Server, "server", harm)
}

// filter puts a rule that answers with RSTs on the router (forward) or on the
// server (input), and ramps to a load.
func filter(b *lab.Bench, hook, match string, load float64) error {
	n, c, err := b.NetworkService("api", lab.Arg("work", "3ms"))
	if err != nil {
		return err
	}
	where, what := n.Router, "resets"
	if strings.Contains(match, "== syn") {
		what = "refusals" // a RST to a SYN
	}
	if hook == "input" {
		where = n.Server
	}
	if err := b.NFT(where, lab.Filter(hook, match+" counter name harm reject with tcp reset")); err != nil {
		return err
	}
	b.Remote(c, "orders", lab.Post("/orders", 400), n)
	b.RampTo(0.25*load, load, 18*time.Second)
	b.WatchFilter(where, what)
	return b.WatchKernel(n.Server, "server")
}

// connectionLimit allows a number of connections through the router.
func connectionLimit(b *lab.Bench, work time.Duration, body int) error {
	n, c, err := b.NetworkService("api", lab.Arg("work", work))
	if err != nil {
		return err
	}
	limit := b.Whole(30, 60)
	if err := b.NFT(n.Router, fmt.Sprintf(`
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
	requests := lab.Get("/orders")
	if body > 0 {
		requests = lab.Post("/orders", body)
	}
	b.Remote(c, "orders", requests, n)
	load := float64(limit) / work.Seconds()
	b.RampTo(0.3*load, 1.5*load, 18*time.Second)
	b.Onset(load, 0.3)
	b.WatchFilter(n.Router, "refusals")
	return b.WatchKernel(n.Server, "server")
}

// idleExpiry lets the router's tracking forget connections after some seconds,
// and lets bursts come before and after that.
func idleExpiry(b *lab.Bench, seconds, size int) error {
	n, c, err := b.NetworkService("api", lab.Arg("work", "2ms"))
	if err != nil {
		return err
	}
	if err := lab.Forgetful(b, n.Router, seconds); err != nil {
		return err
	}
	if err := b.NFT(n.Router, lab.Filter("forward", lab.ResetInvalid)); err != nil {
		return err
	}
	b.Remote(c, "orders", lab.Post("/orders", 400), n)
	every := time.Duration(seconds) * time.Second
	b.Bursts(size, every, every*4/10, 30*time.Second)
	b.WatchFilter(n.Router, "resets")
	return b.WatchKernel(n.Server, "server")
}

// injection forges RSTs on the router.
func injection(b *lab.Bench, every int, work time.Duration) error {
	n, c, err := b.NetworkService("api", lab.Arg("work", work))
	if err != nil {
		return err
	}
	if _, err := b.Child(n.Router, "forge", lab.Arg("device", "to-client"), lab.Arg("port", 8080), lab.Arg("every", every), lab.Arg("ttl", b.Whole(100, 250))); err != nil {
		return err
	}
	b.Remote(c, "orders", lab.Post("/orders", 400), n)
	b.RampTo(60, 300, 18*time.Second)
	return b.WatchKernel(n.Server, "server")
}

// loss drops packets of the router in both directions, in 1 of 10,000.
func loss(b *lab.Bench, per10000 int) error {
	n, c, err := b.NetworkService("api", lab.Arg("work", "5ms"), lab.Arg("size", 4000))
	if err != nil {
		return err
	}
	if err := b.NFT(n.Router, lab.Filter("forward", fmt.Sprintf("numgen random mod 10000 < %d counter name harm drop", per10000))); err != nil {
		return err
	}
	b.Remote(c, "orders", lab.Post("/orders", 400), n)
	b.Run.Profile.Client.Timeout = 700 * time.Millisecond
	b.RampTo(60, 300, 18*time.Second)
	b.WatchFilter(n.Router, "dropped")
	return b.WatchKernel(n.Server, "server")
}

// outage kills the path for a while, some seconds after the load has begun.
func outage(b *lab.Bench, length time.Duration) error {
	n, c, err := b.NetworkService("api", lab.Arg("work", "5ms"))
	if err != nil {
		return err
	}
	if err := b.Sysctl(n.Server, "net/ipv4/tcp_retries2", "3"); err != nil {
		return err
	}
	b.Run.Expect.Causes = []string{"silent-firewall"} // a filter plays the dead path, and its kernel says so
	b.Remote(c, "orders", lab.Post("/orders", 400), n)
	b.RampTo(100, 300, 18*time.Second)
	if err := b.WatchKernel(n.Server, "server"); err != nil {
		return err
	}
	return b.AfterTraffic(n.Server, b.Millis(6000, 10000), func() error {
		if err := b.NFT(n.Router, `
table ip lab {
	chain c {
		type filter hook forward priority 0;
		drop
	}
}`); err != nil {
			return err
		}
		b.Tally.Harm("outages")
		lab.Wait(b.Ctx, length)
		return b.In(n.Router, "nft", "delete", "table", "ip", "lab")
	})
}

// blackHole makes the link to the client narrow, at once or later, and keeps the
// router from saying so.
func blackHole(b *lab.Bench, later time.Duration) error {
	n, c, err := b.NetworkService("api", lab.Arg("work", "3ms"), lab.Arg("size", b.Whole(8000, 20000)))
	if err != nil {
		return err
	}
	if err := b.NFT(n.Router, lab.Filter("output", "icmp type destination-unreachable counter name harm drop")); err != nil {
		return err
	}
	b.Remote(c, "orders", lab.Get("/orders"), n)
	b.RampTo(60, 250, 18*time.Second)
	b.WatchFilter(n.Router, "too-big-unsaid")
	if err := b.WatchKernel(n.Server, "server"); err != nil {
		return err
	}
	narrow := func() error { return b.IP(n.Router, "link", "set", "to-client", "mtu", "1300") }
	if later == 0 {
		return narrow()
	}
	return b.AfterTraffic(n.Server, later, narrow)
}

// conntrackTable fills the router's table: by connections that have ended but
// are remembered, or by connections that are in use.
func conntrackTable(b *lab.Bench, work time.Duration) error {
	n, c, err := b.NetworkService("api", lab.Arg("work", work))
	if err != nil {
		return err
	}
	limit := b.Whole(1500, 2500)
	b.Remote(c, "orders", lab.Get("/orders"), n)
	if work > 0 {
		limit = b.Whole(60, 90)
		load := float64(limit) / work.Seconds()
		b.RampTo(0.3*load, 1.4*load, 18*time.Second)
		// What has ended is forgotten soon, so that only connections in use count.
		for _, state := range []string{"time_wait", "close", "last_ack", "fin_wait", "close_wait"} {
			if err := b.Sysctl(n.Router, "net/netfilter/nf_conntrack_tcp_timeout_"+state, "1"); err != nil {
				return err
			}
		}
	} else {
		b.Run.Profile.Client.Connections = 0
		b.RampTo(60, 300, 18*time.Second)
	}
	if err := b.NFT(n.Router, `
table ip lab {
	chain c {
		type filter hook forward priority 0;
		ct state new,established accept
	}
}`); err != nil {
		return err
	}
	if err := b.GlobalSysctl("net/netfilter/nf_conntrack_max", fmt.Sprint(limit)); err != nil {
		return err
	}
	b.Run.Expect.Host, b.Run.Expect.Resource = "router", "conntrack"
	b.WatchConntrack(n.Router, "drop", "early_drop")
	return b.WatchKernel(n.Server, "server")
}

// natPorts translates the client's address with a small range of ports.
func natPorts(b *lab.Bench, ports int, work time.Duration) error {
	n, c, err := b.NetworkService("api", lab.Arg("work", work))
	if err != nil {
		return err
	}
	if err := b.NFT(n.Router, fmt.Sprintf(`
table ip lab {
	chain c {
		type nat hook postrouting priority 100;
		oifname to-server ip protocol tcp masquerade to :40000-%d
	}
}`, 40000+ports-1)); err != nil {
		return err
	}
	b.Remote(c, "orders", lab.Post("/orders", 300), n)
	load := float64(ports) / work.Seconds()
	b.RampTo(0.3*load, 1.5*load, 18*time.Second)
	b.Onset(load, 0.3)
	b.Run.Expect.Host = "router"
	b.WatchConntrack(n.Router, "insert_failed", "drop")
	return b.WatchKernel(n.Server, "server")
}

// failover moves a virtual address from the server to a standby, and back.
func failover(b *lab.Bench, back time.Duration) error {
	n, err := b.Network(true)
	if err != nil {
		return err
	}
	for _, ns := range []string{n.Server, n.Standby} {
		if err := b.IP(ns, "addr", "add", lab.VirtualAddr+"/32", "dev", "lo"); err != nil {
			return err
		}
		if _, err := b.Child(ns, "api", lab.Arg("addr", lab.VirtualAddr+":8080"), lab.Arg("work", "5ms")); err != nil {
			return err
		}
	}
	move := func(via string) error {
		return b.IP(n.Router, "route", "replace", lab.VirtualAddr, "via", via)
	}
	if err := move(lab.ServerAddr); err != nil {
		return err
	}
	b.Target("orders", "http://"+lab.VirtualAddr+":8080", lab.Post("/orders", 400), "router", "orders-1", "orders-2")
	b.Host("router", n.Router)
	b.Host("orders-1", n.Server, 8080)
	b.Host("orders-2", n.Standby, 8080)
	b.RampTo(100, 400, 18*time.Second)
	for role, ns := range map[string]string{"server": n.Server, "standby": n.Standby} {
		if err := b.WatchKernel(ns, role); err != nil {
			return err
		}
	}
	return b.AfterTraffic(n.Server, b.Millis(6000, 9000), func() error {
		b.Tally.Harm("moves")
		if err := move(lab.StandbyAddr); err != nil {
			return err
		}
		if back == 0 || !lab.Wait(b.Ctx, back) {
			return nil
		}
		b.Tally.Harm("moves")
		return move(lab.ServerAddr)
	})
}
