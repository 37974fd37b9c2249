package haproxy

import (
	"fmt"
	"time"

	"github.com/rampload/rampload/cmd/internal/lab"
	"github.com/rampload/rampload/cmd/internal/lab/nginx"
)

// transparentScenarios are proxies that pass on what is behind them as it is:
// haproxy in TCP mode, nginx without buffers, and a limit of what waits.
func transparentScenarios() []lab.Scenario {
	scenario := func(family, cause, name, about string, program lab.Need, fill func(*lab.Bench) error) lab.Scenario {
		return lab.InNetwork(program)(family, cause, name, about, fill)
	}
	return []lab.Scenario{
		scenario("upstream", "upstream-ungraceful-restart", "haproxy-tcp-restart",
			"haproxy relays TCP and closes on its callers while the service behind it is killed and started again on a clock (mode tcp)", "haproxy", func(b *lab.Bench) error {
				b.Run.Expect.Causes = []string{"upstream-process-crash", "upstream-worker-killed"}
				n, err := b.Network(false)
				if err != nil {
					return err
				}
				up, err := b.Supervised(n.Server, []string{lab.Arg("addr", lab.ServerAddr+":8080"), lab.Arg("kill-after", b.Millis(8000, 10000)), lab.Arg("kill-every", b.Millis(5000, 6000)), lab.Arg("pause", b.Millis(500, 900))},
					"api", lab.Arg("work", "20ms"))
				if err != nil {
					return err
				}
				if _, err := StartBalancer(b, n.Router, lab.RouterClient, Balancer{Defaults: "mode tcp\n\toption tcplog\n\tretries 0", Servers: []*lab.Child{up}}); err != nil {
					return err
				}
				b.ThroughProxy(n, up, 200)
				return b.WatchKernel(n.Server, "upstream")
			}),
		scenario("controls", "healthy", "healthy-tcp-checks",
			"haproxy's health checks end with RSTs many times a second, as always, and harm nobody (check)", "haproxy", func(b *lab.Bench) error {
				n, up, err := b.Upstream("api", lab.Arg("work", b.Millis(10, 20)))
				if err != nil {
					return err
				}
				if _, err := StartBalancer(b, n.Router, lab.RouterClient, Balancer{
					Defaults: "mode tcp\n\toption tcplog", server: fmt.Sprintf("check inter %d", b.Whole(20, 50)), Servers: []*lab.Child{up},
				}); err != nil {
					return err
				}
				b.ThroughProxy(n, up, 220)
				return nil
			}),
		scenario("proxy", "proxy-queue-limit", "haproxy-queue-full",
			"haproxy answers 503 at once when too many requests wait for the service behind it (maxconn, queue)", "haproxy", func(b *lab.Bench) error {
				slots, work := b.Whole(20, 35), b.Millis(70, 110)
				n, up, err := b.Upstream("api", lab.Arg("work", work))
				if err != nil {
					return err
				}
				if _, err := StartBalancer(b, n.Router, lab.RouterClient, Balancer{
					frontend: fmt.Sprintf("http-request deny deny_status 503 if { queue(back) ge %d }", b.Whole(8, 16)),
					server:   fmt.Sprintf("maxconn %d", slots), Servers: []*lab.Child{up},
				}); err != nil {
					return err
				}
				load := float64(slots) / work.Seconds()
				b.ThroughProxy(n, up, load)
				b.Onset(load, 0.3)
				watchDenied(b, "dreq")
				return nil
			}),
		scenario("early-response", "upstream-early-response-unread-body", "nginx-upstream-early",
			"the service behind an nginx without request buffers answers large uploads early and resets them (proxy_request_buffering off)", "nginx", func(b *lab.Bench) error {
				b.Run.Expect.Causes = []string{"early-response-unread-body"}
				size := b.Whole(400_000, 900_000)
				n, up, err := b.Upstream("api", lab.Arg("early", 64_000), lab.Arg("work", "3ms"))
				if err != nil {
					return err
				}
				if _, err := nginx.StartSite(b, n.Router, lab.RouterClient, nginx.Site{
					Backends: []*lab.Child{up}, Server: "client_max_body_size 0;", Location: "proxy_request_buffering off;",
				}, "reset by peer", "Broken pipe", "prematurely closed"); err != nil {
					return err
				}
				b.ThroughProxy(n, up, 1)
				b.Run.Profile.Targets[0].Requests = lab.Mixed(lab.Post("/orders", 500), lab.Post("/upload", size), 0.06)
				b.RampTo(50, b.Between(150, 200), 18*time.Second)
				return nil
			}),
	}
}
