package lab

import (
	"fmt"
	"time"

	"github.com/rampload/rampload/profiles"
)

// rulesetScenarios are rules that ban, count connections or count bytes, on the
// server or before it, and a parameter of the server's kernel.
func rulesetScenarios() []Scenario {
	scenario := inNetwork()
	return []Scenario{
		scenario("host-firewall", "host-firewall", "host-firewall-ban",
			"a firewall on the server bans callers that connect too often and resets all that they send for some seconds", func(b *bench) error {
				rate := b.whole(120, 180)
				b.run.Profile.Client.Connections = 0
				b.onset(float64(rate), 0.25)
				return b.ruled(false, fmt.Sprintf(`
	set callers { type ipv4_addr; size 1024; flags dynamic; }
	set banned { type ipv4_addr; size 1024; flags dynamic,timeout; timeout %ds; }
	chain c {
		type filter hook input priority 0;
		tcp dport 8080 ip saddr @banned counter name harm reject with tcp reset
		tcp dport 8080 tcp flags & (syn | ack) == syn add @callers { ip saddr limit rate over %d/second burst 20 packets } add @banned { ip saddr }
	}`, b.whole(2, 4), rate), post("/orders", 400), 0.3*float64(rate), 1.6*float64(rate), arg("work", "3ms"))
			}),
		scenario("host-firewall", "host-firewall", "host-firewall-connections",
			"a firewall on the server itself refuses callers that have many connections", func(b *bench) error {
				limit, work := b.whole(30, 50), b.millis(100, 150)
				load := float64(limit) / work.Seconds()
				b.onset(load, 0.3)
				return b.ruled(false, fmt.Sprintf(`
	set callers { type ipv4_addr; size 1024; flags dynamic; }
	chain c {
		type filter hook input priority 0;
		tcp dport 8080 ct state new add @callers { ip saddr ct count over %d } counter name harm reject with tcp reset
	}`, limit), post("/orders", 400), 0.3*load, 1.5*load, arg("work", work))
			}),
		scenario("path-filter", "path-reset", "path-connection-bytes",
			"a middlebox resets connections that have carried more than a number of bytes", func(b *bench) error {
				return b.ruled(true, fmt.Sprintf(`
	chain c {
		type filter hook forward priority 0;
		iifname to-client tcp dport 8080 tcp flags & psh == psh ct bytes > %d counter name harm reject with tcp reset
	}`, b.whole(400_000, 800_000)), post("/orders", 400), 80, b.between(280, 360), arg("work", "5ms"), arg("size", 6000))
			}),
		scenario("path-filter", "path-reset", "path-data-cap",
			"a middlebox lets a volume of data pass and resets everything from then on (quota)", func(b *bench) error {
				return b.ruled(true, fmt.Sprintf(`
	chain c {
		type filter hook forward priority 0;
		iifname to-client tcp dport 8080 quota over %d kbytes counter name harm reject with tcp reset
	}`, b.whole(7000, 10000)), post("/orders", 4000), 80, b.between(250, 300), arg("work", "5ms"))
			}),
		scenario("listen-backlog", "listen-backlog", "listen-backlog-herd",
			"many callers come at once and the kernel allows the server only a short accept queue (net.core.somaxconn)", func(b *bench) error {
				n, err := b.network(false)
				if err != nil {
					return err
				}
				if err := b.sysctl(n.server, "net/core/somaxconn", fmt.Sprint(b.whole(6, 12))); err != nil {
					return err
				}
				c, err := b.child(n.server, "api", arg("addr", serverAddr+":8080"), arg("accept-gap", "300us"))
				if err != nil {
					return err
				}
				b.remote(c, "orders", post("/orders", 300), n)
				b.run.Profile.Client.Connections = 0
				b.run.Profile.Client.Timeout = 900 * time.Millisecond // a SYN is sent again after a second
				for _, size := range []int{4, b.whole(16, 22), b.whole(30, 45)} {
					b.run.Profile.Load = append(b.run.Profile.Load, profiles.Stage{
						Kind: profiles.Burst, BurstSize: size, Every: 1200 * time.Millisecond, Jitter: 100 * time.Millisecond, For: 8 * time.Second,
					})
				}
				b.run.Expect.Resource = "listen-queue"
				return b.watchKernel(n.server, "server", "ListenOverflows")
			}),
	}
}

// ruled loads a service through rules on the router, or on the server itself.
func (b *bench) ruled(onPath bool, rules string, requests []profiles.Request, from, to float64, args ...string) error {
	n, c, err := b.networkService("api", args...)
	if err != nil {
		return err
	}
	where := n.server
	if onPath {
		where = n.router
	}
	// Bytes of a connection are counted only where that is asked for.
	if err := b.sysctl(where, "net/netfilter/nf_conntrack_acct", "1"); err != nil {
		return err
	}
	if err := b.nft(where, "table ip lab {\n\tcounter harm {}"+rules+"\n}"); err != nil {
		return err
	}
	b.remote(c, "orders", requests, n)
	b.rampTo(from, to, 18*time.Second)
	b.watchFilter(where, "rejected")
	return b.watchKernel(n.server, "server")
}
