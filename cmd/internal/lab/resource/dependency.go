package resource

import (
	"errors"
	"fmt"
	"time"

	"github.com/rampload/rampload/cmd/internal/lab"
	"github.com/rampload/rampload/cmd/internal/lab/nginx"
	"github.com/rampload/rampload/cmd/internal/lab/teach"
)

// dependencyScenarios are services that fail for what is behind them: its ports,
// its policy, its memory, and a proxy's own judgement of it.
func dependencyScenarios() []lab.Scenario {
	scenario := lab.Needing()
	return []lab.Scenario{
		scenario("proxy", "proxy-ephemeral-ports", "gateway-ports-time-wait",
			"orders opens a new connection to the service behind it for each request, and TIME_WAIT uses up its ephemeral ports", func(b *lab.Bench) error {
				n, up, err := b.Upstream("api", lab.Arg("work", b.Millis(20, 30)))
				if err != nil {
					return err
				}
				ports := b.Whole(1300, 1900)
				if err := errors.Join(
					b.Sysctl(n.Router, "net/ipv4/ip_local_port_range", fmt.Sprintf("20000 %d", 20000+ports-1)),
					b.Sysctl(n.Router, "net/ipv4/tcp_tw_reuse", "0"),
				); err != nil {
					return err
				}
				if _, err := b.Child(n.Router, "orders", lab.Arg("addr", lab.RouterClient+":8080"), lab.Arg("upstream", up.URL()), lab.Arg("pool", -1)); err != nil {
					return err
				}
				b.ThroughProxy(n, up, 250)
				b.Run.Expect.Host, b.Run.Expect.Resource = "proxy", "ephemeral-ports"
				return nil
			}, lab.NeedRoot, "ip"),
		scenario("gateway", "upstream-rate-limit-policy", "gateway-rate-limit",
			"orders needs a payment service that resets what exceeds its rate limit", func(b *lab.Bench) error {
				rate := float64(b.Whole(160, 260))
				c, err := b.Child("", "api", lab.Arg("rate", rate), lab.Arg("work", "5ms"))
				if err != nil {
					return err
				}
				b.Onset(rate, 0.2)
				return teach.Gateway(b, c, rate)
			}),
		scenario("memory", "upstream-memory-oom", "nginx-upstream-oom",
			"nginx answers 502 while the service behind it, which leaks, is killed for its cgroup's limit of memory and started again", func(b *lab.Bench) error {
				mib := b.Whole(90, 130)
				dir, err := b.MemoryCgroup(mib)
				if err != nil {
					return err
				}
				b.WatchOOM(dir)
				n, err := b.Network(false)
				if err != nil {
					return err
				}
				prefix := "lab-service"
				if len(b.Env.Prefix) > 0 {
					prefix = b.Env.Prefix[0]
				}
				// About 25 MiB are the supervisor's and the service's own.
				up, err := b.Start(&lab.Child{Name: "supervise", Netns: n.Server, Cgroup: []string{dir}, Args: []string{
					lab.Arg("prefix", prefix), lab.Arg("addr", lab.ServerAddr+":8080"), lab.Arg("pause", b.Millis(400, 700)),
					"api", lab.Arg("leak", (mib-25)<<20/b.Whole(800, 1100)), lab.Arg("work", "20ms"),
				}})
				if err != nil {
					return err
				}
				if _, err := nginx.StartSite(b, n.Router, lab.RouterClient, nginx.Site{Backends: []*lab.Child{up}, Pool: "keepalive 64;"},
					"reset by peer", "Connection refused", "prematurely closed"); err != nil {
					return err
				}
				b.ThroughProxy(n, up, 230)
				b.Run.Expect.Host, b.Run.Expect.Resource = "upstream", "cgroup-memory"
				return b.WatchKernel(n.Server, "upstream")
			}, lab.NeedRoot, "ip", "nginx"),
		scenario("instances", "upstream-application-abort", "nginx-no-live-upstreams",
			"two services behind nginx reset a share of requests, and with more of them nginx gives both services up for moments (max_fails, no live upstreams)", func(b *lab.Bench) error {
				n, err := b.Network(true)
				if err != nil {
					return err
				}
				// Not both at once: they get the same number of requests.
				one, err := b.Child(n.Server, "api", lab.Arg("addr", lab.ServerAddr+":8080"), lab.Arg("work", "10ms"), lab.Arg("abort-every", b.Whole(36, 45)))
				if err != nil {
					return err
				}
				two, err := b.Child(n.Standby, "api", lab.Arg("addr", lab.StandbyAddr+":8080"), lab.Arg("work", "10ms"), lab.Arg("abort-every", b.Whole(50, 60)))
				if err != nil {
					return err
				}
				if _, err := nginx.StartSite(b, n.Router, lab.RouterClient, nginx.Site{
					Backends: []*lab.Child{one, two}, Member: "max_fails=4 fail_timeout=1s", Pool: "keepalive 64;",
				}, "reset by peer", "no live upstreams"); err != nil {
					return err
				}
				b.Target("orders", "http://"+lab.RouterClient+":8080", lab.Post("/orders", 600), "proxy", "upstream-1", "upstream-2")
				b.Host("proxy", n.Router, 8080)
				b.Host("upstream-1", n.Server, 8080)
				b.Host("upstream-2", n.Standby, 8080)
				b.RampTo(80, b.Between(300, 380), 18*time.Second)
				return b.WatchKernel(n.Server, "upstream-1")
			}, lab.NeedRoot, "ip", "nginx"),
		scenario("upstream", "slow-dependency", "nginx-slow-dependency",
			"the last of three services answers later and later under load, and nginx gives up on the middle one, which only waits for it", func(b *lab.Bench) error {
				slots, work := b.Whole(6, 10), b.Millis(60, 90)
				b.Run.Expect.Causes = []string{"upstream-pool-exhausted", "upstream-threads"} // more places would empty its queue
				n, err := b.Network(true)
				if err != nil {
					return err
				}
				last, err := b.Child(n.Standby, "web", lab.Arg("addr", lab.StandbyAddr+":8080"), lab.Arg("work", work), lab.Arg("slots", slots))
				if err != nil {
					return err
				}
				middle, err := b.Child(n.Server, "web", lab.Arg("addr", lab.ServerAddr+":8080"), lab.Arg("pool", 400), lab.Arg("pool-wait", "10s"), lab.Arg("database", last.URL()))
				if err != nil {
					return err
				}
				if _, err := nginx.StartSite(b, n.Router, lab.RouterClient, nginx.Site{
					Backends: []*lab.Child{middle}, Pool: "keepalive 64;", Location: "proxy_read_timeout 900ms; proxy_next_upstream off;",
				}, "upstream timed out"); err != nil {
					return err
				}
				rate := float64(slots) / work.Seconds()
				b.Target("orders", "http://"+lab.RouterClient+":8080", lab.Get("/orders"), "proxy", "middle", "last")
				b.Host("proxy", n.Router)
				b.Host("middle", n.Server)
				b.Host("last", n.Standby)
				b.RampTo(0.3*rate, 1.5*rate, 18*time.Second)
				b.Run.Expect.Host = "last"
				return b.WatchKernel(n.Standby, "last")
			}, lab.NeedRoot, "ip", "nginx"),
		scenario("controls", "healthy", "healthy-retried-upstream",
			"one of two services behind nginx resets a share of its requests, and nginx asks the other one in time (proxy_next_upstream)", func(b *lab.Bench) error {
				n, err := b.Network(true)
				if err != nil {
					return err
				}
				ill, err := b.Child(n.Server, "api", lab.Arg("addr", lab.ServerAddr+":8080"), lab.Arg("work", "8ms"), lab.Arg("abort-every", b.Whole(25, 60)), "-retried")
				if err != nil {
					return err
				}
				well, err := b.Child(n.Standby, "api", lab.Arg("addr", lab.StandbyAddr+":8080"), lab.Arg("work", "8ms"))
				if err != nil {
					return err
				}
				if _, err := nginx.StartSite(b, n.Router, lab.RouterClient, nginx.Site{Backends: []*lab.Child{ill, well}, Pool: "keepalive 64;"}); err != nil {
					return err
				}
				b.Target("orders", "http://"+lab.RouterClient+":8080", lab.Get("/orders"), "proxy", "upstream-1", "upstream-2")
				b.Host("proxy", n.Router, 8080)
				b.Host("upstream-1", n.Server, 8080)
				b.Host("upstream-2", n.Standby, 8080)
				b.RampTo(80, b.Between(250, 350), 18*time.Second)
				return b.WatchKernel(n.Server, "upstream-1")
			}, lab.NeedRoot, "ip", "nginx"),
	}
}
