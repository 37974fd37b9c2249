package lab

import (
	"context"
	"time"
)

// NetworkService builds a network and starts a service on port 8080 of its server.
func (b *Bench) NetworkService(service string, args ...string) (*Network, *Child, error) {
	n, err := b.Network(false)
	if err != nil {
		return nil, nil, err
	}
	c, err := b.Child(n.Server, service, append([]string{Arg("addr", ServerAddr+":8080")}, args...)...)
	return n, c, err
}

// Upstream starts a service on the server; a proxy on the router follows.
func (b *Bench) Upstream(service string, args ...string) (*Network, *Child, error) {
	n, c, err := b.NetworkService(service, args...)
	if err != nil {
		return nil, nil, err
	}
	return n, c, b.WatchKernel(n.Server, "upstream")
}

// Interrupt takes the path away at the router some times under traffic, each time
// for a while, as two calls of ip say.
func (b *Bench) Interrupt(n *Network, times int, every, length time.Duration, away, back []string) error {
	return b.OnTraffic(n.Server, func(ctx context.Context) error {
		for range times {
			if !Wait(ctx, every) {
				break
			}
			if err := b.IP(n.Router, away...); err != nil {
				return err
			}
			b.Tally.Harm("outages")
			Wait(ctx, length)
			if err := b.IP(n.Router, back...); err != nil {
				return err
			}
		}
		return nil
	})
}

// NowAndThen does something a number of times, begun by traffic.
func (b *Bench) NowAndThen(n *Network, times int, every time.Duration, do func()) error {
	first := b.Millis(3000, 5000)
	return b.OnTraffic(n.Server, func(ctx context.Context) error {
		for next := first; times > 0 && Wait(ctx, next); next = every {
			do()
			times--
		}
		return nil
	})
}

// Delay delays what the client sends by a device that a process reads: the path
// gets longer without a kernel module.
func (b *Bench) Delay(n *Network, by time.Duration) error {
	if _, err := b.Child(n.Router, "delay", Arg("by", by), Arg("device", "lag")); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"link", "set", "lag", "up"},
		{"route", "add", "default", "dev", "lag", "table", "100"},
		{"rule", "add", "iif", "to-client", "to", ServerAddr, "lookup", "100"},
	} {
		if err := b.IP(n.Router, args...); err != nil {
			return err
		}
	}
	return nil
}
