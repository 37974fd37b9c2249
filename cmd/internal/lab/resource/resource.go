package resource

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rampload/rampload/cmd/internal/lab"
)

// resourceScenarios run into limits of memory, processor, SYN queue and
// bandwidth that the kernel keeps. They need root.
func resourceScenarios() []lab.Scenario {
	scenario := lab.InNetwork()
	return []lab.Scenario{
		scenario("memory", "server-memory-oom", "oom",
			"a service leaks memory until its cgroup's limit kills it, and is started again", func(b *lab.Bench) error {
				return oom(b, b.Whole(60, 90), 4)
			}),
		scenario("memory", "server-memory-oom", "oom-quick",
			"a service with a small limit leaks much memory and is killed again and again", func(b *lab.Bench) error {
				return oom(b, b.Whole(40, 50), 10)
			}),
		scenario("cpu", "server-cpu-shedding", "cpu-quota",
			"a service uses up its cgroup's CPU quota and drops callers with their bodies unread", func(b *lab.Bench) error {
				share, work := b.Between(0.25, 0.5), time.Duration(b.Between(1, 1.8)*float64(time.Millisecond))
				c, err := quota(b, share, "api", lab.Arg("workers", 4), lab.Arg("queue", b.Whole(20, 50)), lab.Arg("cpu", work))
				if err != nil {
					return err
				}
				b.Simple(c, "orders", lab.Post("/orders", 2000))
				load := share / work.Seconds()
				b.RampTo(0.3*load, 1.5*load, 18*time.Second)
				b.Run.Expect.Resource = "cgroup-cpu"
				return nil
			}),
		scenario("client-timeout", "client-timeout", "client-timeout-quota",
			"a service uses up its CPU quota, gets slow, and the client does not wait", func(b *lab.Bench) error {
				share, work := b.Between(0.25, 0.5), time.Duration(b.Between(1, 1.8)*float64(time.Millisecond))
				c, err := quota(b, share, "api", lab.Arg("cpu", work))
				if err != nil {
					return err
				}
				b.Simple(c, "orders", lab.Get("/orders"))
				b.Run.Profile.Client.Timeout = b.Millis(400, 700)
				b.Run.Expect.Causes = []string{"server-cpu-shedding"}
				load := share / work.Seconds()
				b.RampTo(0.3*load, 1.4*load, 18*time.Second)
				return nil
			}),
		scenario("client", "client-cpu", "client-cpu",
			"the load generator has too little CPU for its schedule, the server is well", func(b *lab.Bench) error {
				c, err := b.Child("", "api", lab.Arg("work", "5ms"))
				if err != nil {
					return err
				}
				dir, err := b.CPUCgroup(b.Between(0.08, 0.12))
				if err != nil {
					return err
				}
				b.Simple(c, "orders", lab.Get("/orders"))
				b.Run.ClientCgroup = dir
				b.RampTo(100, 3000, 18*time.Second)
				b.Run.Expect.Host = "local"
				return nil
			}),
		scenario("syn-queue", "syn-backlog", "syn-queue",
			"over a long path half-open connections fill the SYN queue", func(b *lab.Bench) error { return synQueue(b, b.Whole(24, 48), b.Millis(150, 250)) }),
		scenario("syn-queue", "syn-backlog", "syn-queue-large",
			"over a very long path half-open connections fill a larger SYN queue", func(b *lab.Bench) error { return synQueue(b, b.Whole(64, 96), b.Millis(250, 350)) }),
		scenario("keep-alive", "idle-timeout-race", "keep-alive-race-far",
			"over a long path the server's FIN and the client's next request cross each other", func(b *lab.Bench) error {
				idle, delay := b.Millis(300, 500), b.Millis(10, 30)
				n, c, err := b.NetworkService("api", lab.Arg("idle", idle))
				if err != nil {
					return err
				}
				if err := b.Delay(n, delay); err != nil {
					return err
				}
				b.Remote(c, "orders", lab.Post("/orders", 300), n)
				b.Bursts(b.Whole(20, 40), idle+delay, delay, 25*time.Second)
				return b.WatchKernel(n.Server, "server", "TCPAbortOnData")
			}),
		scenario("bandwidth", "bandwidth-send-timeout", "send-timeout",
			"a full link makes responses slow and the server gives up on them", func(b *lab.Bench) error { return narrow(b, b.Whole(8, 12), 60_000) }),
		scenario("bandwidth", "bandwidth-send-timeout", "send-timeout-large",
			"a full link makes large responses slow and the server gives up on them", func(b *lab.Bench) error { return narrow(b, b.Whole(16, 24), 250_000) }),
	}
}

