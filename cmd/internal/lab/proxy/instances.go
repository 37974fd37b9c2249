package proxy

import (
	"fmt"
	"time"

	"github.com/rampload/rampload/cmd/internal/lab"
	"github.com/rampload/rampload/cmd/internal/lab/nginx"
	"github.com/rampload/rampload/cmd/internal/lab/services"
)

// instanceScenarios have two instances of a service, of which one is ill: behind
// nginx, or behind a balancer that only rewrites addresses.
func instanceScenarios() []lab.Scenario {
	scenario := lab.InNetwork()
	return []lab.Scenario{
		scenario("instances", "upstream-file-descriptors", "instance-descriptors",
			"one of two services behind nginx has a low limit of descriptors", func(b *lab.Bench) error {
				p := services.Payments{NoFile: uint64(b.Whole(90, 140)), Hold: b.Millis(100, 150), Growth: 0.2, Ledgers: 1}
				well := p
				well.NoFile = 4096
				b.Run.Expect.Resource = "open-files"
				return behindNginx(b, "payments", well.Args(), p.Args(), 2*p.OnsetLoad())
			}, "nginx"),
		scenario("instances", "upstream-application-abort", "instance-abort",
			"one of two services behind nginx resets a share of its requests", func(b *lab.Bench) error {
				work := lab.Arg("work", "10ms")
				return behindNginx(b, "api", []string{work}, []string{work, lab.Arg("abort-every", b.Whole(20, 50))}, 350)
			}, "nginx"),
		scenario("instances", "server-file-descriptors", "balancer-instance-descriptors",
			"one of two instances behind an address-rewriting balancer runs out of descriptors", func(b *lab.Bench) error {
				p := services.Payments{NoFile: uint64(b.Whole(90, 140)), Hold: b.Millis(100, 150), Growth: 0.2, Ledgers: 1}
				well := p
				well.NoFile = 4096
				b.Run.Expect.Resource = "open-files"
				return Balanced(b, "payments", well.Args(), p.Args(), 2*p.OnsetLoad())
			}),
		scenario("instances", "application-abort", "balancer-instance-abort",
			"one of two instances behind an address-rewriting balancer resets a share of its requests", func(b *lab.Bench) error {
				work := lab.Arg("work", "5ms")
				b.Run.Profile.Client.Connections = 0 // a pool would mostly use its last connections
				return Balanced(b, "api", []string{work}, []string{work, lab.Arg("abort-every", b.Whole(25, 60))}, 350)
			}),
		scenario("instances", "process-crash", "balancer-instance-down",
			"one of two instances behind an address-rewriting balancer dies and is not started again", func(b *lab.Bench) error {
				b.Run.Expect.Causes = []string{"ungraceful-restart", "worker-killed"}
				return Balanced(b, "api", []string{lab.Arg("work", "20ms")}, []string{"supervise", "-pause=5m", "api", lab.Arg("work", "20ms"), lab.Arg("crash-after", b.Millis(8000, 12000))}, 300)
			}),
		scenario("client-timeout", "client-timeout", "balancer-instance-slow",
			"one of two instances behind an address-rewriting balancer has too few workers and gets slow", func(b *lab.Bench) error {
				b.Run.Expect.Causes = []string{"server-threads", "server-cpu-shedding"}
				workers, work := b.Whole(5, 9), b.Millis(40, 60)
				b.Run.Profile.Client.Timeout = 500 * time.Millisecond
				b.Run.Profile.Client.Connections = 0
				return Balanced(b, "api", []string{lab.Arg("work", work)}, []string{lab.Arg("work", work), lab.Arg("workers", workers)}, 2*float64(workers)/work.Seconds())
			}),
	}
}

// pair starts a well and an ill instance in the server's and the standby's
// namespace, which is which is left to chance, and returns the ill one's number.
// An ill one whose first argument is "supervise" is supervised.
func pair(b *lab.Bench, n *lab.Network, service string, well, ill []string) ([2]*lab.Child, int, error) {
	bad := b.Whole(0, 1)
	var both [2]*lab.Child
	for i, at := range []struct{ netns, addr string }{{n.Server, lab.ServerAddr}, {n.Standby, lab.StandbyAddr}} {
		args, name, addr := well, service, []string{lab.Arg("addr", at.addr+":8080")}
		if i == bad {
			args = ill
		}
		var err error
		if args[0] == "supervise" {
			both[i], err = b.Supervised(at.netns, append(addr, args[1]), args[2], args[3:]...)
		} else {
			both[i], err = b.Child(at.netns, name, append(addr, args...)...)
		}
		if err != nil {
			return both, 0, err
		}
	}
	for role, netns := range map[string]string{"server": n.Server, "standby": n.Standby} {
		if err := b.WatchKernel(netns, role); err != nil {
			return both, 0, err
		}
	}
	return both, bad, nil
}

// behindNginx loads a pair through nginx on the router.
func behindNginx(b *lab.Bench, service string, well, ill []string, load float64) error {
	n, err := b.Network(true)
	if err != nil {
		return err
	}
	both, bad, err := pair(b, n, service, well, ill)
	if err != nil {
		return err
	}
	// A failure is passed on and not tried at the other instance.
	if _, err := nginx.StartSite(b, n.Router, lab.RouterClient, nginx.Site{Backends: both[:], Pool: "keepalive 128;", Location: "proxy_next_upstream off;"}); err != nil {
		return err
	}
	b.Target("orders", "http://"+lab.RouterClient+":8080", lab.Post("/orders", 2000), "proxy", "upstream-1", "upstream-2")
	b.Host("proxy", n.Router, 8080)
	b.Host("upstream-1", n.Server, 8080)
	b.Host("upstream-2", n.Standby, 8080)
	b.Run.Expect.Host = fmt.Sprintf("upstream-%d", bad+1)
	b.RampTo(0.3*load, 1.5*load, 18*time.Second)
	return nil
}

// Balanced loads a pair through rules of the router that give each connection to
// the one or the other in turn.
func Balanced(b *lab.Bench, service string, well, ill []string, load float64) error {
	n, err := b.Network(true)
	if err != nil {
		return err
	}
	_, bad, err := pair(b, n, service, well, ill)
	if err != nil {
		return err
	}
	if err := b.NFT(n.Router, fmt.Sprintf(`
table ip lab {
	chain c {
		type nat hook prerouting priority -100;
		ip daddr %s tcp dport 8080 dnat to numgen inc mod 2 map { 0 : %s, 1 : %s }
	}
}`, lab.VirtualAddr, lab.ServerAddr, lab.StandbyAddr)); err != nil {
		return err
	}
	b.Target("orders", "http://"+lab.VirtualAddr+":8080", lab.Post("/orders", 2000), "router", "orders-1", "orders-2")
	b.Host("router", n.Router)
	b.Host("orders-1", n.Server, 8080)
	b.Host("orders-2", n.Standby, 8080)
	b.Run.Expect.Host = fmt.Sprintf("orders-%d", bad+1)
	b.RampTo(0.3*load, 1.5*load, 18*time.Second)
	return nil
}
