package lab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// proxyScenarios are faults of nginx and haproxy as servers and as proxies
// between client and upstream, in network namespaces.
func proxyScenarios() []Scenario {
	scenario := func(family, cause, name, about string, program Need, fill func(*bench) error) Scenario {
		return inNetwork(program)(family, cause, name, about, fill)
	}
	return []Scenario{
		scenario("descriptors", "server-file-descriptors", "nginx-descriptors",
			"nginx's worker runs out of descriptors and stops accepting", "nginx", func(b *bench) error {
				return b.nginxServer("worker_rlimit_nofile %d;", 4096, b.whole(90, 130), 1)
			}),
		scenario("connection-slots", "server-connection-limit", "nginx-connections",
			"nginx's worker_connections are not enough", "nginx", func(b *bench) error {
				// Each request takes a slot towards the client and one towards its backend.
				return b.nginxServer("", b.whole(90, 130), 0, 2)
			}),
		scenario("proxy", "proxy-file-descriptors", "proxy-descriptors",
			"nginx as a proxy runs out of descriptors", "nginx", func(b *bench) error {
				limit, work := b.whole(100, 150), b.millis(100, 150)
				n, up, err := b.upstream("api", arg("work", work))
				if err != nil {
					return err
				}
				if err := b.nginx(n.router, routerClient, fmt.Sprintf("worker_rlimit_nofile %d;", limit), 4096, "", up); err != nil {
					return err
				}
				// Two descriptors a request and about a dozen besides.
				b.throughProxy(n, up, float64(limit-12)/2/work.Seconds())
				b.run.Expect.Host, b.run.Expect.Resource = "proxy", "open-files"
				return nil
			}),
		scenario("proxy", "proxy-ephemeral-ports", "proxy-ports",
			"nginx as a proxy runs out of ephemeral ports towards its upstream", "nginx", func(b *bench) error {
				n, up, err := b.upstream("api", arg("work", "10ms"))
				if err != nil {
					return err
				}
				// nginx closes first. With reuse, a port in TIME_WAIT is free after a second
				// (tcp_tw_reuse, kernel documentation, networking/ip-sysctl).
				ports := b.whole(250, 400)
				load := float64(ports) / 1.01
				if err := errors.Join(
					b.sysctl(n.router, "net/ipv4/ip_local_port_range", fmt.Sprintf("20000 %d", 20000+ports-1)),
					b.sysctl(n.router, "net/ipv4/tcp_tw_reuse", "1"),
				); err != nil {
					return err
				}
				if err := b.nginx(n.router, routerClient, "", 4096, "", up); err != nil {
					return err
				}
				b.throughProxy(n, up, load)
				b.run.Expect.Host, b.run.Expect.Resource = "proxy", "ephemeral-ports"
				return nil
			}),
		scenario("proxy", "proxy-ephemeral-ports", "proxy-ports-haproxy",
			"haproxy runs out of ephemeral ports towards its upstream", "haproxy", func(b *bench) error {
				n, load, up, err := b.fewPorts()
				if err != nil {
					return err
				}
				if err := b.haproxy(n.router, "", "", "http-reuse never", up); err != nil {
					return err
				}
				b.throughProxy(n, up, load)
				b.run.Expect.Host, b.run.Expect.Resource = "proxy", "ephemeral-ports"
				return nil
			}),
		scenario("proxy", "proxy-queue-limit", "proxy-queue",
			"requests wait in haproxy's queue for a server slot until its timeout", "haproxy", func(b *bench) error {
				slots, work := b.whole(20, 40), b.millis(60, 100)
				n, up, err := b.upstream("api", arg("work", work))
				if err != nil {
					return err
				}
				if err := b.haproxy(n.router, "", "timeout queue 400ms", fmt.Sprintf("default-server maxconn %d", slots), up); err != nil {
					return err
				}
				b.throughProxy(n, up, float64(slots)/work.Seconds())
				return nil
			}),
		scenario("proxy", "proxy-queue-limit", "proxy-connections",
			"haproxy accepts no more connections than its maxconn, the others wait", "haproxy", func(b *bench) error {
				conns, work := b.whole(30, 50), b.millis(80, 120)
				n, up, err := b.upstream("api", arg("work", work))
				if err != nil {
					return err
				}
				if err := b.haproxy(n.router, fmt.Sprintf("maxconn %d", conns), "", "", up); err != nil {
					return err
				}
				b.throughProxy(n, up, float64(conns)/work.Seconds())
				b.run.Profile.Client.Connections = 0
				b.run.Profile.Client.Timeout = time.Second
				// What the client meets is the kernel's queue of connections that haproxy
				// does not accept: no 5xx tells of a proxy.
				b.run.Expect.Causes = []string{"listen-backlog"}
				return nil
			}),
		scenario("upstream", "upstream-file-descriptors", "upstream-descriptors",
			"nginx answers 502 because the payment service behind it runs out of descriptors", "nginx", func(b *bench) error {
				p := Payments{NoFile: uint64(b.whole(120, 200)), Hold: b.millis(100, 150), Growth: 0.2, Ledgers: 1}
				n, up, err := b.upstream("payments", p.Args()...)
				if err != nil {
					return err
				}
				if err := b.nginx(n.router, routerClient, "", 4096, "", up); err != nil {
					return err
				}
				b.throughProxy(n, up, p.OnsetLoad())
				b.run.Expect.Host, b.run.Expect.Resource = "upstream", "open-files"
				return nil
			}),
		scenario("upstream", "upstream-application-abort", "upstream-abort",
			"nginx answers 502 because the application behind it resets a share of requests", "nginx", func(b *bench) error {
				n, up, err := b.upstream("api", arg("abort-every", b.whole(60, 150)), arg("work", "10ms"))
				if err != nil {
					return err
				}
				if err := b.nginx(n.router, routerClient, "", 4096, "keepalive 64;", up); err != nil {
					return err
				}
				b.throughProxy(n, up, 350)
				b.run.Expect.Host = "upstream"
				return nil
			}),
		scenario("upstream", "upstream-application-abort", "upstream-abort-silent",
			"haproxy closes client connections without an answer because the application behind it resets reused ones", "haproxy", func(b *bench) error {
				n, up, err := b.upstream("api", arg("abort-every", b.whole(60, 150)), arg("work", "10ms"))
				if err != nil {
					return err
				}
				if err := b.haproxy(n.router, "", "", "", up); err != nil {
					return err
				}
				b.throughProxy(n, up, 350)
				b.run.Expect.Host = "upstream"
				return nil
			}),
		scenario("keep-alive", "upstream-idle-timeout-race", "keep-alive-race-upstream",
			"an upstream closes idle connections just when nginx uses them again", "nginx", func(b *bench) error {
				idle := b.millis(250, 400)
				n, up, err := b.upstream("api", arg("idle", idle), arg("idle-lag", "2ms"))
				if err != nil {
					return err
				}
				if err := b.nginx(n.router, routerClient, "", 4096, "keepalive 128;", up); err != nil {
					return err
				}
				b.throughProxy(n, up, 100)
				b.bursts(b.whole(40, 64), idle+3*time.Millisecond, 4*time.Millisecond, 25*time.Second)
				b.run.Expect.Host = "upstream"
				return nil
			}),
		scenario("controls", "healthy", "healthy-proxy",
			"nginx before a healthy service", "nginx", func(b *bench) error {
				n, up, err := b.upstream("api", arg("work", "20ms"))
				if err != nil {
					return err
				}
				if err := b.nginx(n.router, routerClient, "", 4096, "keepalive 64;", up); err != nil {
					return err
				}
				b.throughProxy(n, up, 300)
				return nil
			}),
	}
}

