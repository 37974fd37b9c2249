package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"time"

	"github.com/rampload/rampload/profiles"
)

// relayScenarios are timeouts of nginx and haproxy towards slow sides, and what
// looks like trouble before a service and is none.
func relayScenarios() []Scenario {
	scenario := func(family, cause, name, about string, program Need, fill func(*bench) error, needs ...Need) Scenario {
		return inNetwork(program)(family, cause, name, about, fill, needs...)
	}
	return []Scenario{
		scenario("upstream", "upstream-listen-backlog", "nginx-connect-timeout",
			"nginx answers 504 because the accept queue of the service behind it is full (proxy_connect_timeout)", "nginx", func(b *bench) error {
				gap := b.millis(4, 6)
				n, up, err := b.networkService("api", arg("backlog", b.whole(8, 16)), arg("accept-gap", gap))
				if err != nil {
					return err
				}
				if _, err := b.nginxSite(n.router, routerClient, site{
					backends: []*Child{up}, location: fmt.Sprintf("proxy_connect_timeout %dms; proxy_read_timeout 800ms; proxy_next_upstream off;", b.whole(300, 500)),
				}, "upstream timed out"); err != nil {
					return err
				}
				b.throughProxy(n, up, 1/gap.Seconds())
				b.onset(1/gap.Seconds(), 0.3)
				b.run.Expect.Host, b.run.Expect.Resource = "upstream", "listen-queue"
				return b.watchKernel(n.server, "upstream", "ListenOverflows")
			}),
		scenario("upstream", "upstream-client-timeout", "nginx-read-timeout-share",
			"a constant share of requests takes the service behind nginx longer than nginx waits (proxy_read_timeout)", "nginx", func(b *bench) error {
				b.run.Expect.Causes = []string{"client-timeout"}
				n, up, err := b.upstream("web", arg("work", "8ms"), arg("slow-every", b.whole(25, 60)), arg("slow-for", "1500ms"))
				if err != nil {
					return err
				}
				if _, err := b.nginxSite(n.router, routerClient, site{
					backends: []*Child{up}, pool: "keepalive 64;", location: fmt.Sprintf("proxy_read_timeout %dms; proxy_next_upstream off;", b.whole(300, 600)),
				}, "upstream timed out"); err != nil {
					return err
				}
				b.throughProxy(n, up, 250)
				return nil
			}),
		scenario("bandwidth", "bandwidth-send-timeout", "haproxy-slow-upload",
			"a full link makes uploads slow and haproxy answers 408 (timeout http-request)", "haproxy", func(b *bench) error {
				// The catalogue's key is for responses; the link's queue drops as well.
				b.run.Expect.Causes = []string{"packet-loss"}
				size, mbit := b.whole(80_000, 120_000), b.whole(10, 16)
				n, up, err := b.upstream("api", arg("work", "2ms"))
				if err != nil {
					return err
				}
				if _, err := b.balancer(n.router, routerClient, balancer{
					global:   "tune.bufsize 262144", // the whole request is waited for
					defaults: fmt.Sprintf("option http-buffer-request\n\ttimeout http-request %d", b.whole(500, 700)),
					servers:  []*Child{up},
				}, " cR-- "); err != nil {
					return err
				}
				if err := b.in(n.client, "tc", "qdisc", "add", "dev", "uplink", "root", "tbf", "rate", fmt.Sprintf("%dmbit", mbit), "burst", "32kb", "limit", "300kb"); err != nil {
					return err
				}
				load := float64(mbit) * 1e6 / 8 / float64(size)
				b.throughProxy(n, up, load)
				b.run.Profile.Targets[0].Requests = post("/documents", size)
				b.run.Profile.Client.Timeout = 8 * time.Second
				return nil
			}, "tc"),
		scenario("controls", "healthy", "healthy-not-found",
			"a good share of requests asks for what is not there, and 404 is the right answer", "nginx", func(b *bench) error {
				n, err := b.nginxOrigin(site{server: "location /items/ { return 404; }"}, b.millis(5, 15))
				if err != nil {
					return err
				}
				t := &b.run.Profile.Targets[0]
				t.Requests = b.mixed(get("/orders"), get("/items/17"), b.between(0.1, 0.3))
				t.Expect = profiles.StatusSet{{Low: 200, High: 299}, {Low: 404, High: 404}}
				b.rampTo(100, b.between(350, 450), 18*time.Second)
				return b.watchKernel(n.server, "server")
			}),
		scenario("controls", "healthy", "healthy-rolling-restart",
			"two instances behind haproxy are drained, ended and started again in turn", "haproxy", func(b *bench) error { return b.rollingRestart() }),
	}
}

// rollingRestart replaces two instances behind haproxy in turn: each is taken out
// of service, ends what it has, and comes back.
func (b *bench) rollingRestart() error {
	n, err := b.network(true)
	if err != nil {
		return err
	}
	places := [2]struct{ netns, addr string }{{n.server, serverAddr}, {n.standby, standbyAddr}}
	work := arg("work", b.millis(20, 40))
	var instances [2]*Child
	for i, at := range places {
		if instances[i], err = b.child(at.netns, "api", arg("addr", at.addr+":8080"), work); err != nil {
			return err
		}
	}
	admin := filepath.Join(b.env.Dir, "admin.sock")
	if _, err := b.balancer(n.router, routerClient, balancer{
		global: fmt.Sprintf("stats socket %s mode 600 level admin", admin), servers: instances[:],
	}); err != nil {
		return err
	}
	b.target("orders", "http://"+routerClient+":8080", post("/orders", 600), "proxy", "upstream-1", "upstream-2")
	b.host("proxy", n.router, 8080)
	b.host("upstream-1", n.server, 8080)
	b.host("upstream-2", n.standby, 8080)
	b.rampTo(80, b.between(250, 350), 18*time.Second)
	first, every := b.millis(3000, 4000), b.millis(2500, 3500)
	return b.onTraffic(n.router, func(ctx context.Context) error {
		for i, wait := 0, first; i < 4 && pause(ctx, wait); i, wait = i+1, every {
			number, at := i%2+1, places[i%2]
			err := tellBalancer(admin, fmt.Sprintf("set server back/upstream%d state maint", number))
			if err == nil && !pause(ctx, time.Second) {
				return nil
			}
			if err == nil {
				_, err = instances[i%2].Stop()
			}
			if err == nil {
				instances[i%2], err = b.child(at.netns, "api", arg("addr", at.addr+":8080"), work)
			}
			if ctx.Err() != nil {
				return nil
			}
			err = errors.Join(err, tellBalancer(admin, fmt.Sprintf("set server back/upstream%d state ready", number)))
			if err != nil {
				return err
			}
			b.tally.count("restarts")
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
