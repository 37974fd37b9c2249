package lab

import (
	"fmt"
	"time"
)

// instanceScenarios have two instances of a service, of which one is ill: behind
// nginx, or behind a balancer that only rewrites addresses.
func instanceScenarios() []Scenario {
	scenario := inNetwork()
	return []Scenario{
		scenario("instances", "upstream-file-descriptors", "instance-descriptors",
			"one of two services behind nginx has a low limit of descriptors", func(b *bench) error {
				p := Payments{NoFile: uint64(b.whole(90, 140)), Hold: b.millis(100, 150), Growth: 0.2, Ledgers: 1}
				well := p
				well.NoFile = 4096
				b.run.Expect.Resource = "open-files"
				return b.behindNginx("payments", well.Args(), p.Args(), 2*p.OnsetLoad())
			}, "nginx"),
		scenario("instances", "upstream-application-abort", "instance-abort",
			"one of two services behind nginx resets a share of its requests", func(b *bench) error {
				work := arg("work", "10ms")
				return b.behindNginx("api", []string{work}, []string{work, arg("abort-every", b.whole(20, 50))}, 350)
			}, "nginx"),
		scenario("instances", "server-file-descriptors", "balancer-instance-descriptors",
			"one of two instances behind an address-rewriting balancer runs out of descriptors", func(b *bench) error {
				p := Payments{NoFile: uint64(b.whole(90, 140)), Hold: b.millis(100, 150), Growth: 0.2, Ledgers: 1}
				well := p
				well.NoFile = 4096
				b.run.Expect.Resource = "open-files"
				return b.balanced("payments", well.Args(), p.Args(), 2*p.OnsetLoad())
			}),
		scenario("instances", "application-abort", "balancer-instance-abort",
			"one of two instances behind an address-rewriting balancer resets a share of its requests", func(b *bench) error {
				work := arg("work", "5ms")
				b.run.Profile.Client.Connections = 0 // a pool would mostly use its last connections
				return b.balanced("api", []string{work}, []string{work, arg("abort-every", b.whole(25, 60))}, 350)
			}),
		scenario("instances", "process-crash", "balancer-instance-down",
			"one of two instances behind an address-rewriting balancer dies and is not started again", func(b *bench) error {
				b.run.Expect.Causes = []string{"ungraceful-restart", "worker-killed"}
				return b.balanced("api", []string{arg("work", "20ms")}, []string{"supervise", "-pause=5m", "api", arg("work", "20ms"), arg("crash-after", b.millis(8000, 12000))}, 300)
			}),
		scenario("client-timeout", "client-timeout", "balancer-instance-slow",
			"one of two instances behind an address-rewriting balancer has too few workers and gets slow", func(b *bench) error {
				b.run.Expect.Causes = []string{"server-threads", "server-cpu-shedding"}
				workers, work := b.whole(5, 9), b.millis(40, 60)
				b.run.Profile.Client.Timeout = 500 * time.Millisecond
				b.run.Profile.Client.Connections = 0
				return b.balanced("api", []string{arg("work", work)}, []string{arg("work", work), arg("workers", workers)}, 2*float64(workers)/work.Seconds())
			}),
	}
}

// pair starts a well and an ill instance in the server's and the standby's
// namespace, which is which is left to chance, and returns the ill one's number.
// An ill one whose first argument is "supervise" is supervised.
func (b *bench) pair(n *network, service string, well, ill []string) ([2]*Child, int, error) {
	bad := b.whole(0, 1)
	var both [2]*Child
	for i, at := range []struct{ netns, addr string }{{n.server, serverAddr}, {n.standby, standbyAddr}} {
		args, name, addr := well, service, []string{arg("addr", at.addr+":8080")}
		if i == bad {
			args = ill
		}
		var err error
		if args[0] == "supervise" {
			both[i], err = b.supervised(at.netns, append(addr, args[1]), args[2], args[3:]...)
		} else {
			both[i], err = b.child(at.netns, name, append(addr, args...)...)
		}
		if err != nil {
			return both, 0, err
		}
	}
	for role, netns := range map[string]string{"server": n.server, "standby": n.standby} {
		if err := b.watchKernel(netns, role); err != nil {
			return both, 0, err
		}
	}
	return both, bad, nil
}

// behindNginx loads a pair through nginx on the router.
func (b *bench) behindNginx(service string, well, ill []string, load float64) error {
	n, err := b.network(true)
	if err != nil {
		return err
	}
	both, bad, err := b.pair(n, service, well, ill)
	if err != nil {
		return err
	}
	// A failure is passed on and not tried at the other instance.
	if _, err := b.nginxSite(n.router, routerClient, site{backends: both[:], pool: "keepalive 128;", location: "proxy_next_upstream off;"}); err != nil {
		return err
	}
	b.target("orders", "http://"+routerClient+":8080", post("/orders", 2000), "proxy", "upstream-1", "upstream-2")
	b.host("proxy", n.router, 8080)
	b.host("upstream-1", n.server, 8080)
	b.host("upstream-2", n.standby, 8080)
	b.run.Expect.Host = fmt.Sprintf("upstream-%d", bad+1)
	b.rampTo(0.3*load, 1.5*load, 18*time.Second)
	return nil
}

// balanced loads a pair through rules of the router that give each connection to
// the one or the other in turn.
func (b *bench) balanced(service string, well, ill []string, load float64) error {
	n, err := b.network(true)
	if err != nil {
		return err
	}
	_, bad, err := b.pair(n, service, well, ill)
	if err != nil {
		return err
	}
	if err := b.nft(n.router, fmt.Sprintf(`
table ip lab {
	chain c {
		type nat hook prerouting priority -100;
		ip daddr %s tcp dport 8080 dnat to numgen inc mod 2 map { 0 : %s, 1 : %s }
	}
}`, virtualAddr, serverAddr, standbyAddr)); err != nil {
		return err
	}
	b.target("orders", "http://"+virtualAddr+":8080", post("/orders", 2000), "router", "orders-1", "orders-2")
	b.host("router", n.router)
	b.host("orders-1", n.server, 8080)
	b.host("orders-2", n.standby, 8080)
	b.run.Expect.Host = fmt.Sprintf("orders-%d", bad+1)
	b.rampTo(0.3*load, 1.5*load, 18*time.Second)
	return nil
}