// oom runs a leaking service below a supervisor in a memory cgroup of some MiB.
// At kills deaths are expected in the ramp.
func oom(b *lab.Bench, mib, kills int) error {
	limit := strconv.Itoa(mib << 20)
	dir, err := b.Cgroup("memory",
		map[string]string{"memory.limit_in_bytes": limit},
		map[string]string{"memory.max": limit, "memory.swap.max": "0"})
	if err != nil {
		return err
	}
	const from, to = 100, 400
	requests := 24 * (from + to) / 2
	// About 25 MiB of the limit are the supervisor's and the service's own.
	leak := (mib - 25) << 20 / (requests / kills)
	prefix := "lab-service"
	if len(b.Env.Prefix) > 0 {
		prefix = b.Env.Prefix[0]
	}
	c, err := b.Start(&lab.Child{Name: "supervise", Cgroup: []string{dir}, Args: []string{
		lab.Arg("prefix", prefix), lab.Arg("pause", b.Millis(200, 400)), "api", lab.Arg("leak", leak), lab.Arg("work", "20ms"),
	}})
	if err != nil {
		return err
	}
	b.Simple(c, "orders", lab.Post("/orders", 600))
	b.RampTo(from, to, 18*time.Second)
	b.Run.Expect.Resource = "cgroup-memory"
	b.Final = append(b.Final, func() {
		for _, file := range []string{"memory.oom_control", "memory.events"} {
			raw, _ := os.ReadFile(filepath.Join(dir, file))
			for line := range strings.Lines(string(raw)) {
				if n, ok := strings.CutPrefix(strings.TrimSpace(line), "oom_kill "); ok {
					if v, err := strconv.ParseUint(n, 10, 64); err == nil {
						b.Tally.Set("oom-kills", v)
					}
				}
			}
		}
	})
	return nil
}

// quota starts a service that may use a share of one processor.
func quota(b *lab.Bench, share float64, service string, args ...string) (*lab.Child, error) {
	dir, err := b.CPUCgroup(share)
	if err != nil {
		return nil, err
	}
	return b.Start(&lab.Child{Name: service, Cgroup: []string{dir}, Args: args})
}

// synQueue fills the SYN queue: a handshake is half open for as long as its last
// part is on the path.
func synQueue(b *lab.Bench, length int, delay time.Duration) error {
	n, c, err := b.NetworkService("api", lab.Arg("backlog", length))
	if err != nil {
		return err
	}
	for name, value := range map[string]string{
		"tcp_syncookies":      "0",
		"tcp_max_syn_backlog": strconv.Itoa(length),
	} {
		if err := b.Sysctl(n.Server, "net/ipv4/"+name, value); err != nil {
			return err
		}
	}
	if err := b.Delay(n, delay); err != nil {
		return err
	}
	b.Remote(c, "orders", lab.Get("/orders"), n)
	b.Run.Profile.Client.Connections = 0
	load := float64(length) / delay.Seconds()
	b.RampTo(0.3*load, 1.6*load, 18*time.Second)
	b.Onset(load, 0.4)
	b.Run.Expect.Resource = "syn-queue"
	return b.WatchKernel(n.Server, "server", "TCPReqQFullDrop")
}

// narrow makes the link to the client narrow.
func narrow(b *lab.Bench, mbit, size int) error {
	n, c, err := b.NetworkService("api", lab.Arg("size", size), lab.Arg("send-timeout", b.Millis(700, 1100)))
	if err != nil {
		return err
	}
	rate := fmt.Sprintf("%dmbit", mbit)
	if err := b.In(n.Router, "tc", "qdisc", "add", "dev", "to-client", "root", "tbf", "rate", rate, "burst", "32kb", "limit", "200kb"); err != nil {
		return err
	}
	// A send buffer that does not hold a whole response makes the server wait.
	if err := b.Sysctl(n.Server, "net/ipv4/tcp_wmem", "4096 16384 16384"); err != nil {
		return err
	}
	b.Remote(c, "orders", lab.Get("/orders"), n)
	b.Run.Profile.Client.Timeout = 8 * time.Second
	load := float64(mbit) * 1e6 / 8 / float64(size)
	b.RampTo(0.3*load, 1.8*load, 18*time.Second)
	return b.WatchKernel(n.Server, "server")
}
