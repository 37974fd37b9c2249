package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// nginxScenarios are limits, timeouts and restarts of a real nginx as the server.
func nginxScenarios() []Scenario {
	scenario := inNetwork("nginx")
	return []Scenario{
		scenario("rate-limit", "rate-limit-policy", "nginx-limit-req",
			"nginx closes what exceeds its request rate without an answer (limit_req, 444)", func(b *bench) error {
				rate := b.whole(180, 300)
				if _, err := b.nginxOrigin(site{
					http:   fmt.Sprintf("limit_req_zone $binary_remote_addr zone=callers:1m rate=%dr/s;", rate),
					server: "limit_req zone=callers burst=10 nodelay; limit_req_status 444;",
				}, 2*time.Millisecond, "limiting requests"); err != nil {
					return err
				}
				b.rampTo(0.3*float64(rate), 1.5*float64(rate), 18*time.Second)
				b.onset(float64(rate), 0.15)
				return nil
			}),
		scenario("rate-limit", "rate-limit-policy", "nginx-limit-req-429",
			"nginx answers 429 to what exceeds its request rate (limit_req)", func(b *bench) error {
				rate := b.whole(180, 300)
				if _, err := b.nginxOrigin(site{
					http:   fmt.Sprintf("limit_req_zone $binary_remote_addr zone=callers:1m rate=%dr/s;", rate),
					server: "limit_req zone=callers burst=10 nodelay; limit_req_status 429;",
				}, 2*time.Millisecond, "limiting requests"); err != nil {
					return err
				}
				b.rampTo(0.3*float64(rate), 1.5*float64(rate), 18*time.Second)
				b.onset(float64(rate), 0.15)
				return nil
			}),
		scenario("connection-slots", "server-connection-limit", "nginx-limit-conn",
			"nginx works on a number of requests of one caller at once and closes the others without an answer (limit_conn, 444)", func(b *bench) error {
				limit, work := b.whole(25, 45), b.millis(80, 130)
				// With one latency all the time a rate and a number in progress look the same.
				b.run.Expect.Causes = []string{"rate-limit-policy"}
				if _, err := b.nginxOrigin(site{
					http:   "limit_conn_zone $binary_remote_addr zone=callers:1m;",
					server: fmt.Sprintf("limit_conn callers %d; limit_conn_status 444;", limit),
				}, work, "limiting connections"); err != nil {
					return err
				}
				load := float64(limit) / work.Seconds()
				b.rampTo(0.3*load, 1.5*load, 18*time.Second)
				b.onset(load, 0.25)
				return nil
			}),
		scenario("keep-alive", "idle-timeout-race", "nginx-keepalive-timeout",
			"over a long path nginx's FIN for an idle connection and the next request cross each other (keepalive_timeout)", func(b *bench) error {
				idle, delay := b.millis(350, 550), b.millis(10, 25)
				n, err := b.nginxOrigin(site{server: fmt.Sprintf("keepalive_timeout %dms;", idle.Milliseconds())}, 0)
				if err != nil {
					return err
				}
				if err := b.delay(n, delay); err != nil {
					return err
				}
				b.bursts(b.whole(20, 40), idle+delay, delay, 24*time.Second)
				return b.watchKernel(n.server, "server", "TCPAbortOnData")
			}),
		scenario("early-response", "early-response-unread-body", "nginx-body-too-large",
			"nginx answers 413 to large uploads and, without lingering, resets them (lingering_time)", func(b *bench) error {
				size := b.whole(300_000, 800_000)
				n, err := b.nginxOrigin(site{server: "client_max_body_size 64k; lingering_time 0;"}, 0, "intended to send too large body")
				if err != nil {
					return err
				}
				b.run.Profile.Targets[0].Requests = b.mixed(post("/orders", 500), post("/upload", size), 0.08)
				b.rampTo(60, b.between(200, 280), 18*time.Second)
				return b.watchKernel(n.server, "server")
			}),
		scenario("bandwidth", "bandwidth-send-timeout", "nginx-send-timeout",
			"a full link lets responses stall and nginx resets them (send_timeout, reset_timedout_connection)", func(b *bench) error {
				size, mbit := b.whole(150_000, 250_000), b.whole(10, 16)
				n, err := b.nginxOrigin(site{
					server:   "send_timeout 250ms; reset_timedout_connection on; sendfile off; output_buffers 1 16k;",
					location: "root files;",
				}, 0, "timed out")
				if err != nil {
					return err
				}
				if err := os.MkdirAll(filepath.Join(b.env.Dir, "files"), 0o755); err != nil {
					return err
				}
				if err := os.WriteFile(filepath.Join(b.env.Dir, "files", "orders"), []byte(strings.Repeat("x", size)), 0o600); err != nil {
					return err
				}
				if err := b.in(n.router, "tc", "qdisc", "add", "dev", "to-client", "root", "tbf", "rate", fmt.Sprintf("%dmbit", mbit), "burst", "32kb", "limit", "200kb"); err != nil {
					return err
				}
				if err := b.sysctl(n.server, "net/ipv4/tcp_wmem", "4096 16384 16384"); err != nil {
					return err
				}
				b.run.Profile.Targets[0].Requests = get("/orders")
				b.run.Profile.Client.Timeout = 8 * time.Second
				load := float64(mbit) * 1e6 / 8 / float64(size)
				b.rampTo(0.3*load, 1.8*load, 18*time.Second)
				return b.watchKernel(n.server, "server")
			}),
		scenario("worker-killed", "worker-killed", "nginx-worker-killed",
			"something kills one of nginx's workers now and then, and the master starts another", func(b *bench) error {
				b.run.Expect.Causes = []string{"process-crash"}
				n, pid, err := b.nginxMaster(site{workers: 4}, b.millis(150, 250))
				if err != nil {
					return err
				}
				return b.nowAndThen(n, 3, b.millis(3000, 4000), func() {
					if workers := children(pid); len(workers) > 0 {
						if signal(workers[b.rand.IntN(len(workers))], syscall.SIGKILL) {
							b.tally.harm("worker-kills")
						}
					}
				})
			}),
		scenario("restart", "ungraceful-restart", "nginx-reload",
			"nginx is reloaded and its old worker has too little time for what it is doing (worker_shutdown_timeout)", func(b *bench) error {
				b.run.Expect.Causes = []string{"worker-recycling", "worker-killed"}
				n, pid, err := b.nginxMaster(site{main: "worker_shutdown_timeout 100ms;"}, b.millis(500, 800))
				if err != nil {
					return err
				}
				return b.nowAndThen(n, 4, b.millis(3500, 4500), func() {
					if signal(pid, syscall.SIGHUP) {
						b.tally.harm("reloads")
					}
				})
			}),
		scenario("controls", "healthy", "healthy-nginx-reload",
			"nginx is reloaded now and then and its old workers finish what they are doing", func(b *bench) error {
				b.run.Profile.Client.Connections = 0
				n, pid, err := b.nginxMaster(site{}, b.millis(50, 90))
				if err != nil {
					return err
				}
				return b.nowAndThen(n, 4, b.millis(3500, 4500), func() {
					if signal(pid, syscall.SIGHUP) {
						b.tally.count("reloads")
					}
				})
			}),
		scenario("controls", "healthy", "healthy-nginx-keepalive-requests",
			"nginx closes connections after few requests, and says so", func(b *bench) error {
				n, err := b.nginxOrigin(site{server: fmt.Sprintf("keepalive_requests %d;", b.whole(3, 8))}, 0)
				if err != nil {
					return err
				}
				b.rampTo(100, b.between(350, 500), 18*time.Second)
				return b.watchKernel(n.server, "server")
			}),
	}
}

