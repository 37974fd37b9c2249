package lab

import (
	"fmt"
	"time"

	"github.com/rampload/rampload/profiles"
)

// lookalikeScenarios are healthy and look like faults.
func lookalikeScenarios() []Scenario {
	scenario := func(name, about string, fill func(*bench) error, needs ...Need) Scenario {
		return needing()("controls", "healthy", name, about, fill, needs...)
	}
	return []Scenario{
		scenario("healthy-idle-close", "a server closes idle connections long before the client's next burst", func(b *bench) error {
			c, err := b.child("", "api", arg("idle", b.millis(200, 300)), arg("work", "5ms"))
			if err != nil {
				return err
			}
			b.simple(c, "orders", post("/orders", 400))
			b.bursts(b.whole(30, 60), 1200*time.Millisecond, 200*time.Millisecond, 20*time.Second)
			return nil
		}),
		scenario("healthy-pauses", "a server stands still now and then and answers all who wait", func(b *bench) error {
			c, err := b.child("", "web", arg("work", "5ms"), arg("stop-every", b.millis(2500, 3500)), arg("stop-for", b.millis(400, 700)))
			if err != nil {
				return err
			}
			b.simple(c, "orders", post("/orders", 400))
			b.run.Profile.Client.Timeout = 5 * time.Second
			b.rampTo(80, b.between(250, 350), 18*time.Second)
			return nil
		}),
		scenario("healthy-held-connections", "a growing number of held connections, all of them served", func(b *bench) error {
			c, err := b.child("", "web", arg("work", "5ms"))
			if err != nil {
				return err
			}
			b.simple(c, "orders", get("/orders"))
			b.run.Profile.Client.PerConnection = 2
			b.run.Profile.Load = []profiles.Stage{{Kind: profiles.Connections, FromConns: 20, ToConns: b.whole(150, 220), For: 20 * time.Second}}
			return nil
		}),
		scenario("healthy-wait-pool", "a service's pool of database connections is too small and its callers wait for it patiently", func(b *bench) error {
			if err := b.databasePool("503"); err != nil {
				return err
			}
			b.run.Expect = Expect{}
			p := &b.run.Profile
			load := p.Load[len(p.Load)-1].From / 1.4
			b.rampTo(0.4*load, 0.9*load, 18*time.Second)
			return nil
		}),
		scenario("healthy-retransmissions", "a link with a short queue drops packets all the time, and TCP makes up for it", func(b *bench) error {
			n, c, err := b.networkService("api", arg("work", "5ms"), arg("size", 40_000))
			if err != nil {
				return err
			}
			mbit := b.whole(40, 60)
			if err := b.in(n.router, "tc", "qdisc", "add", "dev", "to-client", "root", "tbf", "rate", fmt.Sprintf("%dmbit", mbit), "burst", "16kb", "limit", "24kb"); err != nil {
				return err
			}
			b.remote(c, "orders", get("/orders"), n)
			b.run.Profile.Client.Timeout = 15 * time.Second
			load := float64(mbit) * 1e6 / 8 / 40_000
			b.rampTo(0.2*load, 0.7*load, 18*time.Second)
			return b.watchKernel(n.server, "server")
		}, NeedRoot, "ip", "nft"),
		scenario("healthy-http2-goaway", "nginx ends HTTP/2 connections after a number of requests, gracefully", func(b *bench) error {
			n, err := b.nginxOrigin(site{listen: "http2", server: fmt.Sprintf("keepalive_requests %d;", b.whole(300, 600))}, 0)
			if err != nil {
				return err
			}
			b.run.Profile.Targets[0].Requests = get("/orders")
			b.run.Profile.Client.Protocol = profiles.ProtocolH2C
			b.rampTo(100, b.between(350, 450), 18*time.Second)
			return b.watchKernel(n.server, "server")
		}, NeedRoot, "ip", "nft", "nginx"),
		scenario("healthy-balancer", "two well instances behind an address-rewriting balancer, one of them slower", func(b *bench) error {
			if err := b.balanced("api", []string{arg("work", "10ms")}, []string{arg("work", b.millis(60, 120))}, 250); err != nil {
				return err
			}
			b.run.Expect = Expect{}
			return nil
		}, NeedRoot, "ip", "nft"),
	}
}
