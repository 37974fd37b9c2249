package lab

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// resourceScenarios run into limits of memory, processor, SYN queue and
// bandwidth that the kernel keeps. They need root.
func resourceScenarios() []Scenario {
	scenario := inNetwork()
	return []Scenario{
		scenario("memory", "server-memory-oom", "oom",
			"a service leaks memory until its cgroup's limit kills it, and is started again", func(b *bench) error {
				return b.oom(b.whole(60, 90), 4)
			}),
		scenario("memory", "server-memory-oom", "oom-quick",
			"a service with a small limit leaks much memory and is killed again and again", func(b *bench) error {
				return b.oom(b.whole(40, 50), 10)
			}),
		scenario("cpu", "server-cpu-shedding", "cpu-quota",
			"a service uses up its cgroup's CPU quota and drops callers with their bodies unread", func(b *bench) error {
				quota, work := b.between(0.25, 0.5), time.Duration(b.between(1, 1.8)*float64(time.Millisecond))
				c, err := b.quota(quota, "api", arg("workers", 4), arg("queue", b.whole(20, 50)), arg("cpu", work))
				if err != nil {
					return err
				}
				b.simple(c, "orders", post("/orders", 2000))
				load := quota / work.Seconds()
				b.rampTo(0.3*load, 1.5*load, 18*time.Second)
				b.run.Expect.Resource = "cgroup-cpu"
				return nil
			}),
		scenario("client-timeout", "client-timeout", "client-timeout-quota",
			"a service uses up its CPU quota, gets slow, and the client does not wait", func(b *bench) error {
				quota, work := b.between(0.25, 0.5), time.Duration(b.between(1, 1.8)*float64(time.Millisecond))
				c, err := b.quota(quota, "api", arg("cpu", work))
				if err != nil {
					return err
				}
				b.simple(c, "orders", get("/orders"))
				b.run.Profile.Client.Timeout = b.millis(400, 700)
				b.run.Expect.Causes = []string{"server-cpu-shedding"}
				load := quota / work.Seconds()
				b.rampTo(0.3*load, 1.4*load, 18*time.Second)
				return nil
			}),
		scenario("client", "client-cpu", "client-cpu",
			"the load generator has too little CPU for its schedule, the server is well", func(b *bench) error {
				c, err := b.child("", "api", arg("work", "5ms"))
				if err != nil {
					return err
				}
				dir, err := b.cpuCgroup(b.between(0.08, 0.12))
				if err != nil {
					return err
				}
				b.simple(c, "orders", get("/orders"))
				b.run.ClientCgroup = dir
				b.rampTo(100, 3000, 18*time.Second)
				b.run.Expect.Host = "local"
				return nil
			}),
		scenario("syn-queue", "syn-backlog", "syn-queue",
			"over a long path half-open connections fill the SYN queue", func(b *bench) error { return b.synQueue(b.whole(24, 48), b.millis(150, 250)) }),
		scenario("syn-queue", "syn-backlog", "syn-queue-large",
			"over a very long path half-open connections fill a larger SYN queue", func(b *bench) error { return b.synQueue(b.whole(64, 96), b.millis(250, 350)) }),
		scenario("keep-alive", "idle-timeout-race", "keep-alive-race-far",
			"over a long path the server's FIN and the client's next request cross each other", func(b *bench) error {
				idle, delay := b.millis(300, 500), b.millis(10, 30)
				n, c, err := b.networkService("api", arg("idle", idle))
				if err != nil {
					return err
				}
				if err := b.delay(n, delay); err != nil {
					return err
				}
				b.remote(c, "orders", post("/orders", 300), n)
				b.bursts(b.whole(20, 40), idle+delay, delay, 25*time.Second)
				return b.watchKernel(n.server, "server", "TCPAbortOnData")
			}),
		scenario("bandwidth", "bandwidth-send-timeout", "send-timeout",
			"a full link makes responses slow and the server gives up on them", func(b *bench) error { return b.narrow(b.whole(8, 12), 60_000) }),
		scenario("bandwidth", "bandwidth-send-timeout", "send-timeout-large",
			"a full link makes large responses slow and the server gives up on them", func(b *bench) error { return b.narrow(b.whole(16, 24), 250_000) }),
	}
}

