package proxy

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/rampload/rampload/cmd/internal/lab"
	"github.com/rampload/rampload/cmd/internal/lab/haproxy"
	"github.com/rampload/rampload/cmd/internal/lab/services"
)

// proxyScenarios are faults of nginx and haproxy as servers and as proxies
// between client and upstream, in network namespaces.
func proxyScenarios() []lab.Scenario {
	scenario := func(family, cause, name, about string, program lab.Need, fill func(*lab.Bench) error) lab.Scenario {
		return lab.InNetwork(program)(family, cause, name, about, fill)
	}
	return []lab.Scenario{
		scenario("descriptors", "server-file-descriptors", "nginx-descriptors",
			"nginx's worker runs out of descriptors and stops accepting", "nginx", func(b *lab.Bench) error {
				return nginxServer(b, "worker_rlimit_nofile %d;", 4096, b.Whole(90, 130), 1)
			}),
		scenario("connection-slots", "server-connection-limit", "nginx-connections",
			"nginx's worker_connections are not enough", "nginx", func(b *lab.Bench) error {
				// Each request takes a slot towards the client and one towards its backend.
				return nginxServer(b, "", b.Whole(90, 130), 0, 2)
			}),
		scenario("proxy", "proxy-file-descriptors", "proxy-descriptors",
			"nginx as a proxy runs out of descriptors", "nginx", func(b *lab.Bench) error {
				limit, work := b.Whole(100, 150), b.Millis(100, 150)
				n, up, err := b.Upstream("api", lab.Arg("work", work))
				if err != nil {
					return err
				}
				if err := startNginx(b, n.Router, lab.RouterClient, fmt.Sprintf("worker_rlimit_nofile %d;", limit), 4096, "", up); err != nil {
					return err
				}
				// Two descriptors a request and about a dozen besides.
				b.ThroughProxy(n, up, float64(limit-12)/2/work.Seconds())
				b.Run.Expect.Host, b.Run.Expect.Resource = "proxy", "open-files"
				return nil
			}),
		scenario("proxy", "proxy-ephemeral-ports", "proxy-ports",
			"nginx as a proxy runs out of ephemeral ports towards its upstream", "nginx", func(b *lab.Bench) error {
				n, up, err := b.Upstream("api", lab.Arg("work", "10ms"))
				if err != nil {
					return err
				}
				// nginx closes first. With reuse, a port in TIME_WAIT is free after a second
				// (tcp_tw_reuse, kernel documentation, networking/ip-sysctl).
				ports := b.Whole(250, 400)
				load := float64(ports) / 1.01
				if err := errors.Join(
					b.Sysctl(n.Router, "net/ipv4/ip_local_port_range", fmt.Sprintf("20000 %d", 20000+ports-1)),
					b.Sysctl(n.Router, "net/ipv4/tcp_tw_reuse", "1"),
				); err != nil {
					return err
				}
				if err := startNginx(b, n.Router, lab.RouterClient, "", 4096, "", up); err != nil {
					return err
				}
				b.ThroughProxy(n, up, load)
				b.Run.Expect.Host, b.Run.Expect.Resource = "proxy", "ephemeral-ports"
				return nil
			}),
		scenario("proxy", "proxy-ephemeral-ports", "proxy-ports-haproxy",
			"haproxy runs out of ephemeral ports towards its upstream", "haproxy", func(b *lab.Bench) error {
				n, load, up, err := fewPorts(b)
				if err != nil {
					return err
				}
				if err := startHaproxy(b, n.Router, "", "", "http-reuse never", up); err != nil {
					return err
				}
				b.ThroughProxy(n, up, load)
				b.Run.Expect.Host, b.Run.Expect.Resource = "proxy", "ephemeral-ports"
				return nil
			}),
		scenario("proxy", "proxy-queue-limit", "proxy-queue",
			"requests wait in haproxy's queue for a server slot until its timeout", "haproxy", func(b *lab.Bench) error {
				slots, work := b.Whole(20, 40), b.Millis(60, 100)
				n, up, err := b.Upstream("api", lab.Arg("work", work))
				if err != nil {
					return err
				}
				if err := startHaproxy(b, n.Router, "", "timeout queue 400ms", fmt.Sprintf("default-server maxconn %d", slots), up); err != nil {
					return err
				}
				b.ThroughProxy(n, up, float64(slots)/work.Seconds())
				return nil
			}),
		scenario("proxy", "proxy-queue-limit", "proxy-connections",
			"haproxy accepts no more connections than its maxconn, the others wait", "haproxy", func(b *lab.Bench) error {
				conns, work := b.Whole(30, 50), b.Millis(80, 120)
				n, up, err := b.Upstream("api", lab.Arg("work", work))
				if err != nil {
					return err
				}
				if err := startHaproxy(b, n.Router, fmt.Sprintf("maxconn %d", conns), "", "", up); err != nil {
					return err
				}
				b.ThroughProxy(n, up, float64(conns)/work.Seconds())
				b.Run.Profile.Client.Connections = 0
				b.Run.Profile.Client.Timeout = time.Second
				// What the client meets is the kernel's queue of connections that haproxy
				// does not accept: no 5xx tells of a proxy.
				b.Run.Expect.Causes = []string{"listen-backlog", "server-connection-limit"}
				return nil
			}),
		scenario("upstream", "upstream-file-descriptors", "upstream-descriptors",
			"nginx answers 502 because the payment service behind it runs out of descriptors", "nginx", func(b *lab.Bench) error {
				p := services.Payments{NoFile: uint64(b.Whole(120, 200)), Hold: b.Millis(100, 150), Growth: 0.2, Ledgers: 1}
				n, up, err := b.Upstream("payments", p.Args()...)
				if err != nil {
					return err
				}
				if err := startNginx(b, n.Router, lab.RouterClient, "", 4096, "", up); err != nil {
					return err
				}
				b.ThroughProxy(n, up, p.OnsetLoad())
				b.Run.Expect.Host, b.Run.Expect.Resource = "upstream", "open-files"
				return nil
			}),
		scenario("upstream", "upstream-application-abort", "upstream-abort",
			"nginx answers 502 because the application behind it resets a share of requests", "nginx", func(b *lab.Bench) error {
				n, up, err := b.Upstream("api", lab.Arg("abort-every", b.Whole(60, 150)), lab.Arg("work", "10ms"))
				if err != nil {
					return err
				}
				if err := startNginx(b, n.Router, lab.RouterClient, "", 4096, "keepalive 64;", up); err != nil {
					return err
				}
				b.ThroughProxy(n, up, 350)
				b.Run.Expect.Host = "upstream"
				return nil
			}),
		scenario("upstream", "upstream-application-abort", "upstream-abort-silent",
			"haproxy closes client connections without an answer because the application behind it resets reused ones", "haproxy", func(b *lab.Bench) error {
				n, up, err := b.Upstream("api", lab.Arg("abort-every", b.Whole(60, 150)), lab.Arg("work", "10ms"))
				if err != nil {
					return err
				}
				if err := startHaproxy(b, n.Router, "", "", "", up); err != nil {
					return err
				}
				b.ThroughProxy(n, up, 350)
				b.Run.Expect.Host = "upstream"
				return nil
			}),
		scenario("keep-alive", "upstream-idle-timeout-race", "keep-alive-race-upstream",
			"an upstream closes idle connections just when nginx uses them again", "nginx", func(b *lab.Bench) error {
				idle := b.Millis(250, 400)
				n, up, err := b.Upstream("api", lab.Arg("idle", idle), lab.Arg("idle-lag", "2ms"))
				if err != nil {
					return err
				}
				if err := startNginx(b, n.Router, lab.RouterClient, "", 4096, "keepalive 128;", up); err != nil {
					return err
				}
				b.ThroughProxy(n, up, 100)
				b.Bursts(b.Whole(40, 64), idle+3*time.Millisecond, 4*time.Millisecond, 25*time.Second)
				b.Run.Expect.Host = "upstream"
				return nil
			}),
		scenario("controls", "healthy", "healthy-proxy",
			"nginx before a healthy service", "nginx", func(b *lab.Bench) error {
				n, up, err := b.Upstream("api", lab.Arg("work", "20ms"))
				if err != nil {
					return err
				}
				if err := startNginx(b, n.Router, lab.RouterClient, "", 4096, "keepalive 64;", up); err != nil {
					return err
				}
				b.ThroughProxy(n, up, 300)
				return nil
			}),
	}
}

