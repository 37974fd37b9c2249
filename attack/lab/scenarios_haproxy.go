package lab

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// haproxyScenarios are policies, timeouts and restarts of a real haproxy.
func haproxyScenarios() []Scenario {
	scenario := inNetwork("haproxy")
	return []Scenario{
		scenario("rate-limit", "rate-limit-policy", "haproxy-connection-rate",
			"haproxy rejects connections beyond a rate for each caller (tcp-request connection reject)", func(b *bench) error {
				rate := b.whole(90, 160)
				b.run.Profile.Client.Connections = 0
				return b.haproxyPolicy(float64(rate), "1ms", fmt.Sprintf(`stick-table type ip size 1k expire 30s store conn_rate(1s)
	tcp-request connection track-sc0 src
	tcp-request connection reject if { sc0_conn_rate gt %d }`, rate), "dcon")
			}),
		scenario("connection-slots", "server-connection-limit", "haproxy-connections-each",
			"haproxy rejects connections of callers that have many (src_conn_cur)", func(b *bench) error {
				limit, work := b.whole(25, 45), b.millis(80, 120)
				b.run.Expect.Causes = []string{"proxy-queue-limit"} // the catalogue's name of a proxy's connection limit
				return b.haproxyPolicy(float64(limit)/work.Seconds(), work.String(), fmt.Sprintf(`stick-table type ip size 1k expire 30s store conn_cur
	tcp-request connection track-sc0 src
	tcp-request connection reject if { sc0_conn_cur gt %d }`, limit), "dcon")
			}),
		scenario("rate-limit", "rate-limit-policy", "haproxy-request-rate",
			"haproxy closes connections whose caller sends too many requests (http-request reject)", func(b *bench) error {
				rate := b.whole(150, 260)
				return b.haproxyPolicy(float64(rate), "2ms", fmt.Sprintf(`stick-table type ip size 1k expire 30s store http_req_rate(1s)
	http-request track-sc0 src
	http-request reject if { sc_http_req_rate(0) gt %d }`, rate), "dreq")
			}),
		scenario("rate-limit", "rate-limit-policy", "haproxy-silent-drop",
			"haproxy forgets connections whose caller sends too many requests and says nothing (silent-drop)", func(b *bench) error {
				rate := b.whole(150, 260)
				b.run.Profile.Client.Timeout = 800 * time.Millisecond
				b.run.Expect.Causes = []string{"path-rate-limit"} // from outside it cannot be told from a box before it
				return b.haproxyPolicy(float64(rate), "2ms", fmt.Sprintf(`stick-table type ip size 1k expire 30s store http_req_rate(1s)
	http-request track-sc0 src
	http-request silent-drop if { sc_http_req_rate(0) gt %d }`, rate), "dreq")
			}),
		scenario("rate-limit", "rate-limit-policy", "haproxy-tarpit",
			"haproxy holds requests of a caller that sends too many, and then answers 500 (http-request tarpit)", func(b *bench) error {
				rate := b.whole(150, 260)
				return b.haproxyPolicy(float64(rate), "2ms", fmt.Sprintf(`timeout tarpit %d
	stick-table type ip size 1k expire 30s store http_req_rate(1s)
	http-request track-sc0 src
	http-request tarpit if { sc_http_req_rate(0) gt %d }`, b.whole(300, 600), rate), "dreq")
			}),
		scenario("keep-alive", "idle-timeout-race", "haproxy-keepalive-timeout",
			"over a long path haproxy's FIN for an idle connection and the next request cross each other (timeout http-keep-alive)", func(b *bench) error {
				idle, delay := b.millis(350, 550), b.millis(10, 25)
				n, err := b.network(false)
				if err != nil {
					return err
				}
				backend, err := b.child(n.server, "api", arg("addr", "127.0.0.1:9090"))
				if err != nil {
					return err
				}
				if _, err := b.balancer(n.server, serverAddr, balancer{defaults: fmt.Sprintf("timeout http-keep-alive %d\n\tdefault-server pool-purge-delay 60s", idle.Milliseconds()), servers: []*Child{backend}}); err != nil {
					return err
				}
				if err := b.delay(n, delay); err != nil {
					return err
				}
				b.target("orders", "http://"+serverAddr+":8080", post("/orders", 500), "router", "orders-1")
				b.host("router", n.router)
				b.host("orders-1", n.server, 8080, 9090)
				b.bursts(b.whole(20, 40), idle+delay, delay, 24*time.Second)
				return b.watchKernel(n.server, "server", "TCPAbortOnData")
			}),
		scenario("upstream", "upstream-cpu-shedding", "haproxy-server-timeout",
			"haproxy answers 504 because the service behind it has used up its CPU and is slow (timeout server)", func(b *bench) error {
				// The catalogue has no key for a slow upstream against a proxy's timeout.
				b.run.Expect.Causes = []string{"upstream-client-timeout", "client-timeout", "server-cpu-shedding"}
				work := time.Duration(b.between(2.5, 4) * float64(time.Millisecond))
				n, up, err := b.upstream("api", arg("cores", 1), arg("workers", 1), arg("cpu", work))
				if err != nil {
					return err
				}
				if _, err := b.balancer(n.router, routerClient, balancer{defaults: fmt.Sprintf("timeout server %d", b.whole(250, 400)), servers: []*Child{up}}, " sH-- "); err != nil {
					return err
				}
				b.throughProxy(n, up, 1/work.Seconds())
				return nil
			}),
		scenario("upstream", "upstream-ungraceful-restart", "haproxy-no-server",
			"haproxy answers 503 while the service behind it is killed and started again on a clock", func(b *bench) error {
				b.run.Expect.Causes = []string{"upstream-process-crash", "upstream-worker-killed"}
				n, err := b.network(false)
				if err != nil {
					return err
				}
				up, err := b.supervised(n.server, []string{arg("addr", serverAddr+":8080"), arg("kill-after", b.millis(5000, 7000)), arg("kill-every", b.millis(5000, 6000)), arg("pause", b.millis(600, 1000))},
					"api", arg("work", "15ms"))
				if err != nil {
					return err
				}
				if _, err := b.balancer(n.router, routerClient, balancer{server: "check inter 200 fall 2 rise 1", defaults: "option redispatch", servers: []*Child{up}}, " SC-- ", " SH-- ", " sC-- "); err != nil {
					return err
				}
				b.throughProxy(n, up, 250)
				return b.watchKernel(n.server, "upstream")
			}),
		scenario("restart", "ungraceful-restart", "haproxy-hard-stop",
			"haproxy is reloaded and its old process has too little time for what it is doing (hard-stop-after)", func(b *bench) error {
				b.run.Expect.Causes = []string{"worker-recycling", "worker-killed"}
				n, up, err := b.upstream("api", arg("work", b.millis(500, 700)))
				if err != nil {
					return err
				}
				pid, err := b.balancer(n.router, routerClient, balancer{global: "hard-stop-after 100ms", flags: []string{"-W"}, servers: []*Child{up}})
				if err != nil {
					return err
				}
				b.throughProxy(n, up, 160)
				return b.nowAndThen(n, 4, b.millis(3500, 4500), func() {
					if signal(pid, sigReload) {
						b.tally.harm("reloads")
					}
				})
			}),
	}
}

