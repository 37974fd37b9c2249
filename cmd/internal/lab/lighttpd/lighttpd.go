// Package lighttpd is a family of the lab's scenarios: lighttpd.
package lighttpd

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/rampload/rampload/cmd/internal/lab"
)

// Scenarios have a real lighttpd as the server.
func Scenarios() []lab.Scenario {
	scenario := lab.InNetwork("lighttpd")
	return []lab.Scenario{
		scenario("connection-slots", "server-connection-limit", "lighttpd-connections",
			"lighttpd stops accepting at its number of connections, and later ones wait in vain (server.max-connections)", func(b *lab.Bench) error {
				b.Run.Expect.Causes = []string{"listen-backlog"} // where those wait that are not accepted
				limit, work := b.Whole(30, 45), b.Millis(90, 130)
				n, err := startLighttpd(b, fmt.Sprintf("server.max-connections = %d\nserver.max-fds = 1024", limit), work, "connection limit reached")
				if err != nil {
					return err
				}
				b.Run.Profile.Client.Timeout = time.Second
				load := float64(limit) / work.Seconds()
				b.RampTo(0.3*load, 1.6*load, 18*time.Second)
				b.Onset(load, 0.3)
				return b.WatchKernel(n.Server, "server")
			}),
		scenario("controls", "healthy", "healthy-lighttpd-close",
			"lighttpd closes each connection after its response, and says so (server.max-keep-alive-requests)", func(b *lab.Bench) error {
				n, err := startLighttpd(b, "server.max-keep-alive-requests = 0", b.Millis(5, 15))
				if err != nil {
					return err
				}
				b.RampTo(80, b.Between(250, 350), 18*time.Second)
				return b.WatchKernel(n.Server, "server")
			}),
	}
}

// startLighttpd runs lighttpd as the server of a network, before a backend on its own
// host. The texts are harm when its error log gets them.
func startLighttpd(b *lab.Bench, settings string, work time.Duration, texts ...string) (*lab.Network, error) {
	n, err := b.Network(false)
	if err != nil {
		return nil, err
	}
	if _, err := b.Child(n.Server, "api", lab.Arg("addr", "127.0.0.1:9090"), lab.Arg("work", work)); err != nil {
		return nil, err
	}
	conf := fmt.Sprintf(`server.modules = ("mod_proxy")
server.bind = "%s"
server.port = 8080
server.document-root = "%s"
server.errorlog = "%s/lighttpd-error.log"
server.upload-dirs = ("%s")
%s
proxy.server = ("" => (("host" => "127.0.0.1", "port" => 9090)))
`, lab.ServerAddr, b.Env.Dir, b.Env.Dir, b.Env.Dir, settings)
	file := filepath.Join(b.Env.Dir, "lighttpd.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		return nil, err
	}
	if _, err := b.Program(n.Server, nil, "lighttpd", "-D", "-f", file); err != nil {
		return nil, err
	}
	if err := b.Answers(n.Server, netip.MustParseAddr(lab.ServerAddr), 8080); err != nil {
		return nil, err
	}
	b.WatchLog("lighttpd-error.log", texts...)
	b.Target("orders", "http://"+lab.ServerAddr+":8080", lab.Post("/orders", 600), "router", "orders-1")
	b.Host("router", n.Router)
	b.Host("orders-1", n.Server, 8080, 9090)
	return n, nil
}
