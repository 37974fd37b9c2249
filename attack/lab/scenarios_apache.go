package lab

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rampload/rampload/profiles"
)

// apacheScenarios are limits of a real Apache as the server and as a proxy, and
// its recycling of processes, which harms nobody.
func apacheScenarios() []Scenario {
	scenario := inNetwork("apache2")
	return []Scenario{
		scenario("connection-slots", "server-connection-limit", "apache-workers-held",
			"held connections, idle most of the time, take all of Apache's processes, and later ones wait in vain (MaxRequestWorkers)", func(b *bench) error {
				// A process for each connection is the limit; where later ones wait is the queue.
				b.run.Expect.Causes = []string{"server-threads", "listen-backlog"}
				limit := b.whole(25, 40)
				n, err := b.apacheOrigin(apache{
					model: "prefork",
					main: fmt.Sprintf("ListenBacklog %d\nKeepAliveTimeout 30\nServerLimit %d\nMaxRequestWorkers %d\nStartServers %d\nMinSpareServers 1\nMaxSpareServers %d",
						b.whole(10, 20), limit, limit, limit, limit),
				}, "5ms", "server reached MaxRequestWorkers")
				if err != nil {
					return err
				}
				b.run.Profile.Client.PerConnection = 2
				b.run.Profile.Client.Timeout = time.Second
				b.run.Profile.Load = []profiles.Stage{{Kind: profiles.Connections, FromConns: 10, ToConns: 3 * limit, For: 22 * time.Second}}
				return b.watchKernel(n.server, "server", "ListenOverflows")
			}),
		scenario("proxy", "proxy-queue-limit", "apache-proxy-pool",
			"requests wait for one of Apache's few connections to the service behind it and get 503 (ProxyPass max, acquire)", func(b *bench) error {
				most, work := b.whole(20, 35), b.millis(80, 120)
				n, up, err := b.upstream("api", arg("work", work))
				if err != nil {
					return err
				}
				if err := b.apache(n.router, routerClient, apache{
					model:    "event",
					main:     "ServerLimit 1\nThreadLimit 500\nThreadsPerChild 500\nMaxRequestWorkers 500\nStartServers 1",
					upstream: up, pass: fmt.Sprintf("max=%d acquire=%d", most, b.whole(150, 250)),
				}, "failed to acquire connection"); err != nil {
					return err
				}
				load := float64(most) / work.Seconds()
				b.throughProxy(n, up, load)
				b.onset(load, 0.3)
				return nil
			}),
		scenario("controls", "healthy", "healthy-apache-recycling",
			"Apache replaces each of its processes after some connections, between two of them (MaxConnectionsPerChild)", func(b *bench) error {
				n, err := b.apacheOrigin(apache{
					model: "prefork",
					main: fmt.Sprintf("ServerLimit 80\nMaxRequestWorkers 80\nStartServers 30\nMinSpareServers 30\nMaxSpareServers 60\nMaxConnectionsPerChild %d",
						b.whole(25, 50)),
				}, b.millis(5, 15).String())
				if err != nil {
					return err
				}
				b.run.Profile.Client.Connections = 0
				b.rampTo(40, b.between(110, 150), 18*time.Second)
				return b.watchKernel(n.server, "server")
			}),
	}
}

// apache is Apache as a scenario wants it: parts of its configuration.
type apache struct {
	model    string // its multi-processing module: prefork or event
	main     string // directives
	upstream *Child // what it is a proxy of
	pass     string // parameters of ProxyPass
}

// apache starts Apache on port 8080 of an address. The texts are harm when its
// error log gets them.
func (b *bench) apache(netns, addr string, a apache, texts ...string) error {
	var modules strings.Builder
	for _, name := range []string{"mpm_" + a.model, "authz_core", "proxy", "proxy_http"} {
		fmt.Fprintf(&modules, "LoadModule %s_module /usr/lib/apache2/modules/mod_%s.so\n", name, name)
	}
	conf := fmt.Sprintf(`ServerRoot %s
%sDefaultRuntimeDir %s
ServerName localhost
Listen %s:8080
PidFile apache.pid
ErrorLog apache-error.log
User www-data
Group www-data
KeepAlive On
MaxKeepAliveRequests 0
Timeout 30
%s
ProxyPass / http://%s/ %s
`, b.env.Dir, modules.String(), b.env.Dir, addr, a.main, a.upstream.Addr(), a.pass)
	file := filepath.Join(b.env.Dir, "apache.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		return err
	}
	if _, err := b.program(netns, nil, "apache2", "-f", file, "-DFOREGROUND"); err != nil {
		return err
	}
	if err := b.answers(netns, netip.MustParseAddr(addr), 8080); err != nil {
		return err
	}
	b.watchLog("apache-error.log", texts...)
	return nil
}

// apacheOrigin runs Apache as the server of a network, before a backend on its
// own host that takes some time.
func (b *bench) apacheOrigin(a apache, work string, texts ...string) (*network, error) {
	n, err := b.network(false)
	if err != nil {
		return nil, err
	}
	if a.upstream, err = b.child(n.server, "api", arg("addr", "127.0.0.1:9090"), arg("work", work)); err != nil {
		return nil, err
	}
	if err := b.apache(n.server, serverAddr, a, texts...); err != nil {
		return nil, err
	}
	b.target("orders", "http://"+serverAddr+":8080", post("/orders", 600), "router", "orders-1")
	b.host("router", n.router)
	b.host("orders-1", n.server, 8080, 9090)
	return n, nil
}
