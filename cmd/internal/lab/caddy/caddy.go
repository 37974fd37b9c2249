// Package caddy is a family of the lab's scenarios: Caddy as a proxy.
package caddy

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/rampload/rampload/cmd/internal/lab"
	"github.com/rampload/rampload/cmd/internal/lab/node"
)

// Scenarios have a real Caddy as the proxy.
func Scenarios() []lab.Scenario {
	scenario := lab.InNetwork("caddy", "node")
	return []lab.Scenario{
		scenario("keep-alive", "upstream-idle-timeout-race", "caddy-node-idle",
			"Node.js closes idle connections just when Caddy, which keeps them for longer, uses them again (server.timeout)", func(b *lab.Bench) error {
				idle := b.Millis(250, 400)
				n, err := b.Network(false)
				if err != nil {
					return err
				}
				if err := node.Start(b, n.Server, lab.ServerAddr, "", fmt.Sprintf("idle=%d", idle.Milliseconds())); err != nil {
					return err
				}
				if err := startCaddy(b, n.Router, lab.RouterClient, lab.ServerAddr+":8080", `"status":502`); err != nil {
					return err
				}
				b.Target("orders", "http://"+lab.RouterClient+":8080", lab.Post("/orders", 600), "proxy", "upstream")
				b.Host("proxy", n.Router, 8080)
				b.Host("upstream", n.Server, 8080)
				b.Run.Expect.Host = "upstream"
				// A connection rests from its last answer on, which comes some time into a burst.
				b.Bursts(b.Whole(40, 64), idle+15*time.Millisecond, 10*time.Millisecond, 25*time.Second)
				return b.WatchKernel(n.Server, "upstream")
			}),
	}
}

// startCaddy starts Caddy on port 8080 of an address, as a proxy of an upstream. The
// texts are harm when its log gets them.
func startCaddy(b *lab.Bench, netns, addr, upstream string, texts ...string) error {
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
	file := filepath.Join(b.Env.Dir, "caddy.json")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	if _, err := b.Program(netns, nil, "caddy", "run", "--config", file); err != nil {
		return err
	}
	if err := b.Answers(netns, netip.MustParseAddr(addr), 8080); err != nil {
		return err
	}
	b.WatchLog("caddy.log", texts...)
	return nil
}
