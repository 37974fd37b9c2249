// Package node is a family of the lab's scenarios: Node.js.
package node

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/rampload/rampload/cmd/internal/lab"
)

// Scenarios have a server on Node.js: its limit of connections, its heap, and
// its idle timeout, which harms nobody here.
func Scenarios() []lab.Scenario {
	scenario := lab.InNetwork("node")
	return []lab.Scenario{
		scenario("connection-slots", "server-connection-limit", "node-max-connections",
			"Node.js closes new connections at once when it has as many as it may (server.maxConnections)", func(b *lab.Bench) error {
				limit, work := b.Whole(30, 50), b.Millis(90, 130)
				n, err := b.Network(false)
				if err != nil {
					return err
				}
				if err := Start(b, n.Server, lab.ServerAddr, "", fmt.Sprintf("work=%d", work.Milliseconds()), fmt.Sprintf("connections=%d", limit)); err != nil {
					return err
				}
				b.AtServer(n, lab.Post("/orders", 600), 8080)
				load := float64(limit) / work.Seconds()
				b.RampTo(0.3*load, 1.5*load, 18*time.Second)
				b.Onset(load, 0.3)
				b.WatchLog("sh.log", "connection dropped")
				return b.WatchKernel(n.Server, "server")
			}),
		scenario("crash", "process-crash", "node-heap-limit",
			"a cache without bounds fills Node.js's heap, V8 aborts the process, and it is started again (--max-old-space-size)", func(b *lab.Bench) error {
				b.Run.Expect.Causes = []string{"server-memory-oom"} // no kernel killed it, but memory ran out
				mib, life := b.Whole(60, 90), b.Whole(800, 1200)
				n, err := b.Network(false)
				if err != nil {
					return err
				}
				if err := Start(b, n.Server, lab.ServerAddr, fmt.Sprintf("--max-old-space-size=%d", mib),
					"work=60", fmt.Sprintf("cached=%d", mib*1024/life)); err != nil {
					return err
				}
				b.AtServer(n, lab.Post("/orders", 600), 8080)
				b.RampTo(50, b.Between(180, 230), 18*time.Second)
				b.WatchLog("sh.log", "heap out of memory")
				return b.WatchKernel(n.Server, "server")
			}),
		scenario("controls", "healthy", "healthy-node-idle-closes",
			"Node.js closes all connections in the rests between bursts, long before they are wanted again (server.timeout)", func(b *lab.Bench) error {
				n, err := b.Network(false)
				if err != nil {
					return err
				}
				if err := Start(b, n.Server, lab.ServerAddr, "", fmt.Sprintf("idle=%d", b.Millis(250, 400).Milliseconds()), "work=10"); err != nil {
					return err
				}
				b.AtServer(n, lab.Post("/orders", 600), 8080)
				b.Bursts(b.Whole(40, 80), 1200*time.Millisecond, 150*time.Millisecond, 22*time.Second)
				return b.WatchKernel(n.Server, "server")
			}),
	}
}

// nodeServer answers after some milliseconds. Its arguments are NAME=VALUE; what
// it caches, in KiB a request, it never forgets.
const nodeServer = `const http = require("http");
const args = Object.fromEntries(process.argv.slice(2).map((a) => a.split("=")));
const cache = [];

const server = http.createServer((req, res) => {
  req.resume();
  req.on("end", () => setTimeout(() => {
    if (args.cached) cache.push(new Array(args.cached * 128).fill(0.5));
    res.end("ok");
  }, Number(args.work || 0)));
});
if (args.idle) {
  server.keepAliveTimeout = 0; // or it would be added to, by a second
  server.timeout = Number(args.idle);
}
if (args.connections) server.maxConnections = Number(args.connections);
server.on("drop", () => console.log("connection dropped"));
server.listen({ host: args.address, port: 8080, backlog: 1024 });
`

// Start starts a server on port 8080 of an address, and again whenever it ends.
// The option is one of Node.js itself.
func Start(b *lab.Bench, netns, addr, option string, args ...string) error {
	file := filepath.Join(b.Env.Dir, "service.js")
	if err := os.WriteFile(file, []byte(nodeServer), 0o600); err != nil {
		return fmt.Errorf("write service: %w", err)
	}
	script := fmt.Sprintf(`ulimit -c 0; while :; do node %s "$@"; sleep 0.3; done`, option)
	args = append([]string{"-c", script, "sh", file, "address=" + addr}, args...)
	if _, err := b.Program(netns, nil, "sh", args...); err != nil {
		return err
	}
	return b.Answers(netns, netip.MustParseAddr(addr), 8080)
}
