package middlebox

import (
	"fmt"
	"time"

	"github.com/rampload/rampload/cmd/internal/lab"
	"github.com/rampload/rampload/cmd/internal/lab/services"
	"github.com/rampload/rampload/profiles"
)

// edgeScenarios are limits and faults at a service's edge: its connections, its
// handshakes, and boxes on the path with rules of age, volume and direction.
func edgeScenarios() []lab.Scenario {
	local, network := lab.Needing(), lab.InNetwork()
	return []lab.Scenario{
		local("tls", "application-abort", "tls-handshake-abort",
			"a TLS server resets a constant share of its handshakes, whatever the load", func(b *lab.Bench) error {
				b.Run.Expect.Causes = []string{"tls-shedding"} // the same place, for another reason
				c, err := b.Child("", "api", "-tls", lab.Arg("tls-abort-every", b.Whole(30, 80)), lab.Arg("work", "3ms"))
				if err != nil {
					return err
				}
				b.Target("orders", "https://"+c.Addr().String(), lab.Get("/orders"), "orders-1")
				b.Host("orders-1", "", c.Addr().Port())
				b.Run.Profile.Client.TLS.SkipVerify = true
				b.Run.Profile.Client.Connections = 0
				b.RampTo(40, b.Between(110, 150), 18*time.Second)
				return nil
			}),
		local("http2", "server-connection-limit", "http2-streams-in-progress",
			"an HTTP/2 server resets streams beyond a number in progress", func(b *lab.Bench) error {
				// The key of a limit on what is in progress; the frames alone say an abort.
				b.Run.Expect.Causes = []string{"rate-limit-policy", "server-threads", "application-abort"}
				limit, work := b.Whole(25, 45), b.Millis(80, 120)
				c, err := b.Child("", "web", lab.Arg("max-age", "1h"), lab.Arg("bulkhead", limit), lab.Arg("turn-away", "reset"), lab.Arg("work", work))
				if err != nil {
					return err
				}
				b.Simple(c, "orders", lab.Post("/orders", 500))
				b.Run.Profile.Client.Protocol = profiles.ProtocolH2C
				load := float64(limit) / work.Seconds()
				b.RampTo(0.3*load, 1.5*load, 18*time.Second)
				b.Onset(load, 0.25)
				return nil
			}),
		network("path-filter", "path-reset", "path-connection-age",
			"a middlebox resets connections that are older than a limit, however busy they are", func(b *lab.Bench) error {
				// A state that expires on the path, by age and not by idleness.
				b.Run.Expect.Causes = []string{"path-idle-expiry"}
				n, c, err := b.NetworkService("api", lab.Arg("work", b.Millis(10, 30)))
				if err != nil {
					return err
				}
				if err := b.NFT(n.Router, fmt.Sprintf(`
table ip lab {
	counter harm {}
	set young { type ipv4_addr . inet_service; size 65535; flags dynamic,timeout; timeout %dms; }
	chain c {
		type filter hook forward priority 0;
		iifname to-client tcp dport 8080 tcp flags & (syn | ack) == syn add @young { ip saddr . tcp sport }
		iifname to-client tcp dport 8080 tcp flags & psh == psh ip saddr . tcp sport != @young counter name harm reject with tcp reset
	}
}`, b.Whole(1500, 3000))); err != nil {
					return err
				}
				b.Remote(c, "orders", lab.Post("/orders", 400), n)
				b.RampTo(80, b.Between(300, 400), 18*time.Second)
				b.WatchFilter(n.Router, "resets")
				return b.WatchKernel(n.Server, "server")
			}),
		network("path-filter", "path-rate-limit", "path-byte-rate",
			"a middlebox drops what exceeds a volume per second and says nothing (a policer)", func(b *lab.Bench) error {
				b.Run.Expect.Causes = []string{"packet-loss"} // what it is to the two ends
				const size = 12_000
				rate := b.Whole(1200, 1800) // kbytes per second
				load := float64(rate) * 1024 / (size + 800)
				b.Run.Profile.Client.Timeout = 500 * time.Millisecond
				return dropping(b, fmt.Sprintf("iifname to-server limit rate over %d kbytes/second burst 64 kbytes", rate),
					lab.Post("/orders", 400), 1.7*load, lab.Arg("size", size))
			}),
		network("loss", "packet-loss", "syn-ack-loss",
			"the path loses a share of the server's SYN-ACKs and nothing else", func(b *lab.Bench) error {
				b.Run.Profile.Client.Connections = 0
				b.Run.Profile.Client.Timeout = 900 * time.Millisecond
				return dropping(b, fmt.Sprintf("iifname to-server tcp flags & (syn | ack) == (syn | ack) numgen random mod 10000 < %d", b.Whole(200, 500)),
					lab.Post("/orders", 400), 280)
			}),
		network("confounders", "path-reset", "filter-then-descriptors",
			"a middlebox resets a random share from the start, and later the service runs out of descriptors", func(b *lab.Bench) error {
				b.Run.Expect.Causes = []string{"server-file-descriptors"} // both are true
				p := services.Payments{NoFile: uint64(b.Whole(120, 180)), Hold: b.Millis(100, 150), Growth: 0.2, Ledgers: 1}
				n, c, err := b.NetworkService("payments", p.Args()...)
				if err != nil {
					return err
				}
				if err := b.NFT(n.Router, lab.Filter("forward", fmt.Sprintf("iifname to-client tcp dport 8080 tcp flags & psh == psh numgen random mod 10000 < %d counter name harm reject with tcp reset", b.Whole(100, 200)))); err != nil {
					return err
				}
				b.Remote(c, "payments", lab.Post("/payments", 600), n)
				load := p.OnsetLoad()
				b.RampTo(0.3*load, 1.5*load, 18*time.Second)
				b.WatchFilter(n.Router, "resets")
				return b.WatchKernel(n.Server, "server")
			}),
		network("failover", "failover", "rehashed-paths",
			"connections are spread over two servers by their hash, and a change of weights moves some to the one that does not know them", func(b *lab.Bench) error {
				return rehashed(b)
			}),
	}
}