// fewPorts is an upstream whose callers have few ephemeral ports, and the load
// at which those are all in use.
func fewPorts(b *lab.Bench) (*lab.Network, float64, *lab.Child, error) {
	ports, work := b.Whole(50, 80), b.Millis(120, 180)
	n, up, err := b.Upstream("api", lab.Arg("work", work))
	if err != nil {
		return nil, 0, nil, err
	}
	err = b.Sysctl(n.Router, "net/ipv4/ip_local_port_range", fmt.Sprintf("20000 %d", 20000+ports-1))
	return n, float64(ports) / work.Seconds(), up, err
}

// nginxServer runs nginx on the server host before a backend on the same host,
// with a limit that the ramp crosses. Each request needs perRequest of what the
// limit counts.
func nginxServer(b *lab.Bench, limit string, connections, files, perRequest int) error {
	work := b.Millis(100, 150)
	n, err := b.Network(false)
	if err != nil {
		return err
	}
	backend, err := b.Child(n.Server, "api", lab.Arg("addr", "127.0.0.1:9090"), lab.Arg("work", work))
	if err != nil {
		return err
	}
	count := connections
	if files > 0 {
		limit, count, perRequest = fmt.Sprintf(limit, files), files-12, 2
	}
	if err := startNginx(b, n.Server, lab.ServerAddr, limit, connections, "", backend); err != nil {
		return err
	}
	b.Target("orders", "http://"+lab.ServerAddr+":8080", lab.Post("/orders", 600), "router", "orders-1")
	b.Host("router", n.Router)
	b.Host("orders-1", n.Server, 8080, 9090)
	load := float64(count) / float64(perRequest) / work.Seconds()
	b.RampTo(0.3*load, 1.5*load, 18*time.Second)
	b.Onset(load, 0.3)
	return b.WatchKernel(n.Server, "server")
}

