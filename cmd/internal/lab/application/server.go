package application

import (
	"time"

	"github.com/rampload/rampload/cmd/internal/lab"
	"github.com/rampload/rampload/cmd/internal/lab/services"
	"github.com/rampload/rampload/cmd/internal/lab/teach"
	"github.com/rampload/rampload/profiles"
)

// serverScenarios are faults of a server process on this machine's loopback: they
// need no privileges.
func serverScenarios() []lab.Scenario {
	return []lab.Scenario{
		{
			Name: "descriptors-wide", Family: "descriptors", Cause: "server-file-descriptors",
			About: "a payment service with three descriptors a payment runs out of them",
			Needs: []lab.Need{lab.NeedLinux},
			Start: lab.Setup("descriptors-wide", func(b *lab.Bench) error { return teach.StartPayments(b, uint64(b.Whole(350, 500)), 3) }),
		},
		{
			Name: "descriptors-leak", Family: "descriptors", Cause: "server-file-descriptors",
			About: "a service leaks descriptors until accept fails and callers wait in vain",
			Needs: []lab.Need{lab.NeedLinux},
			Start: lab.Setup("descriptors-leak", func(b *lab.Bench) error {
				limit := b.Whole(180, 320)
				// About half of the ramp's requests exhaust the limit.
				c, err := b.Child("", "api", lab.Arg("nofile", limit), lab.Arg("hoard", 4200/limit), lab.Arg("work", "5ms"))
				if err != nil {
					return err
				}
				b.Simple(c, "orders", lab.Get("/orders"))
				b.Run.Profile.Client.Connections = 0
				b.Run.Profile.Client.Timeout = time.Second
				b.RampTo(100, 500, 18*time.Second)
				b.Run.Expect.Resource = "open-files"
				return nil
			}),
		},
		{
			Name: "connection-slots", Family: "connection-slots", Cause: "server-connection-limit",
			About: "a server closes connections beyond a number of slots of its own",
			Needs: []lab.Need{lab.NeedLinux},
			Start: lab.Setup("connection-slots", func(b *lab.Bench) error {
				slots, work := b.Whole(40, 80), b.Millis(80, 140)
				c, err := b.Child("", "api", lab.Arg("conns", slots), lab.Arg("work", work))
				if err != nil {
					return err
				}
				b.Simple(c, "orders", lab.Post("/orders", 600))
				load := float64(slots) / work.Seconds()
				b.RampTo(0.3*load, 1.5*load, 18*time.Second)
				b.Onset(load, 0.2)
				return nil
			}),
		},
		{
			Name: "connection-slots-keep", Family: "connection-slots", Cause: "server-connection-limit",
			About: "a growing number of held connections meets a limit of the server",
			Needs: []lab.Need{lab.NeedLinux},
			Start: lab.Setup("connection-slots-keep", func(b *lab.Bench) error {
				slots := b.Whole(60, 120)
				c, err := b.Child("", "api", lab.Arg("conns", slots))
				if err != nil {
					return err
				}
				b.Simple(c, "orders", lab.Post("/orders", 600))
				b.Run.Profile.Client.PerConnection = 2
				b.Run.Profile.Load = profiles.Load{profiles.Connections{From: slots / 4, To: slots * 3 / 2, For: 20 * time.Second}}
				return nil
			}),
		},
		{
			Name: "cpu-shedding", Family: "cpu", Cause: "server-cpu-shedding",
			About: "a server on one core drops callers with their bodies unread when its queue is full",
			Needs: []lab.Need{lab.NeedLinux},
			Start: lab.Setup("cpu-shedding", func(b *lab.Bench) error { return cpuShedding(b, b.Whole(20, 60), 2000) }),
		},
		{
			Name: "cpu-shedding-late", Family: "cpu", Cause: "server-cpu-shedding",
			About: "a server on one core lets latency grow for long before it drops callers",
			Needs: []lab.Need{lab.NeedLinux},
			Start: lab.Setup("cpu-shedding-late", func(b *lab.Bench) error { return cpuShedding(b, b.Whole(120, 200), 4000) }),
		},
		{
			Name: "twin-limits", Family: "confounders", Cause: "server-file-descriptors",
			About: "descriptors and the processor run out within a second of each other; the descriptors fail",
			Needs: []lab.Need{lab.NeedLinux},
			Start: lab.Setup("twin-limits", func(b *lab.Bench) error {
				p := services.Payments{NoFile: uint64(b.Whole(100, 140)), Hold: b.Millis(90, 120), Growth: 0.1, Ledgers: 1}
				c, err := b.Child("", "payments", append(p.Args(), lab.Arg("cores", 1), lab.Arg("cpu", time.Duration(0.7/p.OnsetLoad()*1e9)))...)
				if err != nil {
					return err
				}
				b.Simple(c, "payments", lab.Post("/payments", 2000))
				b.RampTo(0.3*p.OnsetLoad(), 1.4*p.OnsetLoad(), 18*time.Second)
				b.Run.Expect.Resource = "open-files"
				return nil
			}),
		},
		{
			Name: "tls-shedding", Family: "tls", Cause: "tls-shedding",
			About: "a server closes connections before the handshake when too many are in progress",
			Needs: []lab.Need{lab.NeedLinux},
			Start: lab.Setup("tls-shedding", func(b *lab.Bench) error { return tlsShedding(b, b.Whole(4, 8), b.Millis(4, 6)) }),
		},
		{
			Name: "tls-shedding-slow", Family: "tls", Cause: "tls-shedding",
			About: "few expensive handshakes are admitted at once, the others are closed unread",
			Needs: []lab.Need{lab.NeedLinux},
			Start: lab.Setup("tls-shedding-slow", func(b *lab.Bench) error { return tlsShedding(b, b.Whole(2, 3), b.Millis(8, 12)) }),
		},
		{
			Name: "client-timeout", Family: "client-timeout", Cause: "client-timeout",
			About: "a server becomes slow with load and the client's timeout is short",
			Needs: []lab.Need{lab.NeedLinux},
			Start: lab.Setup("client-timeout", func(b *lab.Bench) error {
				workers, work := b.Whole(10, 20), b.Millis(40, 60)
				c, err := b.Child("", "api", lab.Arg("workers", workers), lab.Arg("work", work))
				if err != nil {
					return err
				}
				b.Simple(c, "orders", lab.Get("/orders"))
				b.Run.Profile.Client.Timeout = b.Millis(300, 500)
				load := float64(workers) / work.Seconds()
				b.RampTo(0.4*load, 1.4*load, 18*time.Second)
				b.Onset(load, 0.3)
				return nil
			}),
		},
	}
}

