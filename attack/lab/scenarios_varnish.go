package lab

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// varnishScenarios have a real Varnish: its limit of threads, and how it answers
// from its cache while the service behind it is ill.
func varnishScenarios() []Scenario {
	scenario := inNetwork("gcc", "varnishd")
	return []Scenario{
		scenario("threads", "server-threads", "varnish-threads",
			"Varnish needs a thread for each request and another one to fetch it, and without any left it accepts nobody (thread_pool_max)", func(b *bench) error {
				b.run.Expect.Causes = []string{"listen-backlog"} // where those wait that are not accepted
				threads, work := b.whole(60, 90), b.millis(90, 130)
				n, err := b.network(false)
				if err != nil {
					return err
				}
				backend, err := b.child(n.server, "api", arg("addr", "127.0.0.1:9090"), arg("work", work))
				if err != nil {
					return err
				}
				if err := b.varnish(n.server, serverAddr, backend, "return (pass);",
					"thread_pools=1", fmt.Sprintf("thread_pool_min=%d", threads), fmt.Sprintf("thread_pool_max=%d", threads)); err != nil {
					return err
				}
				b.atServer(n, post("/orders", 600), 8080, 9090)
				load := float64(threads) / 2 / work.Seconds()
				b.rampTo(0.3*load, 1.6*load, 18*time.Second)
				b.onset(0.9*load, 0.3)
				b.watchVarnish("MAIN.threads_limited")
				return b.watchKernel(n.server, "server", "ListenOverflows")
			}),
		scenario("controls", "healthy", "healthy-varnish-grace",
			"the service behind Varnish resets every other request, and Varnish answers from its cache meanwhile (grace)", func(b *bench) error {
				n, up, err := b.upstream("api", arg("work", b.millis(5, 15)), arg("abort-every", 2), "-retried")
				if err != nil {
					return err
				}
				if err := b.varnish(n.router, routerClient, up, "return (hash);"); err != nil {
					return err
				}
				b.throughProxy(n, up, 1)
				b.run.Profile.Targets[0].Requests = get("/orders")
				b.rampTo(80, b.between(280, 360), 18*time.Second)
				return nil
			}),
	}
}

// varnish starts Varnish on port 8080 of an address, before a backend. What it
// keeps is soon old, and good for want of better.
func (b *bench) varnish(netns, addr string, up *Child, receive string, parameters ...string) error {
	rules := fmt.Sprintf(`vcl 4.1;
backend orders { .host = "%s"; .port = "%d"; }
sub vcl_recv { %s }
sub vcl_backend_response { set beresp.ttl = 0.3s; set beresp.grace = 1h; }
sub vcl_backend_error { if (bereq.is_bgfetch) { return (abandon); } }
`, up.Addr().Addr(), up.Addr().Port(), receive)
	file := filepath.Join(b.env.Dir, "orders.vcl")
	if err := os.WriteFile(file, []byte(rules), 0o600); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	args := []string{"-F", "-j", "none", "-n", b.varnishDir(), "-a", addr + ":8080", "-f", file, "-s", "malloc,32m", "-p", "vsl_space=8M"}
	for _, p := range parameters {
		args = append(args, "-p", p)
	}
	if _, err := b.program(netns, nil, "varnishd", args...); err != nil {
		return err
	}
	return b.answers(netns, netip.MustParseAddr(addr), 8080)
}

func (b *bench) varnishDir() string { return filepath.Join(b.env.Dir, "varnish") }

// watchVarnish follows one of Varnish's counters as harm.
func (b *bench) watchVarnish(counter string) {
	var last int64
	b.watch(func() {
		out, err := exec.Command("varnishstat", "-1", "-n", b.varnishDir(), "-f", counter).Output()
		if err != nil {
			return
		}
		if fields := strings.Fields(string(out)); len(fields) > 1 {
			if n, err := strconv.ParseInt(fields[1], 10, 64); err == nil {
				b.tally.harmBy(counter, n-last)
				last = n
			}
		}
	}, 250*time.Millisecond)
}
