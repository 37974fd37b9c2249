package application

import (
	"fmt"
	"time"

	"github.com/rampload/rampload/cmd/internal/lab"
	"github.com/rampload/rampload/cmd/internal/lab/nginx"
	"github.com/rampload/rampload/cmd/internal/lab/proxy"
	"github.com/rampload/rampload/profiles"
)

// lookalikeScenarios are healthy and look like faults.
func lookalikeScenarios() []lab.Scenario {
	scenario := func(name, about string, fill func(*lab.Bench) error, needs ...lab.Need) lab.Scenario {
		return lab.Needing()("controls", "healthy", name, about, fill, needs...)
	}
	return []lab.Scenario{
		scenario("healthy-idle-close", "a server closes idle connections long before the client's next burst", func(b *lab.Bench) error {
			c, err := b.Child("", "api", lab.Arg("idle", b.Millis(200, 300)), lab.Arg("work", "5ms"))
			if err != nil {
				return err
			}
			b.Simple(c, "orders", lab.Post("/orders", 400))
			b.Bursts(b.Whole(30, 60), 1200*time.Millisecond, 200*time.Millisecond, 20*time.Second)
			return nil
		}),
		scenario("healthy-pauses", "a server stands still now and then and answers all who wait", func(b *lab.Bench) error {
			c, err := b.Child("", "web", lab.Arg("work", "5ms"), lab.Arg("stop-every", b.Millis(2500, 3500)), lab.Arg("stop-for", b.Millis(400, 700)))
			if err != nil {
				return err
			}
			b.Simple(c, "orders", lab.Post("/orders", 400))
			b.Run.Profile.Client.Timeout = 5 * time.Second
			b.Run.Expect.Causes = []string{"process-paused"} // nothing fails, and it is degraded
			b.RampTo(80, b.Between(250, 350), 18*time.Second)
			return nil
		}),
		scenario("healthy-held-connections", "a growing number of held connections, all of them served", func(b *lab.Bench) error {
			c, err := b.Child("", "web", lab.Arg("work", "5ms"))
			if err != nil {
				return err
			}
			b.Simple(c, "orders", lab.Get("/orders"))
			b.Run.Profile.Client.PerConnection = 2
			b.Run.Profile.Load = profiles.Load{profiles.Connections{From: 20, To: b.Whole(150, 220), For: 20 * time.Second}}
			return nil
		}),
		scenario("healthy-wait-pool", "a service's pool of database connections is too small and its callers wait for it patiently", func(b *lab.Bench) error {
			if err := databasePool(b, "503"); err != nil {
				return err
			}
			b.Run.Expect = lab.Expect{}
			p := &b.Run.Profile
			most, _ := p.MaxRate()
			load := most / 1.4
			b.RampTo(0.4*load, 0.9*load, 18*time.Second)
			return nil
		}),
		scenario("healthy-retransmissions", "a link with a short queue drops packets all the time, and TCP makes up for it", func(b *lab.Bench) error {
			n, c, err := b.NetworkService("api", lab.Arg("work", "5ms"), lab.Arg("size", 40_000))
			if err != nil {
				return err
			}
			mbit := b.Whole(40, 60)
			if err := b.In(n.Router, "tc", "qdisc", "add", "dev", "to-client", "root", "tbf", "rate", fmt.Sprintf("%dmbit", mbit), "burst", "16kb", "limit", "24kb"); err != nil {
				return err
			}
			b.Remote(c, "orders", lab.Get("/orders"), n)
			b.Run.Profile.Client.Timeout = 15 * time.Second
			b.Run.Expect.Causes = []string{"degraded", "packet-loss"} // nothing fails, and what is sent again is late
			load := float64(mbit) * 1e6 / 8 / 40_000
			b.RampTo(0.2*load, 0.7*load, 18*time.Second)
			return b.WatchKernel(n.Server, "server")
		}, lab.NeedRoot, "ip", "nft"),
		scenario("healthy-http2-goaway", "nginx ends HTTP/2 connections after a number of requests, gracefully", func(b *lab.Bench) error {
			n, err := nginx.StartOrigin(b, nginx.Site{Listen: "http2", Server: fmt.Sprintf("keepalive_requests %d;", b.Whole(300, 600))}, 0)
			if err != nil {
				return err
			}
			b.Run.Profile.Targets[0].Requests = lab.Get("/orders")
			b.Run.Profile.Client.Protocol = profiles.ProtocolH2C
			b.RampTo(100, b.Between(350, 450), 18*time.Second)
			return b.WatchKernel(n.Server, "server")
		}, lab.NeedRoot, "ip", "nft", "nginx"),
		scenario("healthy-balancer", "two well instances behind an address-rewriting balancer, one of them slower", func(b *lab.Bench) error {
			if err := proxy.Balanced(b, "api", []string{lab.Arg("work", "10ms")}, []string{lab.Arg("work", b.Millis(60, 120))}, 250); err != nil {
				return err
			}
			b.Run.Expect = lab.Expect{}
			return nil
		}, lab.NeedRoot, "ip", "nft"),
	}
}
