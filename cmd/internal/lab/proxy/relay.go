package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"time"

	"github.com/rampload/rampload/cmd/internal/lab"
	"github.com/rampload/rampload/cmd/internal/lab/haproxy"
	"github.com/rampload/rampload/cmd/internal/lab/nginx"
	"github.com/rampload/rampload/profiles"
)

// relayScenarios are timeouts of nginx and haproxy towards slow sides, and what
// looks like trouble before a service and is none.
func relayScenarios() []lab.Scenario {
	scenario := func(family, cause, name, about string, program lab.Need, fill func(*lab.Bench) error, needs ...lab.Need) lab.Scenario {
		return lab.InNetwork(program)(family, cause, name, about, fill, needs...)
	}
	return []lab.Scenario{
		scenario("upstream", "upstream-listen-backlog", "nginx-connect-timeout",
			"nginx answers 504 because the accept queue of the service behind it is full (proxy_connect_timeout)", "nginx", func(b *lab.Bench) error {
				gap := b.Millis(4, 6)
				n, up, err := b.NetworkService("api", lab.Arg("backlog", b.Whole(8, 16)), lab.Arg("accept-gap", gap))
				if err != nil {
					return err
				}
				if _, err := nginx.StartSite(b, n.Router, lab.RouterClient, nginx.Site{
					Backends: []*lab.Child{up}, Location: fmt.Sprintf("proxy_connect_timeout %dms; proxy_read_timeout 800ms; proxy_next_upstream off;", b.Whole(300, 500)),
				}, "upstream timed out"); err != nil {
					return err
				}
				b.ThroughProxy(n, up, 1/gap.Seconds())
				b.Onset(1/gap.Seconds(), 0.3)
				b.Run.Expect.Host, b.Run.Expect.Resource = "upstream", "listen-queue"
				return b.WatchKernel(n.Server, "upstream", "ListenOverflows")
			}),
		scenario("upstream", "upstream-client-timeout", "nginx-read-timeout-share",
			"a constant share of requests takes the service behind nginx longer than nginx waits (proxy_read_timeout)", "nginx", func(b *lab.Bench) error {
				b.Run.Expect.Causes = []string{"client-timeout", "slow-dependency"}
				n, up, err := b.Upstream("web", lab.Arg("work", "8ms"), lab.Arg("slow-every", b.Whole(25, 60)), lab.Arg("slow-for", "1500ms"))
				if err != nil {
					return err
				}
				if _, err := nginx.StartSite(b, n.Router, lab.RouterClient, nginx.Site{
					Backends: []*lab.Child{up}, Pool: "keepalive 64;", Location: fmt.Sprintf("proxy_read_timeout %dms; proxy_next_upstream off;", b.Whole(300, 600)),
				}, "upstream timed out"); err != nil {
					return err
				}
				b.ThroughProxy(n, up, 250)
				return nil
			}),
		scenario("bandwidth", "bandwidth-send-timeout", "haproxy-slow-upload",
			"a full link makes uploads slow and haproxy answers 408 (timeout http-request)", "haproxy", func(b *lab.Bench) error {
				// The catalogue's key is for responses; the link's queue drops as well.
				b.Run.Expect.Causes = []string{"packet-loss"}
				size, mbit := b.Whole(80_000, 120_000), b.Whole(10, 16)
				n, up, err := b.Upstream("api", lab.Arg("work", "2ms"))
				if err != nil {
					return err
				}
				if _, err := haproxy.StartBalancer(b, n.Router, lab.RouterClient, haproxy.Balancer{
					Global:   "tune.bufsize 262144", // the whole request is waited for
					Defaults: fmt.Sprintf("option http-buffer-request\n\ttimeout http-request %d", b.Whole(500, 700)),
					Servers:  []*lab.Child{up},
				}, " cR-- "); err != nil {
					return err
				}
				if err := b.In(n.Client, "tc", "qdisc", "add", "dev", "uplink", "root", "tbf", "rate", fmt.Sprintf("%dmbit", mbit), "burst", "32kb", "limit", "300kb"); err != nil {
					return err
				}
				load := float64(mbit) * 1e6 / 8 / float64(size)
				b.ThroughProxy(n, up, load)
				b.Run.Profile.Targets[0].Requests = lab.Post("/documents", size)
				b.Run.Profile.Client.Timeout = 8 * time.Second
				return nil
			}, "tc"),
		scenario("controls", "healthy", "healthy-not-found",
			"a good share of requests asks for what is not there, and 404 is the right answer", "nginx", func(b *lab.Bench) error {
				n, err := nginx.StartOrigin(b, nginx.Site{Server: "location /items/ { return 404; }"}, b.Millis(5, 15))
				if err != nil {
					return err
				}
				t := &b.Run.Profile.Targets[0]
				t.Requests = lab.Mixed(lab.Get("/orders"), lab.Get("/items/17"), b.Between(0.1, 0.3))
				t.Expect = profiles.StatusSet{{Low: 200, High: 299}, {Low: 404, High: 404}}
				b.RampTo(100, b.Between(350, 450), 18*time.Second)
				return b.WatchKernel(n.Server, "server")
			}),
		scenario("controls", "healthy", "healthy-rolling-restart",
			"two instances behind haproxy are drained, ended and started again in turn", "haproxy", func(b *lab.Bench) error { return rollingRestart(b) }),
	}
}

