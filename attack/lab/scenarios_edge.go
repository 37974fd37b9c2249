package lab

import (
	"fmt"
	"time"

	"github.com/rampload/rampload/profiles"
)

// edgeScenarios are limits and faults at a service's edge: its connections, its
// handshakes, and boxes on the path with rules of age, volume and direction.
func edgeScenarios() []Scenario {
	local, network := needing(), inNetwork()
	return []Scenario{
		local("tls", "application-abort", "tls-handshake-abort",
			"a TLS server resets a constant share of its handshakes, whatever the load", func(b *bench) error {
				b.run.Expect.Causes = []string{"tls-shedding"} // the same place, for another reason
				c, err := b.child("", "api", "-tls", arg("tls-abort-every", b.whole(30, 80)), arg("work", "3ms"))
				if err != nil {
					return err
				}
				b.target("orders", "https://"+c.Addr().String(), get("/orders"), "orders-1")
				b.host("orders-1", "", c.Addr().Port())
				b.run.Profile.Client.TLS.SkipVerify = true
				b.run.Profile.Client.Connections = 0
				b.rampTo(40, b.between(110, 150), 18*time.Second)
				return nil
			}),
		local("http2", "server-connection-limit", "http2-streams-in-progress",
			"an HTTP/2 server resets streams beyond a number in progress", func(b *bench) error {
				// The key of a limit on what is in progress; the frames alone say an abort.
				b.run.Expect.Causes = []string{"rate-limit-policy", "server-threads", "application-abort"}
				limit, work := b.whole(25, 45), b.millis(80, 120)
				c, err := b.child("", "web", arg("max-age", "1h"), arg("bulkhead", limit), arg("turn-away", "reset"), arg("work", work))
				if err != nil {
					return err
				}
				b.simple(c, "orders", post("/orders", 500))
				b.run.Profile.Client.Protocol = profiles.ProtocolH2C
				load := float64(limit) / work.Seconds()
				b.rampTo(0.3*load, 1.5*load, 18*time.Second)
				b.onset(load, 0.25)
				return nil
			}),
		network("path-filter", "path-reset", "path-connection-age",
			"a middlebox resets connections that are older than a limit, however busy they are", func(b *bench) error {
				// A state that expires on the path, by age and not by idleness.
				b.run.Expect.Causes = []string{"path-idle-expiry"}
				n, c, err := b.networkService("api", arg("work", b.millis(10, 30)))
				if err != nil {
					return err
				}
				if err := b.nft(n.router, fmt.Sprintf(`
table ip lab {
	counter harm {}
	set young { type ipv4_addr . inet_service; size 65535; flags dynamic,timeout; timeout %dms; }
	chain c {
		type filter hook forward priority 0;
		iifname to-client tcp dport 8080 tcp flags & (syn | ack) == syn add @young { ip saddr . tcp sport }
		iifname to-client tcp dport 8080 tcp flags & psh == psh ip saddr . tcp sport != @young counter name harm reject with tcp reset
	}
}`, b.whole(1500, 3000))); err != nil {
					return err
				}
				b.remote(c, "orders", post("/orders", 400), n)
				b.rampTo(80, b.between(300, 400), 18*time.Second)
				b.watchFilter(n.router, "resets")
				return b.watchKernel(n.server, "server")
			}),
		network("path-filter", "path-rate-limit", "path-byte-rate",
			"a middlebox drops what exceeds a volume per second and says nothing (a policer)", func(b *bench) error {
				b.run.Expect.Causes = []string{"packet-loss"} // what it is to the two ends
				const size = 12_000
				rate := b.whole(1200, 1800) // kbytes per second
				load := float64(rate) * 1024 / (size + 800)
				b.run.Profile.Client.Timeout = 500 * time.Millisecond
				return b.dropping(fmt.Sprintf("iifname to-server limit rate over %d kbytes/second burst 64 kbytes", rate),
					post("/orders", 400), 1.7*load, arg("size", size))
			}),
		network("loss", "packet-loss", "syn-ack-loss",
			"the path loses a share of the server's SYN-ACKs and nothing else", func(b *bench) error {
				b.run.Profile.Client.Connections = 0
				b.run.Profile.Client.Timeout = 900 * time.Millisecond
				return b.dropping(fmt.Sprintf("iifname to-server tcp flags & (syn | ack) == (syn | ack) numgen random mod 10000 < %d", b.whole(200, 500)),
					post("/orders", 400), 280)
			}),
		network("confounders", "path-reset", "filter-then-descriptors",
			"a middlebox resets a random share from the start, and later the service runs out of descriptors", func(b *bench) error {
				b.run.Expect.Causes = []string{"server-file-descriptors"} // both are true
				p := Payments{NoFile: uint64(b.whole(120, 180)), Hold: b.millis(100, 150), Growth: 0.2, Ledgers: 1}
				n, c, err := b.networkService("payments", p.Args()...)
				if err != nil {
					return err
				}
				if err := b.nft(n.router, fmt.Sprintf(`
table ip lab {
	counter harm {}
	chain c {
		type filter hook forward priority 0;
		iifname to-client tcp dport 8080 tcp flags & psh == psh numgen random mod 10000 < %d counter name harm reject with tcp reset
	}
}`, b.whole(100, 200))); err != nil {
					return err
				}
				b.remote(c, "payments", post("/payments", 600), n)
				load := p.OnsetLoad()
				b.rampTo(0.3*load, 1.5*load, 18*time.Second)
				b.watchFilter(n.router, "resets")
				return b.watchKernel(n.server, "server")
			}),
		network("failover", "failover", "rehashed-paths",
			"connections are spread over two servers by their hash, and a change of weights moves some to the one that does not know them", func(b *bench) error {
				return b.rehashed()
			}),
	}
}

// rehashed routes a virtual address to two servers by a hash of each packet's
// addresses and ports, without any state, and changes the weights now and then.
func (b *bench) rehashed() error {
	n, err := b.network(true)
	if err != nil {
		return err
	}
	work := arg("work", b.millis(40, 60))
	for _, ns := range []string{n.server, n.standby} {
		if err := b.ip(ns, "addr", "add", virtualAddr+"/32", "dev", "lo"); err != nil {
			return err
		}
		if _, err := b.child(ns, "api", arg("addr", virtualAddr+":8080"), work); err != nil {
			return err
		}
	}
	if err := b.sysctl(n.router, "net/ipv4/fib_multipath_hash_policy", "1"); err != nil {
		return err
	}
	weigh := func(first, second int) error {
		return b.ip(n.router, "route", "replace", virtualAddr,
			"nexthop", "via", serverAddr, "weight", fmt.Sprint(first), "nexthop", "via", standbyAddr, "weight", fmt.Sprint(second))
	}
	if err := weigh(1, 1); err != nil {
		return err
	}
	b.target("orders", "http://"+virtualAddr+":8080", post("/orders", 400), "router", "orders-1", "orders-2")
	b.host("router", n.router)
	b.host("orders-1", n.server, 8080)
	b.host("orders-2", n.standby, 8080)
	b.rampTo(100, b.between(300, 400), 18*time.Second)
	for role, ns := range map[string]string{"server": n.server, "standby": n.standby} {
		if err := b.watchKernel(ns, role); err != nil {
			return err
		}
	}
	heavy := 1
	return b.nowAndThen(n, 4, b.millis(3500, 4500), func() {
		heavy = 6 - heavy // 5 and 1 in turn
		if weigh(heavy, 6-heavy) == nil {
			b.tally.harm("rehashes")
		}
	})
}