// upstream starts a service on the server; a proxy on the router follows.
func (b *bench) upstream(service string, args ...string) (*network, *Child, error) {
	n, c, err := b.networkService(service, args...)
	if err != nil {
		return nil, nil, err
	}
	return n, c, b.watchKernel(n.server, "upstream")
}

// fewPorts is an upstream whose callers have few ephemeral ports, and the load
// at which those are all in use.
func (b *bench) fewPorts() (*network, float64, *Child, error) {
	ports, work := b.whole(50, 80), b.millis(120, 180)
	n, up, err := b.upstream("api", arg("work", work))
	if err != nil {
		return nil, 0, nil, err
	}
	err = b.sysctl(n.router, "net/ipv4/ip_local_port_range", fmt.Sprintf("20000 %d", 20000+ports-1))
	return n, float64(ports) / work.Seconds(), up, err
}

// throughProxy loads the upstream through the proxy on the router's port 8080,
// up to beyond the given load.
func (b *bench) throughProxy(n *network, up *Child, load float64) {
	b.target("orders", "http://"+routerClient+":8080", post("/orders", 600), "proxy", "upstream")
	b.host("proxy", n.router, 8080)
	b.host("upstream", n.server, up.Addr().Port())
	b.rampTo(0.3*load, 1.5*load, 18*time.Second)
}