// cpuShedding starts a server that needs a core's whole time at a known rate.
func cpuShedding(b *lab.Bench, queue, body int) error {
	work := time.Duration(b.Between(2, 3.5) * float64(time.Millisecond))
	c, err := b.Child("", "api", lab.Arg("cores", 1), lab.Arg("workers", 1), lab.Arg("queue", queue), lab.Arg("cpu", work))
	if err != nil {
		return err
	}
	b.Simple(c, "orders", lab.Post("/orders", body))
	load := 1 / work.Seconds()
	b.RampTo(0.3*load, 1.5*load, 18*time.Second)
	b.Run.Expect.Resource = "process-cpu"
	b.Run.Expect.OnlyLate = "client-timeout"
	return nil
}

func tlsShedding(b *lab.Bench, at int, cpu time.Duration) error {
	c, err := b.Child("", "api", "-tls", lab.Arg("tls-max", at), lab.Arg("tls-cpu", cpu), lab.Arg("cores", 1))
	if err != nil {
		return err
	}
	b.Target("orders", "https://"+c.Addr().String(), lab.Get("/orders"), "orders-1")
	b.Host("orders-1", "", c.Addr().Port())
	b.Run.Profile.Client.TLS.SkipVerify = true
	b.Run.Profile.Client.Connections = 0
	load := 1 / cpu.Seconds()
	b.RampTo(0.2*load, 1.3*load, 18*time.Second)
	return nil
}
