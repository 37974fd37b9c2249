package middlebox

import (
	"fmt"
	"time"

	"github.com/rampload/rampload/cmd/internal/lab"
	"github.com/rampload/rampload/profiles"
)

// rulesetScenarios are rules that ban, count connections or count bytes, on the
// server or before it, and a parameter of the server's kernel.
func rulesetScenarios() []lab.Scenario {
	scenario := lab.InNetwork()
	return []lab.Scenario{
		scenario("host-firewall", "host-firewall", "host-firewall-ban",
			"a firewall on the server bans callers that connect too often and resets all that they send for some seconds", func(b *lab.Bench) error {
				rate := b.Whole(120, 180)
				b.Run.Profile.Client.Connections = 0
				b.Onset(float64(rate), 0.25)
				return ruled(b, false, fmt.Sprintf(`
	set callers { type ipv4_addr; size 1024; flags dynamic; }
	set banned { type ipv4_addr; size 1024; flags dynamic,timeout; timeout %ds; }
	chain c {
		type filter hook input priority 0;
		tcp dport 8080 ip saddr @banned counter name harm reject with tcp reset
		tcp dport 8080 tcp flags & (syn | ack) == syn add @callers { ip saddr limit rate over %d/second burst 20 packets } add @banned { ip saddr }
	}`, b.Whole(2, 4), rate), lab.Post("/orders", 400), 0.3*float64(rate), 1.6*float64(rate), lab.Arg("work", "3ms"))
			}),
		scenario("host-firewall", "host-firewall", "host-firewall-connections",
			"a firewall on the server itself refuses callers that have many connections", func(b *lab.Bench) error {
				limit, work := b.Whole(30, 50), b.Millis(100, 150)
				load := float64(limit) / work.Seconds()
				b.Onset(load, 0.3)
				return ruled(b, false, fmt.Sprintf(`
	set callers { type ipv4_addr; size 1024; flags dynamic; }
	chain c {
		type filter hook input priority 0;
		tcp dport 8080 ct state new add @callers { ip saddr ct count over %d } counter name harm reject with tcp reset
	}`, limit), lab.Post("/orders", 400), 0.3*load, 1.5*load, lab.Arg("work", work))
			}),
		scenario("path-filter", "path-reset", "path-connection-bytes",
			"a middlebox resets connections that have carried more than a number of bytes", func(b *lab.Bench) error {
				return ruled(b, true, fmt.Sprintf(`
	chain c {
		type filter hook forward priority 0;
		iifname to-client tcp dport 8080 tcp flags & psh == psh ct bytes > %d counter name harm reject with tcp reset
	}`, b.Whole(400_000, 800_000)), lab.Post("/orders", 400), 80, b.Between(280, 360), lab.Arg("work", "5ms"), lab.Arg("size", 6000))
			}),
		scenario("path-filter", "path-reset", "path-data-cap",
			"a middlebox lets a volume of data pass and resets everything from then on (quota)", func(b *lab.Bench) error {
				return ruled(b, true, fmt.Sprintf(`
	chain c {
		type filter hook forward priority 0;
		iifname to-client tcp dport 8080 quota over %d kbytes counter name harm reject with tcp reset
	}`, b.Whole(7000, 10000)), lab.Post("/orders", 4000), 80, b.Between(250, 300), lab.Arg("work", "5ms"))
			}),
		scenario("listen-backlog", "listen-backlog", "listen-backlog-herd",
			"many callers come at once and the kernel allows the server only a short accept queue (net.core.somaxconn)", func(b *lab.Bench) error {
				n, err := b.Network(false)
				if err != nil {
					return err
				}
				if err := b.Sysctl(n.Server, "net/core/somaxconn", fmt.Sprint(b.Whole(6, 12))); err != nil {
					return err
				}
				c, err := b.Child(n.Server, "api", lab.Arg("addr", lab.ServerAddr+":8080"), lab.Arg("accept-gap", "300us"))
				if err != nil {
					return err
				}
				b.Remote(c, "orders", lab.Post("/orders", 300), n)
				b.Run.Profile.Client.Connections = 0
				b.Run.Profile.Client.Timeout = 900 * time.Millisecond // a SYN is sent again after a second
				for _, size := range []int{4, b.Whole(16, 22), b.Whole(30, 45)} {
					b.Run.Profile.Load = append(b.Run.Profile.Load, profiles.Burst{
						Size: size, Every: 1200 * time.Millisecond, Jitter: 100 * time.Millisecond, For: 8 * time.Second,
					})
				}
				b.Run.Expect.Resource = "listen-queue"
				return b.WatchKernel(n.Server, "server", "ListenOverflows")
			}),
	}
}

// ruled loads a service through rules on the router, or on the server itself.
func ruled(b *lab.Bench, onPath bool, rules string, requests []profiles.Request, from, to float64, args ...string) error {
	n, c, err := b.NetworkService("api", args...)
	if err != nil {
		return err
	}
	where := n.Server
	if onPath {
		where = n.Router
	}
	// Bytes of a connection are counted only where that is asked for.
	if err := b.Sysctl(where, "net/netfilter/nf_conntrack_acct", "1"); err != nil {
		return err
	}
	if err := b.NFT(where, "table ip lab {\n\tcounter harm {}"+rules+"\n}"); err != nil {
		return err
	}
	b.Remote(c, "orders", requests, n)
	b.RampTo(from, to, 18*time.Second)
	b.WatchFilter(where, "rejected")
	return b.WatchKernel(n.Server, "server")
}
