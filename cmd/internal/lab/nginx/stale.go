package nginx

import (
	"context"
	"errors"
	"time"

	"github.com/rampload/rampload/cmd/internal/lab"
)

// staleScenarios move a service to another address while nginx, which looked it up at its
// start, goes on asking the old one.
func staleScenarios() []lab.Scenario {
	scenario := lab.InNetwork("nginx")
	return []lab.Scenario{
		scenario("stale-address", "stale-address", "stale-address-other",
			"a service moves to another address, and another machine, with another service, gets its old one; nginx goes on asking that", func(b *lab.Bench) error {
				return stale(b, func(twin string) error {
					_, err := b.Program(twin, nil, "python3", "-m", "http.server", "8080")
					return err
				})
			}, "python3"),
		scenario("stale-address", "stale-address", "stale-address-refused",
			"a service moves to another address, and a machine where nothing listens gets its old one; nginx goes on asking that", func(b *lab.Bench) error {
				return stale(b, func(string) error { return nil })
			}),
	}
}

// stale moves the service some seconds into the load; serve starts what answers at its old
// address.
func stale(b *lab.Bench, serve func(twin string) error) error {
	n, err := b.Network(false)
	if err != nil {
		return err
	}
	twin, err := b.Twin(n)
	if err != nil {
		return err
	}
	api, err := b.Child(n.Server, "api", lab.Arg("addr", "0.0.0.0:8080"), lab.Arg("work", b.Millis(3, 8)))
	if err != nil {
		return err
	}
	if err := serve(twin); err != nil {
		return err
	}
	if _, err := StartSite(b, n.Router, lab.RouterClient, Site{Location: "proxy_pass http://" + lab.ServerAddr + ":8080;"}); err != nil {
		return err
	}
	b.Target("orders", "http://"+lab.RouterClient+":8080", lab.Get("/orders"), "proxy", "upstream")
	b.Host("proxy", n.Router, 8080)
	b.Host("upstream", n.Server, api.Addr().Port())
	b.RampTo(60, b.Between(160, 220), 18*time.Second)
	if err := errors.Join(b.WatchKernel(n.Router, "proxy"), b.WatchKernel(n.Server, "server")); err != nil {
		return err
	}
	after := b.Millis(7000, 10000)
	return b.OnTraffic(n.Server, func(ctx context.Context) error {
		if !lab.Wait(ctx, after) {
			return nil
		}
		b.Tally.Harm("moved")
		if err := errors.Join(b.Move(n), b.StartTwin(twin)); err != nil {
			return err
		}
		lab.Wait(ctx, 1500*time.Millisecond)
		return b.Announce(twin)
	})
}
