package lab

import (
	"errors"
	"fmt"
	"time"
)

// dependencyScenarios are services that fail for what is behind them: its ports,
// its policy, its memory, and a proxy's own judgement of it.
func dependencyScenarios() []Scenario {
	scenario := needing()
	return []Scenario{
		scenario("proxy", "proxy-ephemeral-ports", "gateway-ports-time-wait",
			"orders opens a new connection to the service behind it for each request, and TIME_WAIT uses up its ephemeral ports", func(b *bench) error {
				n, up, err := b.upstream("api", arg("work", b.millis(20, 30)))
				if err != nil {
					return err
				}
				ports := b.whole(1300, 1900)
				if err := errors.Join(
					b.sysctl(n.router, "net/ipv4/ip_local_port_range", fmt.Sprintf("20000 %d", 20000+ports-1)),
					b.sysctl(n.router, "net/ipv4/tcp_tw_reuse", "0"),
				); err != nil {
					return err
				}
				if _, err := b.child(n.router, "orders", arg("addr", routerClient+":8080"), arg("upstream", up.URL()), arg("pool", -1)); err != nil {
					return err
				}
				b.throughProxy(n, up, 250)
				b.run.Expect.Host, b.run.Expect.Resource = "proxy", "ephemeral-ports"
				return nil
			}, NeedRoot, "ip"),
		scenario("gateway", "upstream-rate-limit-policy", "gateway-rate-limit",
			"orders needs a payment service that resets what exceeds its rate limit", func(b *bench) error {
				rate := float64(b.whole(160, 260))
				c, err := b.child("", "api", arg("rate", rate), arg("work", "5ms"))
				if err != nil {
					return err
				}
				b.onset(rate, 0.2)
				return b.gateway(c, rate)
			}),
		scenario("memory", "upstream-memory-oom", "nginx-upstream-oom",
			"nginx answers 502 while the service behind it, which leaks, is killed for its cgroup's limit of memory and started again", func(b *bench) error {
				mib := b.whole(90, 130)
				dir, err := b.memoryCgroup(mib)
				if err != nil {
					return err
				}
				b.watchOOM(dir)
				n, err := b.network(false)
				if err != nil {
					return err
				}
				prefix := "lab-service"
				if len(b.env.Prefix) > 0 {
					prefix = b.env.Prefix[0]
				}
				// About 25 MiB are the supervisor's and the service's own.
				up, err := b.start(&Child{Name: "supervise", Netns: n.server, Cgroup: []string{dir}, Args: []string{
					arg("prefix", prefix), arg("addr", serverAddr+":8080"), arg("pause", b.millis(400, 700)),
					"api", arg("leak", (mib-25)<<20/b.whole(800, 1100)), arg("work", "20ms"),
				}})
				if err != nil {
					return err
				}
				if _, err := b.nginxSite(n.router, routerClient, site{backends: []*Child{up}, pool: "keepalive 64;"},
					"reset by peer", "Connection refused", "prematurely closed"); err != nil {
					return err
				}
				b.throughProxy(n, up, 230)
				b.run.Expect.Host, b.run.Expect.Resource = "upstream", "cgroup-memory"
				return b.watchKernel(n.server, "upstream")
			}, NeedRoot, "ip", "nginx"),
		scenario("instances", "upstream-application-abort", "nginx-no-live-upstreams",
			"two services behind nginx reset a share of requests, and with more of them nginx gives both services up for moments (max_fails, no live upstreams)", func(b *bench) error {
				n, err := b.network(true)
				if err != nil {
					return err
				}
				// Not both at once: they get the same number of requests.
				one, err := b.child(n.server, "api", arg("addr", serverAddr+":8080"), arg("work", "10ms"), arg("abort-every", b.whole(36, 45)))
				if err != nil {
					return err
				}
				two, err := b.child(n.standby, "api", arg("addr", standbyAddr+":8080"), arg("work", "10ms"), arg("abort-every", b.whole(50, 60)))
				if err != nil {
					return err
				}
				if _, err := b.nginxSite(n.router, routerClient, site{
					backends: []*Child{one, two}, member: "max_fails=4 fail_timeout=1s", pool: "keepalive 64;",
				}, "reset by peer", "no live upstreams"); err != nil {
					return err
				}
				b.target("orders", "http://"+routerClient+":8080", post("/orders", 600), "proxy", "upstream-1", "upstream-2")
				b.host("proxy", n.router, 8080)
				b.host("upstream-1", n.server, 8080)
				b.host("upstream-2", n.standby, 8080)
				b.rampTo(80, b.between(300, 380), 18*time.Second)
				return b.watchKernel(n.server, "upstream-1")
			}, NeedRoot, "ip", "nginx"),
		scenario("controls", "healthy", "healthy-retried-upstream",
			"one of two services behind nginx resets a share of its requests, and nginx asks the other one in time (proxy_next_upstream)", func(b *bench) error {
				n, err := b.network(true)
				if err != nil {
					return err
				}
				ill, err := b.child(n.server, "api", arg("addr", serverAddr+":8080"), arg("work", "8ms"), arg("abort-every", b.whole(25, 60)), "-retried")
				if err != nil {
					return err
				}
				well, err := b.child(n.standby, "api", arg("addr", standbyAddr+":8080"), arg("work", "8ms"))
				if err != nil {
					return err
				}
				if _, err := b.nginxSite(n.router, routerClient, site{backends: []*Child{ill, well}, pool: "keepalive 64;"}); err != nil {
					return err
				}
				b.target("orders", "http://"+routerClient+":8080", get("/orders"), "proxy", "upstream-1", "upstream-2")
				b.host("proxy", n.router, 8080)
				b.host("upstream-1", n.server, 8080)
				b.host("upstream-2", n.standby, 8080)
				b.rampTo(80, b.between(250, 350), 18*time.Second)
				return b.watchKernel(n.server, "upstream-1")
			}, NeedRoot, "ip", "nginx"),
	}
}
