// Package varnish is a family of the lab's scenarios: Varnish as a cache.
package varnish

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rampload/rampload/cmd/internal/lab"
)

// Scenarios have a real Varnish: its limit of threads, and how it answers
// from its cache while the service behind it is ill.
func Scenarios() []lab.Scenario {
	scenario := lab.InNetwork("gcc", "varnishd")
	return []lab.Scenario{
		scenario("threads", "server-threads", "varnish-threads",
			"Varnish needs a thread for each request and another one to fetch it, and without any left it accepts nobody (thread_pool_max)", func(b *lab.Bench) error {
				b.Run.Expect.Causes = []string{"listen-backlog"} // where those wait that are not accepted
				threads, work := b.Whole(60, 90), b.Millis(90, 130)
				n, err := b.Network(false)
				if err != nil {
					return err
				}
				backend, err := b.Child(n.Server, "api", lab.Arg("addr", "127.0.0.1:9090"), lab.Arg("work", work))
				if err != nil {
					return err
				}
				if err := startVarnish(b, n.Server, lab.ServerAddr, backend, "return (pass);",
					"thread_pools=1", fmt.Sprintf("thread_pool_min=%d", threads), fmt.Sprintf("thread_pool_max=%d", threads)); err != nil {
					return err
				}
				b.AtServer(n, lab.Post("/orders", 600), 8080, 9090)
				load := float64(threads) / 2 / work.Seconds()
				b.RampTo(0.3*load, 1.6*load, 18*time.Second)
				b.Onset(0.9*load, 0.3)
				watchVarnish(b, "MAIN.threads_limited")
				return b.WatchKernel(n.Server, "server", "ListenOverflows")
			}),
		scenario("controls", "healthy", "healthy-varnish-grace",
			"the service behind Varnish resets every other request, and Varnish answers from its cache meanwhile (grace)", func(b *lab.Bench) error {
				n, up, err := b.Upstream("api", lab.Arg("work", b.Millis(5, 15)), lab.Arg("abort-every", 2), "-retried")
				if err != nil {
					return err
				}
				if err := startVarnish(b, n.Router, lab.RouterClient, up, "return (hash);"); err != nil {
					return err
				}
				b.ThroughProxy(n, up, 1)
				b.Run.Profile.Targets[0].Requests = lab.Get("/orders")
				b.RampTo(80, b.Between(280, 360), 18*time.Second)
				return nil
			}),
	}
}

// startVarnish starts Varnish on port 8080 of an address, before a backend. What it
// keeps is soon old, and good for want of better.
func startVarnish(b *lab.Bench, netns, addr string, up *lab.Child, receive string, parameters ...string) error {
	rules := fmt.Sprintf(`vcl 4.1;
backend orders { .host = "%s"; .port = "%d"; }
sub vcl_recv { %s }
sub vcl_backend_response { set beresp.ttl = 0.3s; set beresp.grace = 1h; }
sub vcl_backend_error { if (bereq.is_bgfetch) { return (abandon); } }
`, up.Addr().Addr(), up.Addr().Port(), receive)
	file := filepath.Join(b.Env.Dir, "orders.vcl")
	if err := os.WriteFile(file, []byte(rules), 0o600); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	args := []string{"-F", "-j", "none", "-n", varnishDir(b), "-a", addr + ":8080", "-f", file, "-s", "malloc,32m", "-p", "vsl_space=8M"}
	for _, p := range parameters {
		args = append(args, "-p", p)
	}
	if _, err := b.Program(netns, nil, "varnishd", args...); err != nil {
		return err
	}
	return b.Answers(netns, netip.MustParseAddr(addr), 8080)
}

func varnishDir(b *lab.Bench) string { return filepath.Join(b.Env.Dir, "varnish") }

// watchVarnish follows one of Varnish's counters as harm.
func watchVarnish(b *lab.Bench, counter string) {
	var last int64
	b.Watch(func() {
		out, err := exec.Command("varnishstat", "-1", "-n", varnishDir(b), "-f", counter).Output()
		if err != nil {
			return
		}
		if fields := strings.Fields(string(out)); len(fields) > 1 {
			if n, err := strconv.ParseInt(fields[1], 10, 64); err == nil {
				b.Tally.HarmBy(counter, n-last)
				last = n
			}
		}
	}, 250*time.Millisecond)
}