// rollingRestart replaces two instances behind haproxy in turn: each is taken out
// of service, ends what it has, and comes back.
func rollingRestart(b *lab.Bench) error {
	n, err := b.Network(true)
	if err != nil {
		return err
	}
	places := [2]struct{ netns, addr string }{{n.Server, lab.ServerAddr}, {n.Standby, lab.StandbyAddr}}
	work := lab.Arg("work", b.Millis(20, 40))
	var instances [2]*lab.Child
	for i, at := range places {
		if instances[i], err = b.Child(at.netns, "api", lab.Arg("addr", at.addr+":8080"), work); err != nil {
			return err
		}
	}
	admin := filepath.Join(b.Env.Dir, "admin.sock")
	if _, err := haproxy.StartBalancer(b, n.Router, lab.RouterClient, haproxy.Balancer{
		Global: fmt.Sprintf("stats socket %s mode 600 level admin", admin), Servers: instances[:],
	}); err != nil {
		return err
	}
	b.Target("orders", "http://"+lab.RouterClient+":8080", lab.Post("/orders", 600), "proxy", "upstream-1", "upstream-2")
	b.Host("proxy", n.Router, 8080)
	b.Host("upstream-1", n.Server, 8080)
	b.Host("upstream-2", n.Standby, 8080)
	b.RampTo(80, b.Between(250, 350), 18*time.Second)
	first, every := b.Millis(3000, 4000), b.Millis(2500, 3500)
	return b.OnTraffic(n.Router, func(ctx context.Context) error {
		for i, rest := 0, first; i < 4 && lab.Wait(ctx, rest); i, rest = i+1, every {
			number, at := i%2+1, places[i%2]
			err := tellBalancer(admin, fmt.Sprintf("set server back/upstream%d state maint", number))
			if err == nil && !lab.Wait(ctx, time.Second) {
				return nil
			}
			if err == nil {
				_, err = instances[i%2].Stop()
			}
			if err == nil {
				instances[i%2], err = b.Child(at.netns, "api", lab.Arg("addr", at.addr+":8080"), work)
			}
			if ctx.Err() != nil {
				return nil
			}
			err = errors.Join(err, tellBalancer(admin, fmt.Sprintf("set server back/upstream%d state ready", number)))
			if err != nil {
				return err
			}
			b.Tally.Count("restarts")
		}
		return nil
	})
}

// tellBalancer gives haproxy an order (its management guide, "Unix Socket commands").
func tellBalancer(socket, order string) error {
	c, err := net.DialTimeout("unix", socket, time.Second)
	if err != nil {
		return fmt.Errorf("tell haproxy: %w", err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Second))
	if _, err := fmt.Fprintln(c, order); err != nil {
		return fmt.Errorf("tell haproxy: %w", err)
	}
	// An order that was carried out is answered by an empty line.
	answer := make([]byte, 200)
	k, _ := c.Read(answer)
	if k > 1 {
		return fmt.Errorf("tell haproxy %q: %s", order, answer[:k])
	}
	return nil
}