// balancer is haproxy as a scenario wants it: parts of its configuration.
type balancer struct {
	flags                               []string
	global, defaults, frontend, backend string
	server                              string // parameters of each server
	servers                             []*Child
}

// balancer starts haproxy on port 8080 of an address and returns its process id.
// The texts are harm when its log gets them.
func (b *bench) balancer(netns, addr string, h balancer, texts ...string) (int, error) {
	var servers strings.Builder
	for i, c := range h.servers {
		fmt.Fprintf(&servers, "\tserver upstream%d %s %s\n", i+1, c.Addr(), h.server)
	}
	conf := fmt.Sprintf(`global
	nbthread 1
	log stdout format raw local0
	stats socket %s mode 600 level operator
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
	%s
	default_backend back
backend back
	%s
%s`, b.statsSocket(), h.global, h.defaults, addr, h.frontend, h.backend, servers.String())
	file := filepath.Join(b.env.Dir, "haproxy.cfg")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		return 0, err
	}
	cmd, err := b.program(netns, nil, "haproxy", append([]string{"-db", "-f", file}, h.flags...)...)
	if err != nil {
		return 0, err
	}
	if err := b.answers(netns, netip.MustParseAddr(addr), 8080); err != nil {
		return 0, err
	}
	b.watchLog("haproxy.log", texts...)
	return cmd.Process.Pid, nil
}

// haproxyPolicy runs haproxy with a policy of its frontend that the ramp crosses
// at a load, before a service on the server. Its column of "show stat" counts
// what the policy denied.
func (b *bench) haproxyPolicy(load float64, work, frontend, column string) error {
	n, up, err := b.upstream("api", arg("work", work))
	if err != nil {
		return err
	}
	if _, err := b.balancer(n.router, routerClient, balancer{frontend: frontend, servers: []*Child{up}}); err != nil {
		return err
	}
	b.throughProxy(n, up, load)
	b.onset(load, 0.25)
	b.watchDenied(column)
	return b.watchKernel(n.router, "proxy")
}

func (b *bench) statsSocket() string { return filepath.Join(b.env.Dir, "haproxy.sock") }

// watchDenied follows a column of the frontend in haproxy's statistics, as harm
// (its management guide, "Statistics and monitoring", CSV format).
func (b *bench) watchDenied(column string) {
	last := int64(-1)
	b.watch(func() {
		n, err := frontendStat(b.statsSocket(), column)
		if err != nil {
			return
		}
		if last >= 0 {
			b.tally.harmBy("denied."+column, n-last)
		}
		last = n
	}, 100*time.Millisecond)
}

// frontendStat asks haproxy for a number of its frontend.
func frontendStat(socket, column string) (int64, error) {
	c, err := net.DialTimeout("unix", socket, time.Second)
	if err != nil {
		return 0, fmt.Errorf("ask haproxy: %w", err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Second))
	if _, err := c.Write([]byte("show stat -1 1 -1\n")); err != nil {
		return 0, fmt.Errorf("ask haproxy: %w", err)
	}
	rows := csv.NewReader(bufio.NewReader(c))
	rows.FieldsPerRecord = -1
	head, err := rows.Read()
	if err != nil {
		return 0, fmt.Errorf("read haproxy's statistics: %w", err)
	}
	row, err := rows.Read()
	if err != nil {
		return 0, fmt.Errorf("read haproxy's statistics: %w", err)
	}
	for i, name := range head {
		if name == column && i < len(row) {
			return strconv.ParseInt(row[i], 10, 64)
		}
	}
	return 0, fmt.Errorf("read haproxy's statistics: no column %s", column)
}
