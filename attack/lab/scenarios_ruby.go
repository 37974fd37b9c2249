package lab

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
)

// rubyScenarios have Ruby's servers: Puma with its few threads, and Unicorn,
// deployed in a hurry and with patience.
func rubyScenarios() []Scenario {
	scenario := func(family, cause, name, about string, program Need, fill func(*bench) error) Scenario {
		return inNetwork(program)(family, cause, name, about, fill)
	}
	return []Scenario{
		scenario("threads", "server-threads", "puma-threads",
			"requests wait for one of Puma's few threads for longer than their callers do (threads)", "puma", func(b *bench) error {
				b.run.Expect.Causes = []string{"client-timeout"} // it is how a caller sees it
				threads, work := b.whole(5, 8), b.millis(50, 70)
				n, err := b.network(false)
				if err != nil {
					return err
				}
				if err := b.rack(n.server, work, "puma", "--no-config", "--silent", "--environment=production",
					fmt.Sprintf("--threads=%d:%d", threads, threads), "--bind=tcp://"+serverAddr+":8080"); err != nil {
					return err
				}
				b.atServer(n, post("/orders", 600), 8080)
				b.run.Profile.Client.Timeout = 1200 * time.Millisecond
				load := float64(threads) / (work.Seconds() + 0.001)
				b.rampTo(0.4*load, 2*load, 18*time.Second)
				b.onset(1.3*load, 0.3)
				// What Puma answers to callers that have gone is reset by them.
				return b.watchKernel(n.server, "server", "EstabResets")
			}),
		scenario("restart", "ungraceful-restart", "unicorn-deploy-quick",
			"deployments end Unicorn in the middle of requests and start it again (SIGTERM, its quick shutdown)", "unicorn", func(b *bench) error {
				workers, work := b.whole(8, 12), b.millis(40, 70)
				n, err := b.network(false)
				if err != nil {
					return err
				}
				master, err := b.unicorn(n.server, workers, work, true)
				if err != nil {
					return err
				}
				b.atServer(n, post("/orders", 600), 8080)
				b.rampTo(40, 0.7*float64(workers)/work.Seconds(), 18*time.Second)
				if err := b.watchKernel(n.server, "server"); err != nil {
					return err
				}
				return b.nowAndThen(n, 4, b.millis(3500, 4500), func() {
					if pid := master(); pid > 0 && signal(pid, syscall.SIGTERM) {
						b.tally.harm("deployments")
					}
				})
			}),
		scenario("controls", "healthy", "healthy-unicorn-upgrade",
			"deployments start a second Unicorn on the same listener and then let the first one finish what it is doing (SIGUSR2, SIGQUIT)", "unicorn", func(b *bench) error {
				workers, work := b.whole(8, 12), b.millis(40, 70)
				n, err := b.network(false)
				if err != nil {
					return err
				}
				master, err := b.unicorn(n.server, workers, work, false)
				if err != nil {
					return err
				}
				b.atServer(n, post("/orders", 600), 8080)
				b.rampTo(40, 0.6*float64(workers)/work.Seconds(), 18*time.Second)
				first, overlap, rest := b.millis(2500, 3500), b.millis(1800, 2200), b.millis(3500, 4000)
				if err := b.onTraffic(n.server, func(ctx context.Context) error {
					for next := first; pause(ctx, next); next = rest {
						old := master()
						if old == 0 || !signal(old, sigReload) || !pause(ctx, overlap) {
							return nil
						}
						if now := master(); now > 0 && now != old && signal(old, syscall.SIGQUIT) {
							b.tally.count("deployments")
						}
					}
					return nil
				}); err != nil {
					return err
				}
				return b.watchKernel(n.server, "server")
			}),
	}
}

// rack starts a Ruby server on port 8080 of the server's address with an
// application that answers after some time.
func (b *bench) rack(netns string, work time.Duration, program string, args ...string) error {
	app := fmt.Sprintf(`run lambda { |env|
  env["rack.input"].read
  sleep %g
  [200, {"Content-Type" => "text/plain", "Content-Length" => "2"}, ["ok"]]
}
`, work.Seconds())
	file := filepath.Join(b.env.Dir, "config.ru")
	if err := os.WriteFile(file, []byte(app), 0o600); err != nil {
		return fmt.Errorf("write application: %w", err)
	}
	if _, err := b.program(netns, nil, program, append(args, file)...); err != nil {
		return err
	}
	return b.answers(netns, netip.MustParseAddr(serverAddr), 8080)
}

// unicorn starts Unicorn, again whenever it ends if it is to be kept, and returns
// how to find the process id of its master, 0 if there is none.
func (b *bench) unicorn(netns string, workers int, work time.Duration, kept bool) (func() int, error) {
	pid := filepath.Join(b.env.Dir, "unicorn.pid")
	conf := fmt.Sprintf(`worker_processes %d
listen "%s:8080", :backlog => 1024
pid "%s"
preload_app true
timeout 30
`, workers, serverAddr, pid)
	file := filepath.Join(b.env.Dir, "unicorn.rb")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		return nil, fmt.Errorf("write configuration: %w", err)
	}
	program, args := "unicorn", []string{"-E", "none", "-c", file}
	if kept {
		program, args = "sh", append([]string{"-c", `while :; do unicorn "$@"; sleep 0.1; done`, "sh"}, args...)
	}
	if err := b.rack(netns, work, program, args...); err != nil {
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
