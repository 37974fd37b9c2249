package lab

import (
	"time"

	"github.com/rampload/rampload/profiles"
)

// serverScenarios are faults of a server process on this machine's loopback: they
// need no privileges.
func serverScenarios() []Scenario {
	return []Scenario{
		{
			Name: "descriptors", Family: "descriptors", Cause: "server-file-descriptors",
			About: "a payment service holds descriptors during each payment and runs out of them",
			Needs: []Need{NeedLinux},
			Start: setup("descriptors", func(b *bench) error { return b.payments(uint64(b.whole(200, 320)), 1) }),
		},
		{
			Name: "descriptors-wide", Family: "descriptors", Cause: "server-file-descriptors",
			About: "a payment service with three descriptors a payment runs out of them",
			Needs: []Need{NeedLinux},
			Start: setup("descriptors-wide", func(b *bench) error { return b.payments(uint64(b.whole(350, 500)), 3) }),
		},
		{
			Name: "descriptors-leak", Family: "descriptors", Cause: "server-file-descriptors",
			About: "a service leaks descriptors until accept fails and callers wait in vain",
			Needs: []Need{NeedLinux},
			Start: setup("descriptors-leak", func(b *bench) error {
				limit := b.whole(180, 320)
				// About half of the ramp's requests exhaust the limit.
				c, err := b.child("", "api", arg("nofile", limit), arg("hoard", 4200/limit), arg("work", "5ms"))
				if err != nil {
					return err
				}
				b.simple(c, "orders", get("/orders"))
				b.run.Profile.Client.Connections = 0
				b.run.Profile.Client.Timeout = time.Second
				b.rampTo(100, 500, 18*time.Second)
				b.run.Expect.Resource = "open-files"
				return nil
			}),
		},
		{
			Name: "connection-slots", Family: "connection-slots", Cause: "server-connection-limit",
			About: "a server closes connections beyond a number of slots of its own",
			Needs: []Need{NeedLinux},
			Start: setup("connection-slots", func(b *bench) error {
				slots, work := b.whole(40, 80), b.millis(80, 140)
				c, err := b.child("", "api", arg("conns", slots), arg("work", work))
				if err != nil {
					return err
				}
				b.simple(c, "orders", post("/orders", 600))
				load := float64(slots) / work.Seconds()
				b.rampTo(0.3*load, 1.5*load, 18*time.Second)
				b.onset(load, 0.2)
				return nil
			}),
		},
		{
			Name: "connection-slots-keep", Family: "connection-slots", Cause: "server-connection-limit",
			About: "a growing number of held connections meets a limit of the server",
			Needs: []Need{NeedLinux},
			Start: setup("connection-slots-keep", func(b *bench) error {
				slots := b.whole(60, 120)
				c, err := b.child("", "api", arg("conns", slots))
				if err != nil {
					return err
				}
				b.simple(c, "orders", post("/orders", 600))
				b.run.Profile.Client.PerConnection = 2
				b.run.Profile.Load = []profiles.Stage{{Kind: profiles.Connections, FromConns: slots / 4, ToConns: slots * 3 / 2, For: 20 * time.Second}}
				return nil
			}),
		},
		{
			Name: "listen-backlog", Family: "listen-backlog", Cause: "listen-backlog",
			About: "a server accepts too slowly for a short accept queue: SYNs are dropped and dials wait",
			Needs: []Need{NeedLinux},
			Start: setup("listen-backlog", func(b *bench) error {
				gap := b.millis(4, 6)
				c, err := b.child("", "api", arg("backlog", b.whole(8, 24)), arg("accept-gap", gap))
				if err != nil {
					return err
				}
				b.simple(c, "orders", get("/orders"))
				b.run.Profile.Client.Connections = 0
				load := 1 / gap.Seconds()
				b.rampTo(0.4*load, 1.5*load, 18*time.Second)
				b.onset(load, 0.25)
				b.run.Expect.Resource = "listen-queue"
				// The whole machine's counters: on loopback there are no others.
				return b.watchKernel("", "host", "ListenOverflows")
			}),
		},
		{
			Name: "cpu-shedding", Family: "cpu", Cause: "server-cpu-shedding",
			About: "a server on one core drops callers with their bodies unread when its queue is full",
			Needs: []Need{NeedLinux},
			Start: setup("cpu-shedding", func(b *bench) error { return b.cpuShedding(b.whole(20, 60), 2000) }),
		},
		{
			Name: "cpu-shedding-late", Family: "cpu", Cause: "server-cpu-shedding",
			About: "a server on one core lets latency grow for long before it drops callers",
			Needs: []Need{NeedLinux},
			Start: setup("cpu-shedding-late", func(b *bench) error { return b.cpuShedding(b.whole(120, 200), 4000) }),
		},
		{
			Name: "twin-limits", Family: "confounders", Cause: "server-file-descriptors",
			About: "descriptors and the processor run out within a second of each other; the descriptors fail",
			Needs: []Need{NeedLinux},
			Start: setup("twin-limits", func(b *bench) error {
				p := Payments{NoFile: uint64(b.whole(100, 140)), Hold: b.millis(90, 120), Growth: 0.1, Ledgers: 1}
				c, err := b.child("", "payments", append(p.Args(), arg("cores", 1), arg("cpu", time.Duration(0.7/p.OnsetLoad()*1e9)))...)
				if err != nil {
					return err
				}
				b.simple(c, "payments", post("/payments", 2000))
				b.rampTo(0.3*p.OnsetLoad(), 1.4*p.OnsetLoad(), 18*time.Second)
				b.run.Expect.Resource = "open-files"
				return nil
			}),
		},
		{
			Name: "tls-shedding", Family: "tls", Cause: "tls-shedding",
			About: "a server closes connections before the handshake when too many are in progress",
			Needs: []Need{NeedLinux},
			Start: setup("tls-shedding", func(b *bench) error { return b.tlsShedding(b.whole(4, 8), b.millis(4, 6)) }),
		},
		{
			Name: "tls-shedding-slow", Family: "tls", Cause: "tls-shedding",
			About: "few expensive handshakes are admitted at once, the others are closed unread",
			Needs: []Need{NeedLinux},
			Start: setup("tls-shedding-slow", func(b *bench) error { return b.tlsShedding(b.whole(2, 3), b.millis(8, 12)) }),
		},
		{
			Name: "client-timeout", Family: "client-timeout", Cause: "client-timeout",
			About: "a server becomes slow with load and the client's timeout is short",
			Needs: []Need{NeedLinux},
			Start: setup("client-timeout", func(b *bench) error {
				workers, work := b.whole(10, 20), b.millis(40, 60)
				c, err := b.child("", "api", arg("workers", workers), arg("work", work))
				if err != nil {
					return err
				}
				b.simple(c, "orders", get("/orders"))
				b.run.Profile.Client.Timeout = b.millis(300, 500)
				load := float64(workers) / work.Seconds()
				b.rampTo(0.4*load, 1.4*load, 18*time.Second)
				b.onset(load, 0.3)
				return nil
			}),
		},
	}
}

