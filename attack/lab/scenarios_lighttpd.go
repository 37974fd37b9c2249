package lab

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"
)

// lighttpdScenarios have a real lighttpd as the server.
func lighttpdScenarios() []Scenario {
	scenario := inNetwork("lighttpd")
	return []Scenario{
		scenario("connection-slots", "server-connection-limit", "lighttpd-connections",
			"lighttpd stops accepting at its number of connections, and later ones wait in vain (server.max-connections)", func(b *bench) error {
				b.run.Expect.Causes = []string{"listen-backlog"} // where those wait that are not accepted
				limit, work := b.whole(30, 45), b.millis(90, 130)
				n, err := b.lighttpd(fmt.Sprintf("server.max-connections = %d\nserver.max-fds = 1024", limit), work, "connection limit reached")
				if err != nil {
					return err
				}
				b.run.Profile.Client.Timeout = time.Second
				load := float64(limit) / work.Seconds()
				b.rampTo(0.3*load, 1.6*load, 18*time.Second)
				b.onset(load, 0.3)
				return b.watchKernel(n.server, "server")
			}),
		scenario("controls", "healthy", "healthy-lighttpd-close",
			"lighttpd closes each connection after its response, and says so (server.max-keep-alive-requests)", func(b *bench) error {
				n, err := b.lighttpd("server.max-keep-alive-requests = 0", b.millis(5, 15))
				if err != nil {
					return err
				}
				b.rampTo(80, b.between(250, 350), 18*time.Second)
				return b.watchKernel(n.server, "server")
			}),
	}
}

// lighttpd runs lighttpd as the server of a network, before a backend on its own
// host. The texts are harm when its error log gets them.
func (b *bench) lighttpd(settings string, work time.Duration, texts ...string) (*network, error) {
	n, err := b.network(false)
	if err != nil {
		return nil, err
	}
	if _, err := b.child(n.server, "api", arg("addr", "127.0.0.1:9090"), arg("work", work)); err != nil {
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
`, serverAddr, b.env.Dir, b.env.Dir, b.env.Dir, settings)
	file := filepath.Join(b.env.Dir, "lighttpd.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		return nil, err
	}
	if _, err := b.program(n.server, nil, "lighttpd", "-D", "-f", file); err != nil {
		return nil, err
	}
	if err := b.answers(n.server, netip.MustParseAddr(serverAddr), 8080); err != nil {
		return nil, err
	}
	b.watchLog("lighttpd-error.log", texts...)
	b.target("orders", "http://"+serverAddr+":8080", post("/orders", 600), "router", "orders-1")
	b.host("router", n.router)
	b.host("orders-1", n.server, 8080, 9090)
	return n, nil
}