// oom runs a leaking service below a supervisor in a memory cgroup of some MiB.
// At kills deaths are expected in the ramp.
func (b *bench) oom(mib, kills int) error {
	limit := strconv.Itoa(mib << 20)
	dir, err := b.cgroup("memory",
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
	if len(b.env.Prefix) > 0 {
		prefix = b.env.Prefix[0]
	}
	c, err := b.start(&Child{Name: "supervise", Cgroup: []string{dir}, Args: []string{
		arg("prefix", prefix), arg("pause", b.millis(200, 400)), "api", arg("leak", leak), arg("work", "20ms"),
	}})
	if err != nil {
		return err
	}
	b.simple(c, "orders", post("/orders", 600))
	b.rampTo(from, to, 18*time.Second)
	b.run.Expect.Resource = "cgroup-memory"
	b.final = append(b.final, func() {
		for _, file := range []string{"memory.oom_control", "memory.events"} {
			raw, _ := os.ReadFile(filepath.Join(dir, file))
			for line := range strings.Lines(string(raw)) {
				if n, ok := strings.CutPrefix(strings.TrimSpace(line), "oom_kill "); ok {
					if v, err := strconv.ParseUint(n, 10, 64); err == nil {
						b.tally.set("oom-kills", v)
					}
				}
			}
		}
	})
	return nil
}

// cpuCgroup makes a cgroup that may use a share of one processor.
func (b *bench) cpuCgroup(share float64) (string, error) {
	const period = 100_000 // µs
	quota := strconv.Itoa(int(share * period))
	return b.cgroup("cpu",
		map[string]string{"cpu.cfs_period_us": strconv.Itoa(period), "cpu.cfs_quota_us": quota},
		map[string]string{"cpu.max": fmt.Sprintf("%s %d", quota, period)})
}

// quota starts a service that may use a share of one processor.
func (b *bench) quota(share float64, service string, args ...string) (*Child, error) {
	dir, err := b.cpuCgroup(share)
	if err != nil {
		return nil, err
	}
	return b.start(&Child{Name: service, Cgroup: []string{dir}, Args: args})
}

// delay delays what the client sends by a device that a process reads: the path
// gets longer without a kernel module.
func (b *bench) delay(n *network, by time.Duration) error {
	if _, err := b.child(n.router, "delay", arg("by", by), arg("device", "lag")); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"link", "set", "lag", "up"},
		{"route", "add", "default", "dev", "lag", "table", "100"},
		{"rule", "add", "iif", "to-client", "to", serverAddr, "lookup", "100"},
	} {
		if err := b.ip(n.router, args...); err != nil {
			return err
		}
	}
	return nil
}

// synQueue fills the SYN queue: a handshake is half open for as long as its last
// part is on the path.
func (b *bench) synQueue(length int, delay time.Duration) error {
	n, c, err := b.networkService("api", arg("backlog", length))
	if err != nil {
		return err
	}
	for name, value := range map[string]string{
		"tcp_syncookies":      "0",
		"tcp_max_syn_backlog": strconv.Itoa(length),
	} {
		if err := b.sysctl(n.server, "net/ipv4/"+name, value); err != nil {
			return err
		}
	}
	if err := b.delay(n, delay); err != nil {
		return err
	}
	b.remote(c, "orders", get("/orders"), n)
	b.run.Profile.Client.Connections = 0
	load := float64(length) / delay.Seconds()
	b.rampTo(0.3*load, 1.6*load, 18*time.Second)
	b.onset(load, 0.4)
	b.run.Expect.Resource = "syn-queue"
	return b.watchKernel(n.server, "server", "TCPReqQFullDrop")
}

