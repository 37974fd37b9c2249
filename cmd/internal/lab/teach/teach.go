// Package teach holds the few scenarios that the installed tool brings along: a
// fault of each kind that people meet first, without privileges or other software.
package teach

import (
	"time"

	"github.com/rampload/rampload/cmd/internal/lab"
	"github.com/rampload/rampload/cmd/internal/lab/services"
	"github.com/rampload/rampload/profiles"
)

// Scenarios returns the scenarios in the order in which they are told.
func Scenarios() []lab.Scenario {
	return []lab.Scenario{
		{
			Name: "descriptors", Family: "descriptors", Cause: "server-file-descriptors",
			About: "a payment service holds descriptors during each payment and runs out of them",
			Needs: []lab.Need{lab.NeedLinux},
			Start: lab.Setup("descriptors", func(b *lab.Bench) error { return StartPayments(b, uint64(b.Whole(200, 320)), 1) }),
		},
		{
			Name: "gateway", Family: "gateway", Cause: "upstream-worker-killed",
			About: "orders needs a payment service that deadlocks under concurrency, is killed by its watchdog, and resets",
			Needs: []lab.Need{lab.NeedLinux},
			Start: lab.Setup("gateway", func(b *lab.Bench) error {
				payments, load, err := Deadlocking(b)
				if err != nil {
					return err
				}
				b.Run.Expect.Host = "payments-1"
				return Gateway(b, payments, load)
			}),
		},
		{
			Name: "listen-backlog", Family: "listen-backlog", Cause: "listen-backlog",
			About: "a server accepts too slowly for a short accept queue: SYNs are dropped and dials wait",
			Needs: []lab.Need{lab.NeedLinux},
			Start: lab.Setup("listen-backlog", func(b *lab.Bench) error {
				gap := b.Millis(4, 6)
				c, err := b.Child("", "api", lab.Arg("backlog", b.Whole(8, 24)), lab.Arg("accept-gap", gap))
				if err != nil {
					return err
				}
				b.Simple(c, "orders", lab.Get("/orders"))
				b.Run.Profile.Client.Connections = 0
				load := 1 / gap.Seconds()
				b.RampTo(0.4*load, 1.5*load, 18*time.Second)
				b.Onset(load, 0.25)
				b.Run.Expect.Resource = "listen-queue"
				// The whole machine's counters: on loopback there are no others.
				return b.WatchKernel("", "host", "ListenOverflows")
			}),
		},
		{
			Name: "keep-alive-race", Family: "keep-alive", Cause: "idle-timeout-race",
			About: "a server closes idle connections just when the client uses them again (POST)",
			Needs: []lab.Need{lab.NeedLinux},
			Start: lab.Setup("keep-alive-race", func(b *lab.Bench) error { return KeepAliveRace(b, lab.Post("/orders", 300)) }),
		},
		{
			Name: "unread-body", Family: "early-response", Cause: "early-response-unread-body",
			About: "a server answers 413 to large uploads and closes without reading them",
			Needs: []lab.Need{lab.NeedLinux},
			Start: lab.Setup("unread-body", func(b *lab.Bench) error { return UnreadBody(b, 1<<20, 0.05) }),
		},
		{
			Name: "crash", Family: "crash", Cause: "process-crash",
			About: "a service crashes at a number of requests in flight and is started again",
			Needs: []lab.Need{lab.NeedLinux},
			Start: lab.Setup("crash", func(b *lab.Bench) error {
				at, work := b.Whole(25, 45), b.Millis(80, 120)
				c, err := b.Supervised("", []string{lab.Arg("pause", b.Millis(200, 500))}, "api", lab.Arg("crash-at", at), lab.Arg("work", work))
				if err != nil {
					return err
				}
				b.Simple(c, "orders", lab.Post("/orders", 600))
				load := float64(at) / work.Seconds()
				b.RampTo(0.3*load, 1.4*load, 18*time.Second)
				b.Onset(load, 0.25)
				return nil
			}),
		},
		{
			Name: "client-descriptors", Family: "client", Cause: "client-file-descriptors",
			About: "the load generator runs out of descriptors, the server is well",
			Needs: []lab.Need{lab.NeedLinux},
			Start: lab.Setup("client-descriptors", func(b *lab.Bench) error {
				files, work := b.Whole(100, 160), b.Millis(150, 250)
				c, err := b.Child("", "api", lab.Arg("work", work))
				if err != nil {
					return err
				}
				b.Simple(c, "orders", lab.Get("/orders"))
				b.Run.ClientFiles = uint64(files)
				b.Run.Profile.Client.Connections = 2000
				load := float64(files) / work.Seconds()
				b.RampTo(0.2*load, 1.6*load, 18*time.Second)
				b.Run.Expect.Resource = "open-files"
				b.Run.Expect.Host = "local"
				return nil
			}),
		},
		{
			Name: "healthy", Family: "controls", Cause: "healthy",
			About: "the payment service with enough descriptors",
			Needs: []lab.Need{lab.NeedLinux},
			Start: lab.Setup("healthy", func(b *lab.Bench) error {
				p := services.Payments{NoFile: 4096, Hold: b.Millis(60, 100), Growth: 0.3, Ledgers: 1}
				c, err := b.Child("", "payments", p.Args()...)
				if err != nil {
					return err
				}
				b.Simple(c, "payments", lab.Post("/payments", 2000))
				b.RampTo(200, b.Between(700, 1000), 18*time.Second)
				return nil
			}),
		},
	}
}

