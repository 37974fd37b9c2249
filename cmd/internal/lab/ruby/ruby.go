// Package ruby is a family of the lab's scenarios: Puma and Unicorn.
package ruby

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rampload/rampload/cmd/internal/lab"
)

// Scenarios have Ruby's servers: Puma with its few threads, and Unicorn,
// deployed in a hurry and with patience.
func Scenarios() []lab.Scenario {
	scenario := func(family, cause, name, about string, program lab.Need, fill func(*lab.Bench) error) lab.Scenario {
		return lab.InNetwork(program)(family, cause, name, about, fill)
	}
	return []lab.Scenario{
		scenario("threads", "server-threads", "puma-threads",
			"requests wait for one of Puma's few threads for longer than their callers do (threads)", "puma", func(b *lab.Bench) error {
				b.Run.Expect.Causes = []string{"client-timeout"} // it is how a caller sees it
				threads, work := b.Whole(5, 8), b.Millis(50, 70)
				n, err := b.Network(false)
				if err != nil {
					return err
				}
				if err := startRack(b, n.Server, work, "puma", "--no-config", "--silent", "--environment=production",
					fmt.Sprintf("--threads=%d:%d", threads, threads), "--bind=tcp://"+lab.ServerAddr+":8080"); err != nil {
					return err
				}
				b.AtServer(n, lab.Post("/orders", 600), 8080)
				b.Run.Profile.Client.Timeout = 1200 * time.Millisecond
				load := float64(threads) / (work.Seconds() + 0.001)
				b.RampTo(0.4*load, 2*load, 18*time.Second)
				b.Onset(1.3*load, 0.3)
				// What Puma answers to callers that have gone is reset by them.
				return b.WatchKernel(n.Server, "server", "EstabResets")
			}),
		scenario("restart", "ungraceful-restart", "unicorn-deploy-quick",
			"deployments end Unicorn in the middle of requests and start it again (SIGTERM, its quick shutdown)", "unicorn", func(b *lab.Bench) error {
				workers, work := b.Whole(8, 12), b.Millis(40, 70)
				n, err := b.Network(false)
				if err != nil {
					return err
				}
				master, err := startUnicorn(b, n.Server, workers, work, true)
				if err != nil {
					return err
				}
				b.AtServer(n, lab.Post("/orders", 600), 8080)
				b.RampTo(40, 0.7*float64(workers)/work.Seconds(), 18*time.Second)
				if err := b.WatchKernel(n.Server, "server"); err != nil {
					return err
				}
				return b.NowAndThen(n, 4, b.Millis(3500, 4500), func() {
					if pid := master(); pid > 0 && lab.Signal(pid, syscall.SIGTERM) {
						b.Tally.Harm("deployments")
					}
				})
			}),
		scenario("controls", "healthy", "healthy-unicorn-upgrade",
			"deployments start a second Unicorn on the same listener and then let the first one finish what it is doing (SIGUSR2, SIGQUIT)", "unicorn", func(b *lab.Bench) error {
				workers, work := b.Whole(8, 12), b.Millis(40, 70)
				n, err := b.Network(false)
				if err != nil {
					return err
				}
				master, err := startUnicorn(b, n.Server, workers, work, false)
				if err != nil {
					return err
				}
				b.AtServer(n, lab.Post("/orders", 600), 8080)
				b.RampTo(40, 0.6*float64(workers)/work.Seconds(), 18*time.Second)
				first, overlap, rest := b.Millis(2500, 3500), b.Millis(1800, 2200), b.Millis(3500, 4000)
				if err := b.OnTraffic(n.Server, func(ctx context.Context) error {
					for next := first; lab.Wait(ctx, next); next = rest {
						old := master()
						if old == 0 || !lab.Signal(old, lab.SigReload) || !lab.Wait(ctx, overlap) {
							return nil
						}
						if now := master(); now > 0 && now != old && lab.Signal(old, syscall.SIGQUIT) {
							b.Tally.Count("deployments")
						}
					}
					return nil
				}); err != nil {
					return err
				}
				return b.WatchKernel(n.Server, "server")
			}),
	}
}

// startRack starts a Ruby server on port 8080 of the server's address with an
// application that answers after some time.
func startRack(b *lab.Bench, netns string, work time.Duration, program string, args ...string) error {
	app := fmt.Sprintf(`run lambda { |env|
  env["rack.input"].read
  sleep %g
  [200, {"Content-Type" => "text/plain", "Content-Length" => "2"}, ["ok"]]
}
`, work.Seconds())
	file := filepath.Join(b.Env.Dir, "config.ru")
	if err := os.WriteFile(file, []byte(app), 0o600); err != nil {
		return fmt.Errorf("write application: %w", err)
	}
	if _, err := b.Program(netns, nil, program, append(args, file)...); err != nil {
		return err
	}
	return b.Answers(netns, netip.MustParseAddr(lab.ServerAddr), 8080)
}

// startUnicorn starts Unicorn, again whenever it ends if it is to be kept, and returns
// how to find the process id of its master, 0 if there is none.
func startUnicorn(b *lab.Bench, netns string, workers int, work time.Duration, kept bool) (func() int, error) {
	pid := filepath.Join(b.Env.Dir, "unicorn.pid")
	conf := fmt.Sprintf(`worker_processes %d
listen "%s:8080", :backlog => 1024
pid "%s"
preload_app true
timeout 30
`, workers, lab.ServerAddr, pid)
	file := filepath.Join(b.Env.Dir, "unicorn.rb")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		return nil, fmt.Errorf("write configuration: %w", err)
	}
	program, args := "unicorn", []string{"-E", "none", "-c", file}
	if kept {
		program, args = "sh", append([]string{"-c", `while :; do unicorn "$@"; sleep 0.1; done`, "sh"}, args...)
	}
	if err := startRack(b, netns, work, program, args...); err != nil {
		return nil, err
	}
	return func() int {
		raw, err := os.ReadFile(pid)
		if err != nil {
			return 0
		}
		n, err := strconv.Atoi(strings.TrimSpace(string(raw)))
		if err != nil {
			return 0
		}
		return n
	}, nil
}
