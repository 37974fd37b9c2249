// Package apache is a family of the lab's scenarios: Apache httpd.
package apache

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rampload/rampload/cmd/internal/lab"
	"github.com/rampload/rampload/profiles"
)

// Scenarios are limits of a real Apache as the server and as a proxy, and
// its recycling of processes, which harms nobody.
func Scenarios() []lab.Scenario {
	scenario := lab.InNetwork("apache2")
	return []lab.Scenario{
		scenario("connection-slots", "server-connection-limit", "apache-workers-held",
			"held connections, idle most of the time, take all of Apache's processes, and later ones wait in vain (MaxRequestWorkers)", func(b *lab.Bench) error {
				// A process for each connection is the limit; where later ones wait is the queue.
				b.Run.Expect.Causes = []string{"server-threads", "listen-backlog"}
				limit := b.Whole(25, 40)
				n, err := apacheOrigin(b, apache{
					model: "prefork",
					main: fmt.Sprintf("ListenBacklog %d\nKeepAliveTimeout 30\nServerLimit %d\nMaxRequestWorkers %d\nStartServers %d\nMinSpareServers 1\nMaxSpareServers %d",
						b.Whole(10, 20), limit, limit, limit, limit),
				}, "5ms", "server reached MaxRequestWorkers")
				if err != nil {
					return err
				}
				b.Run.Profile.Client.PerConnection = 2
				b.Run.Profile.Client.Timeout = time.Second
				b.Run.Profile.Load = profiles.Load{profiles.Connections{From: 10, To: 3 * limit, For: 22 * time.Second}}
				return b.WatchKernel(n.Server, "server", "ListenOverflows")
			}),
		scenario("proxy", "proxy-queue-limit", "apache-proxy-pool",
			"requests wait for one of Apache's few connections to the service behind it and get 503 (ProxyPass max, acquire)", func(b *lab.Bench) error {
				most, work := b.Whole(20, 35), b.Millis(80, 120)
				n, up, err := b.Upstream("api", lab.Arg("work", work))
				if err != nil {
					return err
				}
				if err := startApache(b, n.Router, lab.RouterClient, apache{
					model:    "event",
					main:     "ServerLimit 1\nThreadLimit 500\nThreadsPerChild 500\nMaxRequestWorkers 500\nStartServers 1",
					upstream: up, pass: fmt.Sprintf("max=%d acquire=%d", most, b.Whole(150, 250)),
				}, "failed to acquire connection"); err != nil {
					return err
				}
				load := float64(most) / work.Seconds()
				b.ThroughProxy(n, up, load)
				b.Onset(load, 0.3)
				return nil
			}),
		scenario("controls", "healthy", "healthy-apache-recycling",
			"Apache replaces each of its processes after some connections, between two of them (MaxConnectionsPerChild)", func(b *lab.Bench) error {
				n, err := apacheOrigin(b, apache{
					model: "prefork",
					main: fmt.Sprintf("ServerLimit 80\nMaxRequestWorkers 80\nStartServers 30\nMinSpareServers 30\nMaxSpareServers 60\nMaxConnectionsPerChild %d",
						b.Whole(25, 50)),
				}, b.Millis(5, 15).String())
				if err != nil {
					return err
				}
				b.Run.Profile.Client.Connections = 0
				b.RampTo(40, b.Between(110, 150), 18*time.Second)
				return b.WatchKernel(n.Server, "server")
			}),
	}
}

// apache is Apache as a scenario wants it: parts of its configuration.
type apache struct {
	model    string     // its multi-processing module: prefork or event
	main     string     // directives
	upstream *lab.Child // what it is a proxy of
	pass     string     // parameters of ProxyPass
}

// startApache starts Apache on port 8080 of an address. The texts are harm when its
// error log gets them.
func startApache(b *lab.Bench, netns, addr string, a apache, texts ...string) error {
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
`, b.Env.Dir, modules.String(), b.Env.Dir, addr, a.main, a.upstream.Addr(), a.pass)
	file := filepath.Join(b.Env.Dir, "apache.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		return err
	}
	if _, err := b.Program(netns, nil, "apache2", "-f", file, "-DFOREGROUND"); err != nil {
		return err
	}
	if err := b.Answers(netns, netip.MustParseAddr(addr), 8080); err != nil {
		return err
	}
	b.WatchLog("apache-error.log", texts...)
	return nil
}

// apacheOrigin runs Apache as the server of a network, before a backend on its
// own host that takes some time.
func apacheOrigin(b *lab.Bench, a apache, work string, texts ...string) (*lab.Network, error) {
	n, err := b.Network(false)
	if err != nil {
		return nil, err
	}
	if a.upstream, err = b.Child(n.Server, "api", lab.Arg("addr", "127.0.0.1:9090"), lab.Arg("work", work)); err != nil {
		return nil, err
	}
	if err := startApache(b, n.Server, lab.ServerAddr, a, texts...); err != nil {
		return nil, err
	}
	b.Target("orders", "http://"+lab.ServerAddr+":8080", lab.Post("/orders", 600), "router", "orders-1")
	b.Host("router", n.Router)
	b.Host("orders-1", n.Server, 8080, 9090)
	return n, nil
}
