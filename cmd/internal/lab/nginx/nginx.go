// Package nginx is a family of the lab's scenarios: nginx as a server and as a proxy.
package nginx

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/rampload/rampload/cmd/internal/lab"
)

// Scenarios are limits, timeouts and restarts of a real nginx as the server.
func Scenarios() []lab.Scenario {
	scenario := lab.InNetwork("nginx")
	return append(staleScenarios(), []lab.Scenario{
		scenario("rate-limit", "rate-limit-policy", "nginx-limit-req",
			"nginx closes what exceeds its request rate without an answer (limit_req, 444)", func(b *lab.Bench) error {
				rate := b.Whole(180, 300)
				if _, err := StartOrigin(b, Site{
					http:   fmt.Sprintf("limit_req_zone $binary_remote_addr zone=callers:1m rate=%dr/s;", rate),
					Server: "limit_req zone=callers burst=10 nodelay; limit_req_status 444;",
				}, 2*time.Millisecond, "limiting requests"); err != nil {
					return err
				}
				b.RampTo(0.3*float64(rate), 1.5*float64(rate), 18*time.Second)
				b.Onset(float64(rate), 0.15)
				return nil
			}),
		scenario("rate-limit", "rate-limit-policy", "nginx-limit-req-429",
			"nginx answers 429 to what exceeds its request rate (limit_req)", func(b *lab.Bench) error {
				rate := b.Whole(180, 300)
				if _, err := StartOrigin(b, Site{
					http:   fmt.Sprintf("limit_req_zone $binary_remote_addr zone=callers:1m rate=%dr/s;", rate),
					Server: "limit_req zone=callers burst=10 nodelay; limit_req_status 429;",
				}, 2*time.Millisecond, "limiting requests"); err != nil {
					return err
				}
				b.RampTo(0.3*float64(rate), 1.5*float64(rate), 18*time.Second)
				b.Onset(float64(rate), 0.15)
				return nil
			}),
		scenario("connection-slots", "server-connection-limit", "nginx-limit-conn",
			"nginx works on a number of requests of one caller at once and closes the others without an answer (limit_conn, 444)", func(b *lab.Bench) error {
				limit, work := b.Whole(25, 45), b.Millis(80, 130)
				// With one latency all the time a rate and a number in progress look the same.
				b.Run.Expect.Causes = []string{"rate-limit-policy"}
				if _, err := StartOrigin(b, Site{
					http:   "limit_conn_zone $binary_remote_addr zone=callers:1m;",
					Server: fmt.Sprintf("limit_conn callers %d; limit_conn_status 444;", limit),
				}, work, "limiting connections"); err != nil {
					return err
				}
				load := float64(limit) / work.Seconds()
				b.RampTo(0.3*load, 1.5*load, 18*time.Second)
				b.Onset(load, 0.25)
				return nil
			}),
		scenario("keep-alive", "idle-timeout-race", "nginx-keepalive-timeout",
			"over a long path nginx's FIN for an idle connection and the next request cross each other (keepalive_timeout)", func(b *lab.Bench) error {
				idle, delay := b.Millis(350, 550), b.Millis(10, 25)
				n, err := StartOrigin(b, Site{Server: fmt.Sprintf("keepalive_timeout %dms;", idle.Milliseconds())}, 0)
				if err != nil {
					return err
				}
				if err := b.Delay(n, delay); err != nil {
					return err
				}
				b.Bursts(b.Whole(20, 40), idle+delay, delay, 24*time.Second)
				return b.WatchKernel(n.Server, "server", "TCPAbortOnData")
			}),
		scenario("early-response", "early-response-unread-body", "nginx-body-too-large",
			"nginx answers 413 to large uploads and, without lingering, resets them (lingering_time)", func(b *lab.Bench) error {
				size := b.Whole(300_000, 800_000)
				n, err := StartOrigin(b, Site{Server: "client_max_body_size 64k; lingering_time 0;"}, 0, "intended to send too large body")
				if err != nil {
					return err
				}
				b.Run.Profile.Targets[0].Requests = lab.Mixed(lab.Post("/orders", 500), lab.Post("/upload", size), 0.08)
				b.RampTo(60, b.Between(200, 280), 18*time.Second)
				return b.WatchKernel(n.Server, "server")
			}),
		scenario("bandwidth", "bandwidth-send-timeout", "nginx-send-timeout",
			"a full link lets responses stall and nginx resets them (send_timeout, reset_timedout_connection)", func(b *lab.Bench) error {
				size, mbit := b.Whole(150_000, 250_000), b.Whole(10, 16)
				n, err := StartOrigin(b, Site{
					Server:   "send_timeout 250ms; reset_timedout_connection on; sendfile off; output_buffers 1 16k;",
					Location: "root files;",
				}, 0, "timed out")
				if err != nil {
					return err
				}
				if err := os.MkdirAll(filepath.Join(b.Env.Dir, "files"), 0o755); err != nil {
					return err
				}
				if err := os.WriteFile(filepath.Join(b.Env.Dir, "files", "orders"), []byte(strings.Repeat("x", size)), 0o600); err != nil {
					return err
				}
				if err := b.In(n.Router, "tc", "qdisc", "add", "dev", "to-client", "root", "tbf", "rate", fmt.Sprintf("%dmbit", mbit), "burst", "32kb", "limit", "200kb"); err != nil {
					return err
				}
				if err := b.Sysctl(n.Server, "net/ipv4/tcp_wmem", "4096 16384 16384"); err != nil {
					return err
				}
				b.Run.Profile.Targets[0].Requests = lab.Get("/orders")
				b.Run.Profile.Client.Timeout = 8 * time.Second
				load := float64(mbit) * 1e6 / 8 / float64(size)
				b.RampTo(0.3*load, 1.8*load, 18*time.Second)
				return b.WatchKernel(n.Server, "server")
			}),
		scenario("worker-killed", "worker-killed", "nginx-worker-killed",
			"something kills one of nginx's workers now and then, and the master starts another", func(b *lab.Bench) error {
				b.Run.Expect.Causes = []string{"process-crash"}
				n, pid, err := startMaster(b, Site{workers: 4}, b.Millis(150, 250))
				if err != nil {
					return err
				}
				return b.NowAndThen(n, 3, b.Millis(3000, 4000), func() {
					if workers := children(pid); len(workers) > 0 {
						if lab.Signal(workers[b.Rand.IntN(len(workers))], syscall.SIGKILL) {
							b.Tally.Harm("worker-kills")
						}
					}
				})
			}),
		scenario("restart", "ungraceful-restart", "nginx-reload",
			"nginx is reloaded and its old worker has too little time for what it is doing (worker_shutdown_timeout)", func(b *lab.Bench) error {
				b.Run.Expect.Causes = []string{"worker-recycling", "worker-killed"}
				n, pid, err := startMaster(b, Site{main: "worker_shutdown_timeout 100ms;"}, b.Millis(500, 800))
				if err != nil {
					return err
				}
				return b.NowAndThen(n, 4, b.Millis(3500, 4500), func() {
					if lab.Signal(pid, syscall.SIGHUP) {
						b.Tally.Harm("reloads")
					}
				})
			}),
		scenario("controls", "healthy", "healthy-nginx-reload",
			"nginx is reloaded now and then and its old workers finish what they are doing", func(b *lab.Bench) error {
				b.Run.Profile.Client.Connections = 0
				n, pid, err := startMaster(b, Site{}, b.Millis(50, 90))
				if err != nil {
					return err
				}
				return b.NowAndThen(n, 4, b.Millis(3500, 4500), func() {
					if lab.Signal(pid, syscall.SIGHUP) {
						b.Tally.Count("reloads")
					}
				})
			}),
		scenario("controls", "healthy", "healthy-nginx-keepalive-requests",
			"nginx closes connections after few requests, and says so", func(b *lab.Bench) error {
				n, err := StartOrigin(b, Site{Server: fmt.Sprintf("keepalive_requests %d;", b.Whole(3, 8))}, 0)
				if err != nil {
					return err
				}
				b.RampTo(100, b.Between(350, 500), 18*time.Second)
				return b.WatchKernel(n.Server, "server")
			}),
	}...)
}