// nginxServer runs nginx on the server host before a backend on the same host,
// with a limit that the ramp crosses. Each request needs perRequest of what the
// limit counts.
func (b *bench) nginxServer(limit string, connections, files, perRequest int) error {
	work := b.millis(100, 150)
	n, err := b.network(false)
	if err != nil {
		return err
	}
	backend, err := b.child(n.server, "api", arg("addr", "127.0.0.1:9090"), arg("work", work))
	if err != nil {
		return err
	}
	count := connections
	if files > 0 {
		limit, count, perRequest = fmt.Sprintf(limit, files), files-12, 2
	}
	if err := b.nginx(n.server, serverAddr, limit, connections, "", backend); err != nil {
		return err
	}
	b.target("orders", "http://"+serverAddr+":8080", post("/orders", 600), "router", "orders-1")
	b.host("router", n.router)
	b.host("orders-1", n.server, 8080, 9090)
	load := float64(count) / float64(perRequest) / work.Seconds()
	b.rampTo(0.3*load, 1.5*load, 18*time.Second)
	b.onset(load, 0.3)
	return b.watchKernel(n.server, "server")
}

// nginx starts nginx with one worker on port 8080 of an address, as a proxy of
// an upstream.
func (b *bench) nginx(netns, addr, main string, connections int, pool string, up *Child) error {
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
	file := filepath.Join(b.env.Dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		return err
	}
	if _, err := b.program(netns, nil, "nginx", "-p", b.env.Dir, "-c", file, "-e", "error.log"); err != nil {
		return err
	}
	if err := b.answers(netns, netip.MustParseAddr(addr), 8080); err != nil {
		return err
	}
	b.watchLog("error.log", "worker_connections are not enough", "Too many open files",
		"Cannot assign requested address", "reset by peer", "prematurely closed", "timed out")
	return nil
}

// haproxy starts haproxy on port 8080 of the router.
func (b *bench) haproxy(netns, global, defaults, backend string, up *Child) error {
	conf := fmt.Sprintf(`global
	nbthread 1
	log stdout format raw local0
	%s
defaults
	mode http
	log global
	option httplog
	option dontlog-normal
	timeout client 30s
	timeout connect 3s
	timeout server 10s
	%s
frontend front
	bind %s:8080
	default_backend back
backend back
	%s
	server upstream %s
`, global, defaults, routerClient, backend, up.Addr())
	file := filepath.Join(b.env.Dir, "haproxy.cfg")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		return err
	}
	if _, err := b.program(netns, nil, "haproxy", "-db", "-f", file); err != nil {
		return err
	}
	if err := b.answers(netns, netip.MustParseAddr(routerClient), 8080); err != nil {
		return err
	}
	// Termination states: see "Session state at disconnection" in its manual.
	b.watchLog("haproxy.log", " SC-- ", " SH-- ", " SD-- ", " sQ-- ", " sH-- ")
	return b.watchKernel(netns, "proxy", "ListenOverflows")
}

// answers waits until something listens in a namespace.
func (b *bench) answers(netns string, addr netip.Addr, port uint16) error {
	to := netip.AddrPortFrom(addr, port).String()
	var err error
	for range 100 {
		err = inNetns(netns, func() error {
			// DialTCP stays on this thread, and so in the namespace.
			c, err := net.DialTCP("tcp", nil, net.TCPAddrFromAddrPort(netip.AddrPortFrom(addr, port)))
			if err == nil {
				c.Close()
			}
			return err
		})
		if err == nil || !pause(b.ctx, 50*time.Millisecond) {
			return err
		}
	}
	return fmt.Errorf("wait for %s: %w", to, err)
}

// watchLog follows lines that a log in Dir gets from now on: those that hold one
// of the texts are harm under that text.
func (b *bench) watchLog(file string, texts ...string) {
	last := make(map[string]int64)
	look := func(note bool) {
		raw, err := os.ReadFile(filepath.Join(b.env.Dir, file))
		if err != nil {
			return
		}
		for _, text := range texts {
			n := int64(strings.Count(string(raw), text))
			if note {
				b.tally.harmBy("log: "+text, n-last[text])
			}
			last[text] = n
		}
	}
	look(false)
	b.watch(func() { look(true) }, 200*time.Millisecond)
}
