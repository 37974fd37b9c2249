package resource

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/rampload/rampload/cmd/internal/lab"
	"github.com/rampload/rampload/cmd/internal/lab/python"
)

// containerScenarios run services in control groups as containers do: what is
// scarce there is plentiful on the machine.
func containerScenarios() []lab.Scenario {
	scenario := lab.Needing(lab.NeedRoot)
	return []lab.Scenario{
		scenario("memory", "server-memory-oom", "container-oom-worker",
			"one of several worker processes is killed for the container's memory limit, the parent lives and starts another", func(b *lab.Bench) error {
				dir, err := b.MemoryCgroup(b.Whole(150, 190))
				if err != nil {
					return err
				}
				b.Run.Expect.Causes = []string{"worker-killed"} // what it looks like to the parent; the killer is the kernel
				b.WatchOOM(dir)
				port, err := lab.FreePort()
				if err != nil {
					return err
				}
				addr := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port)
				python.GunicornTarget(b, addr, 40, 130)
				return python.StartGunicorn(b, "", addr, []string{dir}, "--worker-class=gthread", "--threads=12", "--workers=3",
					"--keep-alive=10", fmt.Sprintf("--env=LEAK=%d", b.Whole(200_000, 300_000)), "--env=WORK=0.06")
			}, "gunicorn"),
		scenario("memory", "server-memory-oom", "container-oom-concurrency",
			"each request in progress needs much memory, and together they are too much for the container", func(b *lab.Bench) error {
				mib, work := b.Whole(130, 180), b.Millis(200, 300)
				dir, err := b.MemoryCgroup(mib)
				if err != nil {
					return err
				}
				b.WatchOOM(dir)
				c, err := supervisedIn(b, []string{dir}, []string{lab.Arg("pause", b.Millis(200, 400))}, "api", lab.Arg("hold-memory", 1<<20), lab.Arg("work", work))
				if err != nil {
					return err
				}
				b.Simple(c, "orders", lab.Post("/orders", 600))
				b.Run.Expect.Resource = "cgroup-memory"
				load := float64(mib-25) / work.Seconds()
				b.RampTo(0.15*load, 1.1*load, 18*time.Second)
				return nil
			}),
		scenario("memory", "server-memory-oom", "oom-final",
			"a service leaks memory until its cgroup's limit kills it, and nobody starts it again", func(b *lab.Bench) error {
				mib := b.Whole(90, 140)
				dir, err := b.MemoryCgroup(mib)
				if err != nil {
					return err
				}
				b.WatchOOM(dir)
				// About 25 MiB are the supervisor's and the service's own.
				c, err := supervisedIn(b, []string{dir}, []string{lab.Arg("pause", "5m")}, "api", lab.Arg("leak", (mib-25)<<20/b.Whole(2400, 3000)), lab.Arg("work", "15ms"))
				if err != nil {
					return err
				}
				b.Simple(c, "orders", lab.Post("/orders", 600))
				b.Run.Expect.Resource = "cgroup-memory"
				b.RampTo(90, b.Between(270, 330), 18*time.Second)
				return nil
			}),
		scenario("listen-backlog", "listen-backlog", "container-quota-backlog",
			"a service has used up its CPU quota, does not get to accept, and its accept queue overflows", func(b *lab.Bench) error {
				// The quota is behind it, the queue is where it fails.
				b.Run.Expect.Causes = []string{"server-cpu-shedding"}
				quota, work := b.Between(0.2, 0.3), time.Duration(b.Between(1.5, 2.5)*float64(time.Millisecond))
				n, err := b.Network(false)
				if err != nil {
					return err
				}
				dir, err := b.CPUCgroup(quota)
				if err != nil {
					return err
				}
				c, err := b.Start(&lab.Child{Name: "api", Netns: n.Server, Cgroup: []string{dir}, Args: []string{
					lab.Arg("addr", lab.ServerAddr+":8080"), lab.Arg("cpu", work), lab.Arg("backlog", b.Whole(6, 12)),
				}})
				if err != nil {
					return err
				}
				b.Remote(c, "orders", lab.Get("/orders"), n)
				b.Run.Profile.Client.Connections = 0
				b.Run.Profile.Client.Timeout = 4 * time.Second
				load := quota / work.Seconds()
				b.RampTo(0.3*load, 1.4*load, 18*time.Second)
				return b.WatchKernel(n.Server, "server", "ListenOverflows")
			}, "ip"),
		scenario("client-timeout", "client-timeout", "container-frozen",
			"a service stands still for a moment now and then, as with a paused container or a stolen processor, and the client does not wait", func(b *lab.Bench) error {
				b.Run.Expect.Causes = []string{"process-paused", "server-cpu-shedding"}
				length, every := b.Millis(700, 1000), b.Millis(2500, 3500)
				c, err := b.Child("", "api", lab.Arg("work", "5ms"))
				if err != nil {
					return err
				}
				b.Simple(c, "orders", lab.Post("/orders", 600))
				b.Run.Profile.Client.Timeout = b.Millis(250, 400)
				b.RampTo(80, b.Between(250, 350), 18*time.Second)
				b.Later(func(ctx context.Context) error {
					for lab.Wait(ctx, every) {
						if lab.Signal(c.PID(), lab.SigStop) {
							b.Tally.Harm("freezes")
							lab.Wait(ctx, length)
						}
						lab.Signal(c.PID(), lab.SigContinue)
					}
					return nil
				})
				return nil
			}),
		scenario("controls", "healthy", "healthy-noisy-neighbour",
			"another container uses most of a processor while the service has what it needs", func(b *lab.Bench) error {
				dir, err := b.CPUCgroup(b.Between(0.5, 0.7))
				if err != nil {
					return err
				}
				if _, err := b.Program("", []string{dir}, "sh", "-c", "while :; do :; done"); err != nil {
					return err
				}
				c, err := b.Child("", "api", lab.Arg("work", "10ms"), lab.Arg("cpu", "200us"))
				if err != nil {
					return err
				}
				b.Simple(c, "orders", lab.Post("/orders", 600))
				b.RampTo(80, b.Between(200, 300), 18*time.Second)
				return nil
			}),
	}
}

// supervisedIn starts a service below a supervisor, both in control groups.
func supervisedIn(b *lab.Bench, cgroups, flags []string, name string, args ...string) (*lab.Child, error) {
	prefix := "lab-service"
	if len(b.Env.Prefix) > 0 {
		prefix = b.Env.Prefix[0]
	}
	all := append(append([]string{lab.Arg("prefix", prefix)}, flags...), name)
	return b.Start(&lab.Child{Name: "supervise", Cgroup: cgroups, Args: append(all, args...)})
}
