package middlebox

import (
	"context"
	"fmt"
	"time"

	"github.com/rampload/rampload/cmd/internal/lab"
	"github.com/rampload/rampload/profiles"
)

// middleboxScenarios are boxes on the path that drop in silence, pick their
// victims by size, content or port, or have lost what they knew.
func middleboxScenarios() []lab.Scenario {
	scenario := lab.InNetwork()
	return []lab.Scenario{
		scenario("path-filter", "path-rate-limit", "path-rate-limit-drop",
			"a middlebox drops new connections beyond a rate and says nothing", func(b *lab.Bench) error {
				rate := b.Whole(120, 200)
				// With one latency all the time a rate and a number of connections look the same.
				b.Run.Expect.Causes = []string{"path-connection-limit"}
				b.Run.Profile.Client.Connections = 0
				b.Run.Profile.Client.Timeout = 900 * time.Millisecond
				b.Onset(float64(rate), 0.2)
				return dropping(b, fmt.Sprintf("iifname to-client tcp flags & (syn | ack) == syn limit rate over %d/second burst 10 packets", rate), lab.Post("/orders", 400), 1.5*float64(rate))
			}),
		scenario("path-connections", "path-connection-limit", "path-connection-limit-drop",
			"a middlebox drops more than a few connections of one caller and says nothing", func(b *lab.Bench) error {
				limit, work := b.Whole(30, 50), b.Millis(100, 150)
				n, c, err := b.NetworkService("api", lab.Arg("work", work))
				if err != nil {
					return err
				}
				if err := b.NFT(n.Router, fmt.Sprintf(`
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
				b.Remote(c, "orders", lab.Post("/orders", 400), n)
				b.Run.Profile.Client.Timeout = 900 * time.Millisecond
				load := float64(limit) / work.Seconds()
				// What has ended counts for a while, so the limit comes somewhat earlier.
				b.RampTo(0.3*load, 1.5*load, 18*time.Second)
				b.WatchFilter(n.Router, "dropped")
				return b.WatchKernel(n.Server, "server")
			}),
		scenario("loss", "packet-loss", "packet-loss-one-way",
			"the path loses packets of the responses only", func(b *lab.Bench) error {
				b.Run.Profile.Client.Connections = 0 // a lost SYN-ACK takes a second
				b.Run.Profile.Client.Timeout = 500 * time.Millisecond
				return dropping(b, fmt.Sprintf("iifname to-server numgen random mod 10000 < %d", b.Whole(400, 700)), lab.Post("/orders", 400), 280, lab.Arg("size", 6000))
			}),
		scenario("loss", "packet-loss", "path-dead-member",
			"one of the links that a path's connections are spread over is dead: connections from some ports get no answer", func(b *lab.Bench) error {
				b.Run.Expect.Causes = []string{"network-outage", "silent-firewall"} // of a part of the path; a filter plays the dead link
				b.Run.Profile.Client.Connections = 0
				b.Run.Profile.Client.Timeout = 900 * time.Millisecond
				return dropping(b, fmt.Sprintf("iifname to-client jhash tcp sport mod %d < 1", b.Whole(16, 32)), lab.Post("/orders", 400), 280)
			}),
		scenario("outage", "network-outage", "outage-flapping",
			"the path is dead for a moment again and again", func(b *lab.Bench) error {
				b.Run.Profile.Client.Timeout = 500 * time.Millisecond
				n, c, err := b.NetworkService("api", lab.Arg("work", "5ms"))
				if err != nil {
					return err
				}
				b.Remote(c, "orders", lab.Post("/orders", 400), n)
				b.RampTo(100, 280, 18*time.Second)
				length := b.Millis(700, 1000)
				if err := b.WatchKernel(n.Server, "server"); err != nil {
					return err
				}
				return b.Interrupt(n, 4, b.Millis(3500, 4500), length,
					[]string{"link", "set", "to-server", "down"}, []string{"link", "set", "to-server", "up"})
			}),
		scenario("path-idle", "path-idle-expiry", "path-idle-drop",
			"a stateful firewall forgets idle connections and drops what comes later without a word", func(b *lab.Bench) error {
				n, c, err := b.NetworkService("api", lab.Arg("work", "2ms"))
				if err != nil {
					return err
				}
				if err := forgetful(b, n, 2, "iifname to-client tcp dport 8080 ct state invalid counter name harm drop"); err != nil {
					return err
				}
				b.Remote(c, "orders", lab.Post("/orders", 400), n)
				b.Run.Profile.Client.Timeout = time.Second
				b.Bursts(b.Whole(20, 48), 2*time.Second, 800*time.Millisecond, 24*time.Second)
				b.WatchFilter(n.Router, "dropped")
				return b.WatchKernel(n.Server, "server")
			}),
		scenario("path-filter", "path-reset", "path-reset-large",
			"a middlebox resets connections whose requests are large", func(b *lab.Bench) error {
				n, c, err := b.NetworkService("api", lab.Arg("work", "3ms"))
				if err != nil {
					return err
				}
				if err := b.NFT(n.Router, lab.Filter("forward", "iifname to-client tcp dport 8080 meta length > 1200 counter name harm reject with tcp reset")); err != nil {
					return err
				}
				b.Remote(c, "orders", lab.Mixed(lab.Post("/orders", 300), lab.Post("/bulk", b.Whole(2500, 5000)), 0.03), n)
				b.RampTo(80, b.Between(300, 400), 18*time.Second)
				b.WatchFilter(n.Router, "resets")
				return b.WatchKernel(n.Server, "server")
			}),
		scenario("injection", "rst-injection", "rst-injection-keyword",
			"somebody on the path forges RSTs to both ends of connections whose requests hold a word", func(b *lab.Bench) error {
				n, c, err := b.NetworkService("api", lab.Arg("work", "30ms"))
				if err != nil {
					return err
				}
				if _, err := b.Child(n.Router, "forge", lab.Arg("device", "to-client"), lab.Arg("port", 8080), lab.Arg("contains", "forbidden"), lab.Arg("ttl", b.Whole(40, 250))); err != nil {
					return err
				}
				b.Remote(c, "orders", lab.Mixed(lab.Get("/orders"), lab.Get("/search?q=forbidden"), b.Between(0.01, 0.03)), n)
				b.RampTo(80, b.Between(250, 350), 18*time.Second)
				return b.WatchKernel(n.Server, "server")
			}),
		scenario("tracking-invalid", "conntrack-invalid", "conntrack-asymmetric",
			"the replies of some connections begin to take another path, so that a firewall takes what the client acknowledges for out of window and resets it", func(b *lab.Bench) error {
				b.Run.Expect.Causes = []string{"path-reset"}
				n, c, err := b.NetworkService("api", lab.Arg("work", "5ms"), lab.Arg("size", 3000), lab.Arg("per-conn", b.Whole(6, 12)))
				if err != nil {
					return err
				}
				if err := b.NFT(n.Router, lab.Filter("forward", lab.ResetInvalid)); err != nil {
					return err
				}
				b.Remote(c, "orders", lab.Post("/orders", 400), n)
				b.RampTo(80, b.Between(250, 350), 18*time.Second)
				b.WatchFilter(n.Router, "resets")
				if err := b.WatchKernel(n.Server, "server"); err != nil {
					return err
				}
				share := b.Whole(4, 8)
				return b.AfterTraffic(n.Server, b.Millis(6000, 9000), func() error {
					// The router still forwards these replies; its tracking does not see them.
					return b.NFT(n.Router, fmt.Sprintf(`
table ip elsewhere {
	chain c {
		type filter hook prerouting priority -300;
		iifname to-server tcp sport 8080 jhash tcp dport mod %d < 1 notrack
	}
}`, share))
				})
			}),
		scenario("tracking-invalid", "conntrack-invalid", "conntrack-flushed",
			"a firewall loses its table again and again and resets what it does not know", func(b *lab.Bench) error {
				b.Run.Expect.Causes = []string{"failover"} // the same to all who cannot look into the box
				n, c, err := b.NetworkService("api", lab.Arg("work", "20ms"))
				if err != nil {
					return err
				}
				if err := forgetful(b, n, 600, lab.ResetInvalid); err != nil {
					return err
				}
				b.Remote(c, "orders", lab.Post("/orders", 400), n)
				b.RampTo(80, b.Between(250, 350), 18*time.Second)
				b.WatchFilter(n.Router, "resets")
				if err := b.WatchKernel(n.Server, "server"); err != nil {
					return err
				}
				every := b.Millis(4000, 5500)
				return b.OnTraffic(n.Server, func(ctx context.Context) error {
					for lab.Wait(ctx, every) {
						if err := b.In(n.Router, "conntrack", "-F"); err != nil {
							return err
						}
						b.Tally.Count("flushes")
					}
					return nil
				})
			}, "conntrack"),
		scenario("tracking-invalid", "conntrack-invalid", "conntrack-nat-expired",
			"address translation forgets connections whose server takes long, and lets its answers through untranslated", func(b *lab.Bench) error {
				b.Run.Expect.Causes = []string{"path-idle-expiry"}
				workers, work := b.Whole(8, 12), b.Millis(50, 70)
				n, c, err := b.NetworkService("api", lab.Arg("workers", workers), lab.Arg("work", work))
				if err != nil {
					return err
				}
				if err := forgetful(b, n, 1, "iifname to-server tcp sport 8080 ct state invalid tcp flags & rst == 0 counter name harm"); err != nil {
					return err
				}
				if err := b.NFT(n.Router, fmt.Sprintf(`
table ip translate {
	chain c {
		type nat hook prerouting priority -100;
		ip daddr %s tcp dport 8080 dnat to %s
	}
}`, lab.VirtualAddr, lab.ServerAddr)); err != nil {
					return err
				}
				b.Target("orders", "http://"+lab.VirtualAddr+":8080", lab.Post("/orders", 400), "router", "orders-1")
				b.Host("router", n.Router)
				b.Host("orders-1", n.Server, c.Addr().Port())
				b.Run.Profile.Client.Timeout = 4 * time.Second
				b.Run.Profile.Client.IdleTimeout = 600 * time.Millisecond // idle ones are not to be the ones forgotten
				load := float64(workers) / work.Seconds()
				b.RampTo(0.3*load, 1.25*load, 18*time.Second)
				b.WatchFilter(n.Router, "untranslated")
				return b.WatchKernel(n.Server, "server")
			}),
	}
}

// dropping puts a rule that drops on the router and ramps to a load.
func dropping(b *lab.Bench, match string, requests []profiles.Request, load float64, args ...string) error {
	n, c, err := b.NetworkService("api", append([]string{lab.Arg("work", "3ms")}, args...)...)
	if err != nil {
		return err
	}
	if err := b.NFT(n.Router, lab.Filter("forward", match+" counter name harm drop")); err != nil {
		return err
	}
	b.Remote(c, "orders", requests, n)
	b.RampTo(0.25*load, load, 18*time.Second)
	b.WatchFilter(n.Router, "dropped")
	return b.WatchKernel(n.Server, "server")
}

// forgetful lets the router's tracking forget established connections after some
// seconds, take up none in the middle, and apply a rule.
func forgetful(b *lab.Bench, n *lab.Network, seconds int, rule string) error {
	if err := lab.Forgetful(b, n.Router, seconds); err != nil {
		return err
	}
	return b.NFT(n.Router, lab.Filter("forward", rule))
}