// startNginx starts nginx with one worker on port 8080 of an address, as a proxy of
// an upstream.
func startNginx(b *lab.Bench, netns, addr, main string, connections int, pool string, up *lab.Child) error {
	conf := fmt.Sprintf(`daemon off;
user root;
worker_processes 1;
pid nginx.pid;
error_log error.log warn;
%s
events { worker_connections %d; }
http {
	access_log off;
	client_body_temp_path body;
	proxy_temp_path proxy;
	fastcgi_temp_path fastcgi;
	uwsgi_temp_path uwsgi;
	scgi_temp_path scgi;
	upstream backend {
		server %s;
		%s
	}
	server {
		listen %s:8080 backlog=4096;
		location / {
			proxy_pass http://backend;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
		}
	}
}
`, main, connections, up.Addr(), pool, addr)
	file := filepath.Join(b.Env.Dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		return err
	}
	if _, err := b.Program(netns, nil, "nginx", "-p", b.Env.Dir, "-c", file, "-e", "error.log"); err != nil {
		return err
	}
	if err := b.Answers(netns, netip.MustParseAddr(addr), 8080); err != nil {
		return err
	}
	b.WatchLog("error.log", "worker_connections are not enough", "Too many open files",
		"Cannot assign requested address", "reset by peer", "prematurely closed", "timed out")
	return nil
}

// startHaproxy starts haproxy on port 8080 of the router.
func startHaproxy(b *lab.Bench, netns, global, defaults, backend string, up *lab.Child) error {
	h := haproxy.Balancer{Global: global, Defaults: defaults, Backend: backend, Servers: []*lab.Child{up}}
	// Termination states: see "Session state at disconnection" in its manual.
	if _, err := haproxy.StartBalancer(b, netns, lab.RouterClient, h, " SC-- ", " SH-- ", " SD-- ", " sQ-- ", " sH-- "); err != nil {
		return err
	}
	return b.WatchKernel(netns, "proxy", "ListenOverflows")
}