// StartOrigin runs nginx as the server of a network; with work it has a backend
// on its own host that takes that long.
func StartOrigin(b *lab.Bench, s Site, work time.Duration, texts ...string) (*lab.Network, error) {
	n, err := b.Network(false)
	if err != nil {
		return nil, err
	}
	ports := []uint16{8080}
	if work > 0 {
		backend, err := b.Child(n.Server, "api", lab.Arg("addr", "127.0.0.1:9090"), lab.Arg("work", work))
		if err != nil {
			return nil, err
		}
		s.Backends, ports = append(s.Backends, backend), append(ports, 9090)
	}
	if _, err := StartSite(b, n.Server, lab.ServerAddr, s, texts...); err != nil {
		return nil, err
	}
	b.Target("orders", "http://"+lab.ServerAddr+":8080", lab.Post("/orders", 600), "router", "orders-1")
	b.Host("router", n.Router)
	b.Host("orders-1", n.Server, ports...)
	return n, nil
}

// startMaster runs nginx before a backend on its host, loads it, and returns the
// process id of its master.
func startMaster(b *lab.Bench, s Site, work time.Duration) (*lab.Network, int, error) {
	n, err := b.Network(false)
	if err != nil {
		return nil, 0, err
	}
	backend, err := b.Child(n.Server, "api", lab.Arg("addr", "127.0.0.1:9090"), lab.Arg("work", work))
	if err != nil {
		return nil, 0, err
	}
	s.Backends = []*lab.Child{backend}
	pid, err := StartSite(b, n.Server, lab.ServerAddr, s)
	if err != nil {
		return nil, 0, err
	}
	b.Target("orders", "http://"+lab.ServerAddr+":8080", lab.Post("/orders", 600), "router", "orders-1")
	b.Host("router", n.Router)
	b.Host("orders-1", n.Server, 8080, 9090)
	b.RampTo(80, b.Between(220, 300), 18*time.Second)
	return n, pid, b.WatchKernel(n.Server, "server")
}
