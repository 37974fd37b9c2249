package haproxy

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

	"github.com/rampload/rampload/cmd/internal/lab"
)

// haproxyScenarios are policies, timeouts and restarts of a real haproxy.
func haproxyScenarios() []lab.Scenario {
	scenario := lab.InNetwork("haproxy")
	return []lab.Scenario{
		scenario("rate-limit", "rate-limit-policy", "haproxy-connection-rate",
			"haproxy rejects connections beyond a rate for each caller (tcp-request connection reject)", func(b *lab.Bench) error {
				rate := b.Whole(90, 160)
				b.Run.Profile.Client.Connections = 0
				return haproxyPolicy(b, float64(rate), "1ms", fmt.Sprintf(`stick-table type ip size 1k expire 30s store conn_rate(1s)
	tcp-request connection track-sc0 src
	tcp-request connection reject if { sc0_conn_rate gt %d }`, rate), "dcon")
			}),
		scenario("connection-slots", "server-connection-limit", "haproxy-connections-each",
			"haproxy rejects connections of callers that have many (src_conn_cur)", func(b *lab.Bench) error {
				limit, work := b.Whole(25, 45), b.Millis(80, 120)
				b.Run.Expect.Causes = []string{"proxy-queue-limit"} // the catalogue's name of a proxy's connection limit
				return haproxyPolicy(b, float64(limit)/work.Seconds(), work.String(), fmt.Sprintf(`stick-table type ip size 1k expire 30s store conn_cur
	tcp-request connection track-sc0 src
	tcp-request connection reject if { sc0_conn_cur gt %d }`, limit), "dcon")
			}),
		scenario("rate-limit", "rate-limit-policy", "haproxy-request-rate",
			"haproxy closes connections whose caller sends too many requests (http-request reject)", func(b *lab.Bench) error {
				rate := b.Whole(150, 260)
				return haproxyPolicy(b, float64(rate), "2ms", fmt.Sprintf(`stick-table type ip size 1k expire 30s store http_req_rate(1s)
	http-request track-sc0 src
	http-request reject if { sc_http_req_rate(0) gt %d }`, rate), "dreq")
			}),
		scenario("rate-limit", "rate-limit-policy", "haproxy-silent-drop",
			"haproxy forgets connections whose caller sends too many requests and says nothing (silent-drop)", func(b *lab.Bench) error {
				rate := b.Whole(150, 260)
				b.Run.Profile.Client.Timeout = 800 * time.Millisecond
				b.Run.Expect.Causes = []string{"path-rate-limit"} // from outside it cannot be told from a box before it
				return haproxyPolicy(b, float64(rate), "2ms", fmt.Sprintf(`stick-table type ip size 1k expire 30s store http_req_rate(1s)
	http-request track-sc0 src
	http-request silent-drop if { sc_http_req_rate(0) gt %d }`, rate), "dreq")
			}),
		scenario("rate-limit", "rate-limit-policy", "haproxy-tarpit",
			"haproxy holds requests of a caller that sends too many, and then answers 500 (http-request tarpit)", func(b *lab.Bench) error {
				rate := b.Whole(150, 260)
				return haproxyPolicy(b, float64(rate), "2ms", fmt.Sprintf(`timeout tarpit %d
	stick-table type ip size 1k expire 30s store http_req_rate(1s)
	http-request track-sc0 src
	http-request tarpit if { sc_http_req_rate(0) gt %d }`, b.Whole(300, 600), rate), "dreq")
			}),
		scenario("keep-alive", "idle-timeout-race", "haproxy-keepalive-timeout",
			"over a long path haproxy's FIN for an idle connection and the next request cross each other (timeout http-keep-alive)", func(b *lab.Bench) error {
				idle, delay := b.Millis(350, 550), b.Millis(10, 25)
				n, err := b.Network(false)
				if err != nil {
					return err
				}
				backend, err := b.Child(n.Server, "api", lab.Arg("addr", "127.0.0.1:9090"))
				if err != nil {
					return err
				}
				if _, err := StartBalancer(b, n.Server, lab.ServerAddr, Balancer{Defaults: fmt.Sprintf("timeout http-keep-alive %d\n\tdefault-server pool-purge-delay 60s", idle.Milliseconds()), Servers: []*lab.Child{backend}}); err != nil {
					return err
				}
				if err := b.Delay(n, delay); err != nil {
					return err
				}
				b.Target("orders", "http://"+lab.ServerAddr+":8080", lab.Post("/orders", 500), "router", "orders-1")
				b.Host("router", n.Router)
				b.Host("orders-1", n.Server, 8080, 9090)
				b.Bursts(b.Whole(20, 40), idle+delay, delay, 24*time.Second)
				return b.WatchKernel(n.Server, "server", "TCPAbortOnData")
			}),
		scenario("upstream", "upstream-cpu-shedding", "haproxy-server-timeout",
			"haproxy answers 504 because the service behind it has used up its CPU and is slow (timeout server)", func(b *lab.Bench) error {
				// The catalogue has no key for a slow upstream against a proxy's timeout.
				b.Run.Expect.Causes = []string{"upstream-client-timeout", "client-timeout", "server-cpu-shedding"}
				work := time.Duration(b.Between(2.5, 4) * float64(time.Millisecond))
				n, up, err := b.Upstream("api", lab.Arg("cores", 1), lab.Arg("workers", 1), lab.Arg("cpu", work))
				if err != nil {
					return err
				}
				if _, err := StartBalancer(b, n.Router, lab.RouterClient, Balancer{Defaults: fmt.Sprintf("timeout server %d", b.Whole(250, 400)), Servers: []*lab.Child{up}}, " sH-- "); err != nil {
					return err
				}
				b.ThroughProxy(n, up, 1/work.Seconds())
				return nil
			}),
		scenario("upstream", "upstream-ungraceful-restart", "haproxy-no-server",
			"haproxy answers 503 while the service behind it is killed and started again on a clock", func(b *lab.Bench) error {
				b.Run.Expect.Causes = []string{"upstream-process-crash", "upstream-worker-killed"}
				n, err := b.Network(false)
				if err != nil {
					return err
				}
				up, err := b.Supervised(n.Server, []string{lab.Arg("addr", lab.ServerAddr+":8080"), lab.Arg("kill-after", b.Millis(5000, 7000)), lab.Arg("kill-every", b.Millis(5000, 6000)), lab.Arg("pause", b.Millis(600, 1000))},
					"api", lab.Arg("work", "15ms"))
				if err != nil {
					return err
				}
				if _, err := StartBalancer(b, n.Router, lab.RouterClient, Balancer{server: "check inter 200 fall 2 rise 1", Defaults: "option redispatch", Servers: []*lab.Child{up}}, " SC-- ", " SH-- ", " sC-- "); err != nil {
					return err
				}
				b.ThroughProxy(n, up, 250)
				return b.WatchKernel(n.Server, "upstream")
			}),
		scenario("restart", "ungraceful-restart", "haproxy-hard-stop",
			"haproxy is reloaded and its old process has too little time for what it is doing (hard-stop-after)", func(b *lab.Bench) error {
				b.Run.Expect.Causes = []string{"worker-recycling", "worker-killed"}
				n, up, err := b.Upstream("api", lab.Arg("work", b.Millis(500, 700)))
				if err != nil {
					return err
				}
				pid, err := StartBalancer(b, n.Router, lab.RouterClient, Balancer{Global: "hard-stop-after 100ms", flags: []string{"-W"}, Servers: []*lab.Child{up}})
				if err != nil {
					return err
				}
				b.ThroughProxy(n, up, 160)
				return b.NowAndThen(n, 4, b.Millis(3500, 4500), func() {
					if lab.Signal(pid, lab.SigReload) {
						b.Tally.Harm("reloads")
					}
				})
			}),
	}
}