// payments starts the payment service with a limit that the ramp crosses.
func (b *bench) payments(limit uint64, ledgers int) error {
	p := Payments{NoFile: limit, Hold: b.millis(100, 160), Growth: b.between(0.1, 0.4), Ledgers: ledgers}
	c, err := b.child("", "payments", p.Args()...)
	if err != nil {
		return err
	}
	b.simple(c, "payments", post("/payments", 2000))
	b.rampTo(0.3*p.OnsetLoad(), 1.5*p.OnsetLoad(), 18*time.Second)
	b.onset(p.OnsetLoad(), 0.15)
	b.run.Expect.Resource = "open-files"
	return nil
}

// cpuShedding starts a server that needs a core's whole time at a known rate.
func (b *bench) cpuShedding(queue, body int) error {
	work := time.Duration(b.between(2, 3.5) * float64(time.Millisecond))
	c, err := b.child("", "api", arg("cores", 1), arg("workers", 1), arg("queue", queue), arg("cpu", work))
	if err != nil {
		return err
	}
	b.simple(c, "orders", post("/orders", body))
	load := 1 / work.Seconds()
	b.rampTo(0.3*load, 1.5*load, 18*time.Second)
	b.run.Expect.Resource = "process-cpu"
	b.run.Expect.OnlyLate = "client-timeout"
	return nil
}

func (b *bench) tlsShedding(at int, cpu time.Duration) error {
	c, err := b.child("", "api", "-tls", arg("tls-max", at), arg("tls-cpu", cpu), arg("cores", 1))
	if err != nil {
		return err
	}
	b.target("orders", "https://"+c.Addr().String(), get("/orders"), "orders-1")
	b.host("orders-1", "", c.Addr().Port())
	b.run.Profile.Client.TLS.SkipVerify = true
	b.run.Profile.Client.Connections = 0
	load := 1 / cpu.Seconds()
	b.rampTo(0.2*load, 1.3*load, 18*time.Second)
	return nil
}
