package lab

import (
	"fmt"
	"time"
)

// transparentScenarios are proxies that pass on what is behind them as it is:
// haproxy in TCP mode, nginx without buffers, and a limit of what waits.
func transparentScenarios() []Scenario {
	scenario := func(family, cause, name, about string, program Need, fill func(*bench) error) Scenario {
		return inNetwork(program)(family, cause, name, about, fill)
	}
	return []Scenario{
		scenario("upstream", "upstream-ungraceful-restart", "haproxy-tcp-restart",
			"haproxy relays TCP and closes on its callers while the service behind it is killed and started again on a clock (mode tcp)", "haproxy", func(b *bench) error {
				b.run.Expect.Causes = []string{"upstream-process-crash", "upstream-worker-killed"}
				n, err := b.network(false)
				if err != nil {
					return err
				}
				up, err := b.supervised(n.server, []string{arg("addr", serverAddr+":8080"), arg("kill-after", b.millis(8000, 10000)), arg("kill-every", b.millis(5000, 6000)), arg("pause", b.millis(500, 900))},
					"api", arg("work", "20ms"))
				if err != nil {
					return err
				}
				if _, err := b.balancer(n.router, routerClient, balancer{defaults: "mode tcp\n\toption tcplog\n\tretries 0", servers: []*Child{up}}); err != nil {
					return err
				}
				b.throughProxy(n, up, 200)
				return b.watchKernel(n.server, "upstream")
			}),
		scenario("controls", "healthy", "healthy-tcp-checks",
			"haproxy's health checks end with RSTs many times a second, as always, and harm nobody (check)", "haproxy", func(b *bench) error {
				n, up, err := b.upstream("api", arg("work", b.millis(10, 20)))
				if err != nil {
					return err
				}
				if _, err := b.balancer(n.router, routerClient, balancer{
					defaults: "mode tcp\n\toption tcplog", server: fmt.Sprintf("check inter %d", b.whole(20, 50)), servers: []*Child{up},
				}); err != nil {
					return err
				}
				b.throughProxy(n, up, 220)
				return nil
			}),
		scenario("proxy", "proxy-queue-limit", "haproxy-queue-full",
			"haproxy answers 503 at once when too many requests wait for the service behind it (maxconn, queue)", "haproxy", func(b *bench) error {
				slots, work := b.whole(20, 35), b.millis(70, 110)
				n, up, err := b.upstream("api", arg("work", work))
				if err != nil {
					return err
				}
				if _, err := b.balancer(n.router, routerClient, balancer{
					frontend: fmt.Sprintf("http-request deny deny_status 503 if { queue(back) ge %d }", b.whole(8, 16)),
					server:   fmt.Sprintf("maxconn %d", slots), servers: []*Child{up},
				}); err != nil {
					return err
				}
				load := float64(slots) / work.Seconds()
				b.throughProxy(n, up, load)
				b.onset(load, 0.3)
				b.watchDenied("dreq")
				return nil
			}),
		scenario("early-response", "upstream-early-response-unread-body", "nginx-upstream-early",
			"the service behind an nginx without request buffers answers large uploads early and resets them (proxy_request_buffering off)", "nginx", func(b *bench) error {
				b.run.Expect.Causes = []string{"early-response-unread-body"}
				size := b.whole(400_000, 900_000)
				n, up, err := b.upstream("api", arg("early", 64_000), arg("work", "3ms"))
				if err != nil {
					return err
				}
				if _, err := b.nginxSite(n.router, routerClient, site{
					backends: []*Child{up}, server: "client_max_body_size 0;", location: "proxy_request_buffering off;",
				}, "reset by peer", "Broken pipe", "prematurely closed"); err != nil {
					return err
				}
				b.throughProxy(n, up, 1)
				b.run.Profile.Targets[0].Requests = b.mixed(post("/orders", 500), post("/upload", size), 0.06)
				b.rampTo(50, b.between(150, 200), 18*time.Second)
				return nil
			}),
	}
}
