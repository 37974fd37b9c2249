package lab

import (
	"context"
	"fmt"
	"time"

	"github.com/rampload/rampload/profiles"
)

// middleboxScenarios are boxes on the path that drop in silence, pick their
// victims by size, content or port, or have lost what they knew.
func middleboxScenarios() []Scenario {
	scenario := inNetwork()
	return []Scenario{
		scenario("path-filter", "path-rate-limit", "path-rate-limit-drop",
			"a middlebox drops new connections beyond a rate and says nothing", func(b *bench) error {
				rate := b.whole(120, 200)
				// With one latency all the time a rate and a number of connections look the same.
				b.run.Expect.Causes = []string{"path-connection-limit"}
				b.run.Profile.Client.Connections = 0
				b.run.Profile.Client.Timeout = 900 * time.Millisecond
				b.onset(float64(rate), 0.2)
				return b.dropping(fmt.Sprintf("iifname to-client tcp flags & (syn | ack) == syn limit rate over %d/second burst 10 packets", rate), post("/orders", 400), 1.5*float64(rate))
			}),
		scenario("path-connections", "path-connection-limit", "path-connection-limit-drop",
			"a middlebox drops more than a few connections of one caller and says nothing", func(b *bench) error {
				limit, work := b.whole(30, 50), b.millis(100, 150)
				n, c, err := b.networkService("api", arg("work", work))
				if err != nil {
					return err
				}
				if err := b.nft(n.router, fmt.Sprintf(`
table ip lab {
	counter harm {}
	set clients { type ipv4_addr; size 1024; flags dynamic; }
	chain c {
		type filter hook forward priority 0;
		iifname to-client tcp dport 8080 ct state new add @clients { ip saddr ct count over %d } counter name harm drop
	}
}`, limit)); err != nil {
					return err
				}
				b.remote(c, "orders", post("/orders", 400), n)
				b.run.Profile.Client.Timeout = 900 * time.Millisecond
				load := float64(limit) / work.Seconds()
				// What has ended counts for a while, so the limit comes somewhat earlier.
				b.rampTo(0.3*load, 1.5*load, 18*time.Second)
				b.watchFilter(n.router, "dropped")
				return b.watchKernel(n.server, "server")
			}),
		scenario("loss", "packet-loss", "packet-loss-one-way",
			"the path loses packets of the responses only", func(b *bench) error {
				b.run.Profile.Client.Connections = 0 // a lost SYN-ACK takes a second
				b.run.Profile.Client.Timeout = 500 * time.Millisecond
				return b.dropping(fmt.Sprintf("iifname to-server numgen random mod 10000 < %d", b.whole(400, 700)), post("/orders", 400), 280, arg("size", 6000))
			}),
		scenario("loss", "packet-loss", "path-dead-member",
			"one of the links that a path's connections are spread over is dead: connections from some ports get no answer", func(b *bench) error {
				b.run.Expect.Causes = []string{"network-outage"} // of a part of the path
				b.run.Profile.Client.Connections = 0
				b.run.Profile.Client.Timeout = 900 * time.Millisecond
				return b.dropping(fmt.Sprintf("iifname to-client jhash tcp sport mod %d < 1", b.whole(16, 32)), post("/orders", 400), 280)
			}),
		scenario("outage", "network-outage", "outage-flapping",
			"the path is dead for a moment again and again", func(b *bench) error {
				b.run.Profile.Client.Timeout = 500 * time.Millisecond
				n, c, err := b.networkService("api", arg("work", "5ms"))
				if err != nil {
					return err
				}
				b.remote(c, "orders", post("/orders", 400), n)
				b.rampTo(100, 280, 18*time.Second)
				length := b.millis(700, 1000)
				if err := b.watchKernel(n.server, "server"); err != nil {
					return err
				}
				return b.interrupt(n, 4, b.millis(3500, 4500), length,
					[]string{"link", "set", "to-server", "down"}, []string{"link", "set", "to-server", "up"})
			}),
		scenario("path-idle", "path-idle-expiry", "path-idle-drop",
			"a stateful firewall forgets idle connections and drops what comes later without a word", func(b *bench) error {
				n, c, err := b.networkService("api", arg("work", "2ms"))
				if err != nil {
					return err
				}
				if err := b.forgetful(n, 2, "iifname to-client tcp dport 8080 ct state invalid counter name harm drop"); err != nil {
					return err
				}
				b.remote(c, "orders", post("/orders", 400), n)
				b.run.Profile.Client.Timeout = time.Second
				b.bursts(b.whole(20, 48), 2*time.Second, 800*time.Millisecond, 24*time.Second)
				b.watchFilter(n.router, "dropped")
				return b.watchKernel(n.server, "server")
			}),
		scenario("path-filter", "path-reset", "path-reset-large",
			"a middlebox resets connections whose requests are large", func(b *bench) error {
				n, c, err := b.networkService("api", arg("work", "3ms"))
				if err != nil {
					return err
				}
				if err := b.nft(n.router, `
table ip lab {
	counter harm {}
	chain c {
		type filter hook forward priority 0;
		iifname to-client tcp dport 8080 meta length > 1200 counter name harm reject with tcp reset
	}
}`); err != nil {
					return err
				}
				b.remote(c, "orders", b.mixed(post("/orders", 300), post("/bulk", b.whole(2500, 5000)), 0.03), n)
				b.rampTo(80, b.between(300, 400), 18*time.Second)
				b.watchFilter(n.router, "resets")
				return b.watchKernel(n.server, "server")
			}),
		scenario("injection", "rst-injection", "rst-injection-keyword",
			"somebody on the path forges RSTs to both ends of connections whose requests hold a word", func(b *bench) error {
				n, c, err := b.networkService("api", arg("work", "30ms"))
				if err != nil {
					return err
				}
				if _, err := b.child(n.router, "forge", arg("device", "to-client"), arg("port", 8080), arg("contains", "forbidden"), arg("ttl", b.whole(40, 250))); err != nil {
					return err
				}
				b.remote(c, "orders", b.mixed(get("/orders"), get("/search?q=forbidden"), b.between(0.01, 0.03)), n)
				b.rampTo(80, b.between(250, 350), 18*time.Second)
				return b.watchKernel(n.server, "server")
			}),
		scenario("tracking-invalid", "conntrack-invalid", "conntrack-asymmetric",
			"the replies of some connections begin to take another path, so that a firewall takes what the client acknowledges for out of window and resets it", func(b *bench) error {
				b.run.Expect.Causes = []string{"path-reset"}
				n, c, err := b.networkService("api", arg("work", "5ms"), arg("size", 3000), arg("per-conn", b.whole(6, 12)))
				if err != nil {
					return err
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
				b.rampTo(80, b.between(250, 350), 18*time.Second)
				b.watchFilter(n.router, "resets")
				if err := b.watchKernel(n.server, "server"); err != nil {
					return err
				}
				share := b.whole(4, 8)
				return b.afterTraffic(n.server, b.millis(6000, 9000), func() error {
					// The router still forwards these replies; its tracking does not see them.
					return b.nft(n.router, fmt.Sprintf(`
table ip elsewhere {
	chain c {
		type filter hook prerouting priority -300;
		iifname to-server tcp sport 8080 jhash tcp dport mod %d < 1 notrack
	}
}`, share))
				})
			}),
		scenario("tracking-invalid", "conntrack-invalid", "conntrack-flushed",
			"a firewall loses its table again and again and resets what it does not know", func(b *bench) error {
				b.run.Expect.Causes = []string{"failover"} // the same to all who cannot look into the box
				n, c, err := b.networkService("api", arg("work", "20ms"))
				if err != nil {
					return err
				}
				if err := b.forgetful(n, 600, "iifname to-client tcp dport 8080 ct state invalid tcp flags & rst == 0 counter name harm reject with tcp reset"); err != nil {
					return err
				}
				b.remote(c, "orders", post("/orders", 400), n)
				b.rampTo(80, b.between(250, 350), 18*time.Second)
				b.watchFilter(n.router, "resets")
				if err := b.watchKernel(n.server, "server"); err != nil {
					return err
				}
				every := b.millis(4000, 5500)
				return b.onTraffic(n.server, func(ctx context.Context) error {
					for pause(ctx, every) {
						if err := b.in(n.router, "conntrack", "-F"); err != nil {
							return err
						}
						b.tally.count("flushes")
					}
					return nil
				})
			}, "conntrack"),
		scenario("tracking-invalid", "conntrack-invalid", "conntrack-nat-expired",
			"address translation forgets connections whose server takes long, and lets its answers through untranslated", func(b *bench) error {
				b.run.Expect.Causes = []string{"path-idle-expiry"}
				workers, work := b.whole(8, 12), b.millis(50, 70)
				n, c, err := b.networkService("api", arg("workers", workers), arg("work", work))
				if err != nil {
					return err
				}
				if err := b.forgetful(n, 1, "iifname to-server tcp sport 8080 ct state invalid tcp flags & rst == 0 counter name harm"); err != nil {
					return err
				}
				if err := b.nft(n.router, fmt.Sprintf(`
table ip translate {
	chain c {
		type nat hook prerouting priority -100;
		ip daddr %s tcp dport 8080 dnat to %s
	}
}`, virtualAddr, serverAddr)); err != nil {
					return err
				}
				b.target("orders", "http://"+virtualAddr+":8080", post("/orders", 400), "router", "orders-1")
				b.host("router", n.router)
				b.host("orders-1", n.server, c.Addr().Port())
				b.run.Profile.Client.Timeout = 4 * time.Second
				b.run.Profile.Client.IdleTimeout = 600 * time.Millisecond // idle ones are not to be the ones forgotten
				load := float64(workers) / work.Seconds()
				b.rampTo(0.3*load, 1.25*load, 18*time.Second)
				b.watchFilter(n.router, "untranslated")
				return b.watchKernel(n.server, "server")
			}),
	}
}

// dropping puts a rule that drops on the router and ramps to a load.
func (b *bench) dropping(match string, requests []profiles.Request, load float64, args ...string) error {
	n, c, err := b.networkService("api", append([]string{arg("work", "3ms")}, args...)...)
	if err != nil {
		return err
	}
	if err := b.nft(n.router, fmt.Sprintf(`
table ip lab {
	counter harm {}
	chain c {
		type filter hook forward priority 0;
		%s counter name harm drop
	}
}`, match)); err != nil {
		return err
	}
	b.remote(c, "orders", requests, n)
	b.rampTo(0.25*load, load, 18*time.Second)
	b.watchFilter(n.router, "dropped")
	return b.watchKernel(n.server, "server")
}

// forgetful lets the router's tracking forget established connections after some
// seconds, take up none in the middle, and apply a rule.
func (b *bench) forgetful(n *network, seconds int, rule string) error {
	for name, value := range map[string]string{
		"nf_conntrack_tcp_timeout_established": fmt.Sprint(seconds),
		"nf_conntrack_tcp_loose":               "0",
	} {
		if err := b.sysctl(n.router, "net/netfilter/"+name, value); err != nil {
			return err
		}
	}
	return b.nft(n.router, fmt.Sprintf(`
table ip lab {
	counter harm {}
	chain c {
		type filter hook forward priority 0;
		%s
	}
}`, rule))
}

// mixed weighs two kinds of request.
func (b *bench) mixed(most, few []profiles.Request, share float64) []profiles.Request {
	most[0].Weight, few[0].Weight = 1-share, share
	return append(most, few...)
}