// StartPayments starts the payment service with a limit that the ramp crosses.
func StartPayments(b *lab.Bench, limit uint64, ledgers int) error {
	p := services.Payments{NoFile: limit, Hold: b.Millis(100, 160), Growth: b.Between(0.1, 0.4), Ledgers: ledgers}
	c, err := b.Child("", "payments", p.Args()...)
	if err != nil {
		return err
	}
	b.Simple(c, "payments", lab.Post("/payments", 2000))
	b.RampTo(0.3*p.OnsetLoad(), 1.5*p.OnsetLoad(), 18*time.Second)
	b.Onset(p.OnsetLoad(), 0.15)
	b.Run.Expect.Resource = "open-files"
	return nil
}

func UnreadBody(b *lab.Bench, size int, share float64) error {
	c, err := b.Child("", "api", lab.Arg("early", size/2))
	if err != nil {
		return err
	}
	requests := append(lab.Post("/small", 400), lab.Post("/upload", size)...)
	requests[0].Weight, requests[1].Weight = 1-share, share
	b.Simple(c, "orders", requests)
	b.RampTo(50, b.Between(200, 300), 18*time.Second)
	return nil
}

// KeepAliveRace lets every connection rest for about as long as the server
// keeps it. Load that never rests could not show the race.
func KeepAliveRace(b *lab.Bench, requests []profiles.Request) error {
	idle := b.Millis(250, 400)
	c, err := b.Child("", "api", lab.Arg("idle", idle), lab.Arg("idle-lag", "2ms"))
	if err != nil {
		return err
	}
	b.Simple(c, "orders", requests)
	b.Bursts(b.Whole(40, 64), idle+3*time.Millisecond, 4*time.Millisecond, 25*time.Second)
	return nil
}

// Deadlocking starts a payment service that deadlocks when too many payments are
// in flight, below a watchdog, and returns the load at which that happens.
func Deadlocking(b *lab.Bench) (*lab.Child, float64, error) {
	at, work := b.Whole(16, 24), b.Millis(50, 70)
	c, err := b.Supervised("", []string{"-watch=250ms", lab.Arg("hang", b.Millis(500, 800)), lab.Arg("pause", b.Millis(200, 400))},
		"api", lab.Arg("deadlock-at", at), lab.Arg("workers", 2*at), lab.Arg("work", work))
	return c, float64(at) / work.Seconds(), err
}

// Gateway puts the order service before a payment service and loads it.
func Gateway(b *lab.Bench, payments *lab.Child, load float64) error {
	c, err := b.Child("", "orders", lab.Arg("upstream", payments.URL()))
	if err != nil {
		return err
	}
	b.Target("orders", c.URL(), lab.Post("/orders", 2000), "orders-1", "payments-1")
	b.Host("orders-1", "", c.Addr().Port())
	b.Host("payments-1", "", payments.Addr().Port())
	b.Run.Profile.Client.Timeout = 5 * time.Second
	b.RampTo(0.3*load, 1.35*load, 18*time.Second)
	return nil
}