// rehashed routes a virtual address to two servers by a hash of each packet's
// addresses and ports, without any state, and changes the weights now and then.
func rehashed(b *lab.Bench) error {
	n, err := b.Network(true)
	if err != nil {
		return err
	}
	work := lab.Arg("work", b.Millis(40, 60))
	for _, ns := range []string{n.Server, n.Standby} {
		if err := b.IP(ns, "addr", "add", lab.VirtualAddr+"/32", "dev", "lo"); err != nil {
			return err
		}
		if _, err := b.Child(ns, "api", lab.Arg("addr", lab.VirtualAddr+":8080"), work); err != nil {
			return err
		}
	}
	if err := b.Sysctl(n.Router, "net/ipv4/fib_multipath_hash_policy", "1"); err != nil {
		return err
	}
	weigh := func(first, second int) error {
		return b.IP(n.Router, "route", "replace", lab.VirtualAddr,
			"nexthop", "via", lab.ServerAddr, "weight", fmt.Sprint(first), "nexthop", "via", lab.StandbyAddr, "weight", fmt.Sprint(second))
	}
	if err := weigh(1, 1); err != nil {
		return err
	}
	b.Target("orders", "http://"+lab.VirtualAddr+":8080", lab.Post("/orders", 400), "router", "orders-1", "orders-2")
	b.Host("router", n.Router)
	b.Host("orders-1", n.Server, 8080)
	b.Host("orders-2", n.Standby, 8080)
	b.RampTo(100, b.Between(300, 400), 18*time.Second)
	for role, ns := range map[string]string{"server": n.Server, "standby": n.Standby} {
		if err := b.WatchKernel(ns, role); err != nil {
			return err
		}
	}
	heavy := 1
	return b.NowAndThen(n, 4, b.Millis(3500, 4500), func() {
		heavy = 6 - heavy // 5 and 1 in turn
		if weigh(heavy, 6-heavy) == nil {
			b.Tally.Harm("rehashes")
		}
	})
}
