package lab

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"
)

// caddyScenarios have a real Caddy as the proxy.
func caddyScenarios() []Scenario {
	scenario := inNetwork("caddy", "node")
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
				if err := b.caddy(n.router, routerClient, serverAddr+":8080", `"status":502`); err != nil {
					return err
				}
				b.target("orders", "http://"+routerClient+":8080", post("/orders", 600), "proxy", "upstream")
				b.host("proxy", n.router, 8080)
				b.host("upstream", n.server, 8080)
				b.run.Expect.Host = "upstream"
				// A connection rests from its last answer on, which comes some time into a burst.
				b.bursts(b.whole(40, 64), idle+15*time.Millisecond, 10*time.Millisecond, 25*time.Second)
				return b.watchKernel(n.server, "upstream")
			}),
	}
}

// caddy starts Caddy on port 8080 of an address, as a proxy of an upstream. The
// texts are harm when its log gets them.
func (b *bench) caddy(netns, addr, upstream string, texts ...string) error {
	// All that is idle may stay so; by default only some connections may.
	conf := fmt.Sprintf(`{
	"admin": {"disabled": true, "config": {"persist": false}},
	"apps": {"http": {"servers": {"orders": {
		"listen": ["%s:8080"],
		"automatic_https": {"disable": true},
		"routes": [{"handle": [{
			"handler": "reverse_proxy",
			"upstreams": [{"dial": "%s"}],
			"transport": {"protocol": "http", "keep_alive": {"max_idle_conns_per_host": 256}}
		}]}]
	}}}}
}
`, addr, upstream)
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
