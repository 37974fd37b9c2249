package lab

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"
)

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

// Answers waits until something listens in a namespace.
func (b *Bench) Answers(netns string, addr netip.Addr, port uint16) error {
	to := netip.AddrPortFrom(addr, port).String()
	var err error
	for range 100 {
		err = inNetns(netns, func() error {
			// DialTCP stays on this thread, and so in the namespace.
			c, err := net.DialTCP("tcp", nil, net.TCPAddrFromAddrPort(netip.AddrPortFrom(addr, port)))
			if err == nil {
				c.Close()
			}
			return err
		})
		if err == nil || !Wait(b.Ctx, 50*time.Millisecond) {
			return err
		}
	}
	return fmt.Errorf("wait for %s: %w", to, err)
}

// WatchLog follows lines that a log in Dir gets from now on: those that hold one
// of the texts are harm under that text.
func (b *Bench) WatchLog(file string, texts ...string) {
	last := make(map[string]int64)
	look := func(note bool) {
		raw, err := os.ReadFile(filepath.Join(b.Env.Dir, file))
		if err != nil {
			return
		}
		for _, text := range texts {
			n := int64(strings.Count(string(raw), text))
			if note {
				b.Tally.HarmBy("log: "+text, n-last[text])
			}
			last[text] = n
		}
	}
	look(false)
	b.Watch(func() { look(true) }, 200*time.Millisecond)
}