// Balancer is haproxy as a scenario wants it: parts of its configuration.
type Balancer struct {
	flags                               []string
	Global, Defaults, frontend, Backend string
	server                              string // parameters of each server
	Servers                             []*lab.Child
}

// StartBalancer starts haproxy on port 8080 of an address and returns its process id.
// The texts are harm when its log gets them.
func StartBalancer(b *lab.Bench, netns, addr string, h Balancer, texts ...string) (int, error) {
	var servers strings.Builder
	for i, c := range h.Servers {
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
%s`, statsSocket(b), h.Global, h.Defaults, addr, h.frontend, h.Backend, servers.String())
	file := filepath.Join(b.Env.Dir, "haproxy.cfg")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		return 0, err
	}
	cmd, err := b.Program(netns, nil, "haproxy", append([]string{"-db", "-f", file}, h.flags...)...)
	if err != nil {
		return 0, err
	}
	if err := b.Answers(netns, netip.MustParseAddr(addr), 8080); err != nil {
		return 0, err
	}
	b.WatchLog("haproxy.log", texts...)
	return cmd.Process.Pid, nil
}

// haproxyPolicy runs haproxy with a policy of its frontend that the ramp crosses
// at a load, before a service on the server. Its column of "show stat" counts
// what the policy denied.
func haproxyPolicy(b *lab.Bench, load float64, work, frontend, column string) error {
	n, up, err := b.Upstream("api", lab.Arg("work", work))
	if err != nil {
		return err
	}
	if _, err := StartBalancer(b, n.Router, lab.RouterClient, Balancer{frontend: frontend, Servers: []*lab.Child{up}}); err != nil {
		return err
	}
	b.ThroughProxy(n, up, load)
	b.Onset(load, 0.25)
	watchDenied(b, column)
	return b.WatchKernel(n.Router, "proxy")
}

func statsSocket(b *lab.Bench) string { return filepath.Join(b.Env.Dir, "haproxy.sock") }

// watchDenied follows a column of the frontend in haproxy's statistics, as harm
// (its management guide, "Statistics and monitoring", CSV format).
func watchDenied(b *lab.Bench, column string) {
	last := int64(-1)
	b.Watch(func() {
		n, err := frontendStat(statsSocket(b), column)
		if err != nil {
			return
		}
		if last >= 0 {
			b.Tally.HarmBy("denied."+column, n-last)
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
