package lab

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"
)

// caddyScenarios have a real Caddy as the proxy: what it keeps for too long, and
// what it takes for too much.
func caddyScenarios() []Scenario {
	scenario := func(family, cause, name, about string, fill func(*bench) error, needs ...Need) Scenario {
		return Scenario{
			Name: name, Family: family, Cause: cause, About: about,
			Needs: append([]Need{NeedLinux, NeedRoot, "ip", "nft", "caddy"}, needs...), Start: setup(name, fill),
		}
	}
	return []Scenario{
		scenario("keep-alive", "upstream-idle-timeout-race", "caddy-node-idle",
			"Node.js closes idle connections just when Caddy, which keeps them for longer, uses them again (server.timeout)", func(b *bench) error {
				idle := b.millis(250, 400)
				n, err := b.network(false)
				if err != nil {
					return err
				}
				if err := b.node(n.server, serverAddr, "", fmt.Sprintf("idle=%d", idle.Milliseconds())); err != nil {
					return err
				}
				if err := b.caddy(n.router, routerClient, serverAddr+":8080", 0, `"status":502`); err != nil {
					return err
				}
				b.target("orders", "http://"+routerClient+":8080", post("/orders", 600), "proxy", "upstream")
				b.host("proxy", n.router, 8080)
				b.host("upstream", n.server, 8080)
				b.run.Expect.Host = "upstream"
				// A connection rests from its last answer on, which comes some time into a burst.
				b.bursts(b.whole(40, 64), idle+15*time.Millisecond, 10*time.Millisecond, 25*time.Second)
				return b.watchKernel(n.server, "upstream")
			}, "node"),
		scenario("proxy", "proxy-queue-limit", "caddy-max-requests",
			"Caddy has as many requests in progress at the service behind it as it may and answers 503 to the others (max_requests)", func(b *bench) error {
				most, work := b.whole(20, 35), b.millis(80, 120)
				n, up, err := b.upstream("api", arg("work", work))
				if err != nil {
					return err
				}
				if err := b.caddy(n.router, routerClient, up.Addr().String(), most, "no upstreams available"); err != nil {
					return err
				}
				load := float64(most) / work.Seconds()
				b.throughProxy(n, up, load)
				b.onset(load, 0.25)
				return nil
			}),
	}
}

// caddy starts Caddy on port 8080 of an address, as a proxy of an upstream
// that gets at most some requests at once, 0 for any number. The texts are harm
// when its log gets them.
func (b *bench) caddy(netns, addr, upstream string, most int, texts ...string) error {
	// All that is idle may stay so; by default only some connections may.
	conf := fmt.Sprintf(`{
	"admin": {"disabled": true, "config": {"persist": false}},
	"apps": {"http": {"servers": {"orders": {
		"listen": ["%s:8080"],
		"automatic_https": {"disable": true},
		"routes": [{"handle": [{
			"handler": "reverse_proxy",
			"upstreams": [{"dial": "%s", "max_requests": %d}],
			"transport": {"protocol": "http", "keep_alive": {"max_idle_conns_per_host": 256}}
		}]}]
	}}}}
}
`, addr, upstream, most)
	file := filepath.Join(b.env.Dir, "caddy.json")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	if _, err := b.program(netns, nil, "caddy", "run", "--config", file); err != nil {
		return err
	}
	if err := b.answers(netns, netip.MustParseAddr(addr), 8080); err != nil {
		return err
	}
	b.watchLog("caddy.log", texts...)
	return nil
}
