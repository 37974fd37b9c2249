package network

import (
	"context"
	"errors"
	"time"

	"github.com/rampload/rampload/cmd/internal/lab"
)

// conflictScenarios give the server's address to another machine of its network.
func conflictScenarios() []lab.Scenario {
	scenario := lab.InNetwork()
	return []lab.Scenario{
		scenario("address-conflict", "address-conflict", "address-conflict",
			"another machine has the server's address and announces it now and then, as the server does; nothing listens there", func(b *lab.Bench) error {
				return conflict(b, false)
			}),
		scenario("address-conflict", "address-conflict", "address-conflict-served",
			"another machine has the server's address and announces it now and then; another service answers there", func(b *lab.Bench) error {
				return conflict(b, true)
			}),
	}
}

// conflict starts a machine with the server's address on the server's network. Each of the
// two announces it in turn (ARP), and has it until the other does.
func conflict(b *lab.Bench, served bool) error {
	n, c, err := b.NetworkService("api", lab.Arg("work", "4ms"))
	if err != nil {
		return err
	}
	twin, err := b.Twin(n)
	if err != nil {
		return err
	}
	if served {
		if _, err := b.Child(twin, "web", lab.Arg("addr", lab.ServerAddr+":8080")); err != nil {
			return err
		}
	}
	b.Remote(c, "orders", lab.Post("/orders", 400), n)
	b.RampTo(100, b.Between(250, 350), 20*time.Second)
	if err := errors.Join(b.WatchKernel(n.Server, "server"), b.WatchKernel(twin, "twin")); err != nil {
		return err
	}
	first, has, rests := b.Millis(6000, 9000), b.Millis(1500, 2500), b.Millis(3000, 5000)
	return b.OnTraffic(n.Server, func(ctx context.Context) error {
		if err := b.StartTwin(twin); err != nil {
			return err
		}
		for next := first; lab.Wait(ctx, next); next = rests {
			b.Tally.Harm("taken")
			if err := b.Announce(twin); err != nil {
				return err
			}
			if !lab.Wait(ctx, has) {
				break
			}
			// The server announces itself as it renews its lease.
			if err := b.Announce(n.Server); err != nil {
				return err
			}
		}
		return nil
	})
}
