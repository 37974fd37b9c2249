package lab

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// containerScenarios run services in control groups as containers do: what is
// scarce there is plentiful on the machine.
func containerScenarios() []Scenario {
	scenario := needing(NeedRoot)
	return []Scenario{
		scenario("memory", "server-memory-oom", "container-oom-worker",
			"one of several worker processes is killed for the container's memory limit, the parent lives and starts another", func(b *bench) error {
				dir, err := b.memoryCgroup(b.whole(150, 190))
				if err != nil {
					return err
				}
				b.run.Expect.Causes = []string{"worker-killed"} // what it looks like to the parent; the killer is the kernel
				b.watchOOM(dir)
				port, err := freePort()
				if err != nil {
					return err
				}
				addr := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port)
				b.gunicornTarget(addr, 40, 130)
				return b.gunicornAt("", addr, []string{dir}, "--worker-class=gthread", "--threads=12", "--workers=3",
					"--keep-alive=10", fmt.Sprintf("--env=LEAK=%d", b.whole(200_000, 300_000)), "--env=WORK=0.06")
			}, "gunicorn"),
		scenario("memory", "server-memory-oom", "container-oom-concurrency",
			"each request in progress needs much memory, and together they are too much for the container", func(b *bench) error {
				mib, work := b.whole(130, 180), b.millis(200, 300)
				dir, err := b.memoryCgroup(mib)
				if err != nil {
					return err
				}
				b.watchOOM(dir)
				c, err := b.supervisedIn([]string{dir}, []string{arg("pause", b.millis(200, 400))}, "api", arg("hold-memory", 1<<20), arg("work", work))
				if err != nil {
					return err
				}
				b.simple(c, "orders", post("/orders", 600))
				b.run.Expect.Resource = "cgroup-memory"
				load := float64(mib-25) / work.Seconds()
				b.rampTo(0.15*load, 1.1*load, 18*time.Second)
				return nil
			}),
		scenario("memory", "server-memory-oom", "oom-final",
			"a service leaks memory until its cgroup's limit kills it, and nobody starts it again", func(b *bench) error {
				mib := b.whole(90, 140)
				dir, err := b.memoryCgroup(mib)
				if err != nil {
					return err
				}
				b.watchOOM(dir)
				// About 25 MiB are the supervisor's and the service's own.
				c, err := b.supervisedIn([]string{dir}, []string{arg("pause", "5m")}, "api", arg("leak", (mib-25)<<20/b.whole(2400, 3000)), arg("work", "15ms"))
				if err != nil {
					return err
				}
				b.simple(c, "orders", post("/orders", 600))
				b.run.Expect.Resource = "cgroup-memory"
				b.rampTo(90, b.between(270, 330), 18*time.Second)
				return nil
			}),
		scenario("listen-backlog", "listen-backlog", "container-quota-backlog",
			"a service has used up its CPU quota, does not get to accept, and its accept queue overflows", func(b *bench) error {
				// The quota is behind it, the queue is where it fails.
				b.run.Expect.Causes = []string{"server-cpu-shedding"}
				quota, work := b.between(0.2, 0.3), time.Duration(b.between(1.5, 2.5)*float64(time.Millisecond))
				n, err := b.network(false)
				if err != nil {
					return err
				}
				dir, err := b.cpuCgroup(quota)
				if err != nil {
					return err
				}
				c, err := b.start(&Child{Name: "api", Netns: n.server, Cgroup: []string{dir}, Args: []string{
					arg("addr", serverAddr+":8080"), arg("cpu", work), arg("backlog", b.whole(6, 12)),
				}})
				if err != nil {
					return err
				}
				b.remote(c, "orders", get("/orders"), n)
				b.run.Profile.Client.Connections = 0
				b.run.Profile.Client.Timeout = 4 * time.Second
				load := quota / work.Seconds()
				b.rampTo(0.3*load, 1.4*load, 18*time.Second)
				return b.watchKernel(n.server, "server", "ListenOverflows")
			}, "ip"),
		scenario("client-timeout", "client-timeout", "container-frozen",
			"a service stands still for a moment now and then, as with a paused container or a stolen processor, and the client does not wait", func(b *bench) error {
				b.run.Expect.Causes = []string{"server-cpu-shedding"}
				length, every := b.millis(700, 1000), b.millis(2500, 3500)
				c, err := b.child("", "api", arg("work", "5ms"))
				if err != nil {
					return err
				}
				b.simple(c, "orders", post("/orders", 600))
				b.run.Profile.Client.Timeout = b.millis(250, 400)
				b.rampTo(80, b.between(250, 350), 18*time.Second)
				b.later(func(ctx context.Context) error {
					for pause(ctx, every) {
						if signal(c.PID(), sigStop) {
							b.tally.harm("freezes")
							pause(ctx, length)
						}
						signal(c.PID(), sigContinue)
					}
					return nil
				})
				return nil
			}),
		scenario("controls", "healthy", "healthy-noisy-neighbour",
			"another container uses most of a processor while the service has what it needs", func(b *bench) error {
				dir, err := b.cpuCgroup(b.between(0.5, 0.7))
				if err != nil {
					return err
				}
				if _, err := b.program("", []string{dir}, "sh", "-c", "while :; do :; done"); err != nil {
					return err
				}
				c, err := b.child("", "api", arg("work", "10ms"), arg("cpu", "200us"))
				if err != nil {
					return err
				}
				b.simple(c, "orders", post("/orders", 600))
				b.rampTo(80, b.between(200, 300), 18*time.Second)
				return nil
			}),
	}
}

// memoryCgroup makes a cgroup that may use some MiB.
func (b *bench) memoryCgroup(mib int) (string, error) {
	limit := strconv.Itoa(mib << 20)
	return b.cgroup("memory",
		map[string]string{"memory.limit_in_bytes": limit},
		map[string]string{"memory.max": limit, "memory.swap.max": "0"})
}

// watchOOM follows the kills for the memory limit of a cgroup, as harm.
func (b *bench) watchOOM(dir string) {
	last := int64(0)
	b.watch(func() {
		for _, file := range []string{"memory.oom_control", "memory.events"} {
			raw, _ := os.ReadFile(filepath.Join(dir, file))
			for line := range strings.Lines(string(raw)) {
				if text, ok := strings.CutPrefix(strings.TrimSpace(line), "oom_kill "); ok {
					if n, err := strconv.ParseInt(text, 10, 64); err == nil {
						b.tally.harmBy("oom-kills", n-last)
						last = n
					}
				}
			}
		}
	}, 100*time.Millisecond)
}

// supervisedIn starts a service below a supervisor, both in control groups.
func (b *bench) supervisedIn(cgroups, flags []string, name string, args ...string) (*Child, error) {
	prefix := "lab-service"
	if len(b.env.Prefix) > 0 {
		prefix = b.env.Prefix[0]
	}
	all := append(append([]string{arg("prefix", prefix)}, flags...), name)
	return b.start(&Child{Name: "supervise", Cgroup: cgroups, Args: append(all, args...)})
}