// nginxOrigin runs nginx as the server of a network; with work it has a backend
// on its own host that takes that long.
func (b *bench) nginxOrigin(s site, work time.Duration, texts ...string) (*network, error) {
	n, err := b.network(false)
	if err != nil {
		return nil, err
	}
	ports := []uint16{8080}
	if work > 0 {
		backend, err := b.child(n.server, "api", arg("addr", "127.0.0.1:9090"), arg("work", work))
		if err != nil {
			return nil, err
		}
		s.backends, ports = append(s.backends, backend), append(ports, 9090)
	}
	if _, err := b.nginxSite(n.server, serverAddr, s, texts...); err != nil {
		return nil, err
	}
	b.target("orders", "http://"+serverAddr+":8080", post("/orders", 600), "router", "orders-1")
	b.host("router", n.router)
	b.host("orders-1", n.server, ports...)
	return n, nil
}

// nginxMaster runs nginx before a backend on its host, loads it, and returns the
// process id of its master.
func (b *bench) nginxMaster(s site, work time.Duration) (*network, int, error) {
	n, err := b.network(false)
	if err != nil {
		return nil, 0, err
	}
	backend, err := b.child(n.server, "api", arg("addr", "127.0.0.1:9090"), arg("work", work))
	if err != nil {
		return nil, 0, err
	}
	s.backends = []*Child{backend}
	pid, err := b.nginxSite(n.server, serverAddr, s)
	if err != nil {
		return nil, 0, err
	}
	b.target("orders", "http://"+serverAddr+":8080", post("/orders", 600), "router", "orders-1")
	b.host("router", n.router)
	b.host("orders-1", n.server, 8080, 9090)
	b.rampTo(80, b.between(220, 300), 18*time.Second)
	return n, pid, b.watchKernel(n.server, "server")
}

// nowAndThen does something a number of times, begun by traffic.
func (b *bench) nowAndThen(n *network, times int, every time.Duration, do func()) error {
	first := b.millis(3000, 5000)
	return b.onTraffic(n.server, func(ctx context.Context) error {
		for next := first; times > 0 && pause(ctx, next); next = every {
			do()
			times--
		}
		return nil
	})
}