// narrow makes the link to the client narrow.
func (b *bench) narrow(mbit, size int) error {
	n, c, err := b.networkService("api", arg("size", size), arg("send-timeout", b.millis(700, 1100)))
	if err != nil {
		return err
	}
	rate := fmt.Sprintf("%dmbit", mbit)
	if err := b.in(n.router, "tc", "qdisc", "add", "dev", "to-client", "root", "tbf", "rate", rate, "burst", "32kb", "limit", "200kb"); err != nil {
		return err
	}
	// A send buffer that does not hold a whole response makes the server wait.
	if err := b.sysctl(n.server, "net/ipv4/tcp_wmem", "4096 16384 16384"); err != nil {
		return err
	}
	b.remote(c, "orders", get("/orders"), n)
	b.run.Profile.Client.Timeout = 8 * time.Second
	load := float64(mbit) * 1e6 / 8 / float64(size)
	b.rampTo(0.3*load, 1.8*load, 18*time.Second)
	return b.watchKernel(n.server, "server")
}

// gunicornScenarios use a real pre-forking server.
func gunicornScenarios() []Scenario {
	scenario := needing("gunicorn")
	return []Scenario{
		scenario("worker-recycling", "worker-recycling", "worker-recycling",
			"gunicorn replaces its workers after a number of requests, with their connections", func(b *bench) error {
				return b.gunicorn(80, 200, "--worker-class=gthread", "--threads=16", "--workers=2", "--keep-alive=5",
					arg("-max-requests", b.whole(50, 90)))
			}),
		scenario("worker-recycling", "worker-recycling", "worker-recycling-one",
			"gunicorn replaces its only worker after a number of requests", func(b *bench) error {
				return b.gunicorn(60, 160, "--worker-class=gthread", "--threads=16", "--workers=1", "--keep-alive=5",
					arg("-max-requests", b.whole(200, 300)))
			}),
		scenario("worker-killed", "worker-killed", "worker-timeout",
			"gunicorn kills workers that are stuck in a request", func(b *bench) error {
				return b.gunicorn(10, 60, "--worker-class=sync", "--workers=4", "--timeout=1", fmt.Sprintf("--env=HANG_EVERY=%d", b.whole(80, 150)))
			}),
	}
}

// gunicornApp answers after WORK seconds; every HANG_EVERY-th request of a worker
// hangs, and each leaves LEAK bytes allocated.
const gunicornApp = `import itertools, os, time

numbers = itertools.count(1)
hang = int(os.environ.get("HANG_EVERY", "0"))
work = float(os.environ.get("WORK", "0.005"))
leak = int(os.environ.get("LEAK", "0"))
leaked = []

def app(environ, start_response):
    environ["wsgi.input"].read()
    if leak:
        leaked.append(b"x" * leak)
    time.sleep(60 if hang and next(numbers) % hang == 0 else work)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"ok"]
`

func (b *bench) gunicorn(from, to float64, args ...string) error {
	port, err := freePort()
	if err != nil {
		return err
	}
	addr := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port)
	if err := b.gunicornAt("", addr, nil, args...); err != nil {
		return err
	}
	b.gunicornTarget(addr, from, to)
	b.watchLog("gunicorn.log", "Booting worker", "WORKER TIMEOUT")
	return nil
}

// gunicornTarget loads gunicorn on this machine.
func (b *bench) gunicornTarget(addr netip.AddrPort, from, to float64) {
	b.target("orders", "http://"+addr.String(), post("/orders", 3000), "orders-1")
	b.host("orders-1", "", addr.Port())
	b.run.Profile.Client.Timeout = 5 * time.Second
	b.rampTo(from, to, 18*time.Second)
}

// gunicornAt starts gunicorn in a namespace and control groups.
func (b *bench) gunicornAt(netns string, addr netip.AddrPort, cgroups []string, args ...string) error {
	if err := os.WriteFile(filepath.Join(b.env.Dir, "app.py"), []byte(gunicornApp), 0o600); err != nil {
		return err
	}
	args = append(args, "--bind="+addr.String(), "--worker-tmp-dir="+b.env.Dir, "app:app")
	if _, err := b.program(netns, cgroups, "gunicorn", args...); err != nil {
		return err
	}
	return b.answers(netns, addr.Addr(), addr.Port())
}
