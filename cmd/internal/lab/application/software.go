package application

import (
	"time"

	"github.com/rampload/rampload/attack/fault"
	"github.com/rampload/rampload/cmd/internal/lab"
	"github.com/rampload/rampload/cmd/internal/lab/services"
	"github.com/rampload/rampload/cmd/internal/lab/teach"
	"github.com/rampload/rampload/profiles"
)

// softwareScenarios are faults of server software and policies, and restarts, on
// this machine's loopback: they need no privileges.
func softwareScenarios() []lab.Scenario {
	return []lab.Scenario{
		{
			Name: "abort-before-response", Family: "application-abort", Cause: "application-abort",
			About: "an application resets a constant share of its requests instead of answering",
			Needs: []lab.Need{lab.NeedLinux},
			Start: lab.Setup("abort-before-response", func(b *lab.Bench) error {
				return steadyFault(b, "api", lab.Arg("abort-every", b.Whole(60, 200)), lab.Arg("work", b.Millis(1, 5)))
			}),
		},
		{
			Name: "abort-in-body", Family: "application-abort", Cause: "application-abort",
			About: "an application resets a constant share of its responses in the middle",
			Needs: []lab.Need{lab.NeedLinux},
			Start: lab.Setup("abort-in-body", func(b *lab.Bench) error {
				return steadyFault(b, "injector", lab.Arg("place", fault.InBody), lab.Arg("every", b.Whole(60, 200)), lab.Arg("size", 20_000), lab.Arg("hold", b.Millis(1, 5)))
			}),
		},
		{
			Name: "abort-beside-climb", Family: "confounders", Cause: "application-abort",
			About: "an application resets a constant share while its descriptors climb, harmlessly, to just below their limit",
			Needs: []lab.Need{lab.NeedLinux},
			Start: lab.Setup("abort-beside-climb", func(b *lab.Bench) error {
				return steadyFault(b, "api", lab.Arg("abort-every", b.Whole(80, 200)), lab.Arg("work", "2ms"),
					lab.Arg("nofile", 700), lab.Arg("hoard", 12), lab.Arg("hoard-max", b.Whole(500, 560)))
			}),
		},
		{
			Name: "hidden-step", Family: "confounders", Cause: "unexplained",
			About: "an application begins to reset at a moment that has nothing to do with load or any resource",
			Needs: []lab.Need{lab.NeedLinux},
			Start: lab.Setup("hidden-step", func(b *lab.Bench) error {
				b.Run.Expect.Causes = []string{"application-abort"}
				return steadyFault(b, "api", lab.Arg("abort-every", b.Whole(20, 60)), lab.Arg("abort-after", b.Millis(8000, 14000)), lab.Arg("work", "3ms"))
			}),
		},
		{
			Name: "unread-body-small", Family: "early-response", Cause: "early-response-unread-body",
			About: "a server refuses uploads of a few hundred kilobytes without reading them",
			Needs: []lab.Need{lab.NeedLinux},
			Start: lab.Setup("unread-body-small", func(b *lab.Bench) error { return teach.UnreadBody(b, 200<<10, 0.1) }),
		},
		{
			Name: "http2-streams", Family: "http2", Cause: "application-abort",
			About: "an HTTP/2 server answers a constant share of its requests with RST_STREAM",
			Needs: []lab.Need{lab.NeedLinux},
			Start: lab.Setup("http2-streams", func(b *lab.Bench) error {
				b.Run.Profile.Client.Protocol = profiles.ProtocolH2C
				return steadyFault(b, "injector", "-http2", lab.Arg("place", fault.StreamReset), lab.Arg("every", b.Whole(40, 150)), lab.Arg("hold", "3ms"))
			}),
		},
		{
			Name: "http2-connections", Family: "http2", Cause: "application-abort",
			About: "an HTTP/2 server resets the whole connection now and then, with all its streams",
			Needs: []lab.Need{lab.NeedLinux},
			Start: lab.Setup("http2-connections", func(b *lab.Bench) error {
				b.Run.Profile.Client.Protocol = profiles.ProtocolH2C
				return steadyFault(b, "injector", "-http2", lab.Arg("place", fault.BeforeResponseReused), lab.Arg("every", b.Whole(150, 300)), lab.Arg("hold", "3ms"))
			}),
		},
		{
			Name: "rate-limit", Family: "rate-limit", Cause: "rate-limit-policy",
			About: "a server resets what exceeds its rate limit",
			Needs: []lab.Need{lab.NeedLinux},
			Start: lab.Setup("rate-limit", func(b *lab.Bench) error {
				rate := b.Between(200, 400)
				c, err := b.Child("", "api", lab.Arg("rate", rate), lab.Arg("work", "2ms"))
				if err != nil {
					return err
				}
				b.Simple(c, "orders", lab.Post("/orders", 600))
				b.RampTo(0.3*rate, 1.6*rate, 18*time.Second)
				b.Onset(rate, 0.1)
				return nil
			}),
		},
		{
			Name: "rate-limit-connections", Family: "rate-limit", Cause: "rate-limit-policy",
			About: "a server resets new connections beyond a rate, whatever they ask for",
			Needs: []lab.Need{lab.NeedLinux},
			Start: lab.Setup("rate-limit-connections", func(b *lab.Bench) error {
				rate := b.Between(120, 250)
				c, err := b.Child("", "api", lab.Arg("conn-rate", rate))
				if err != nil {
					return err
				}
				b.Simple(c, "orders", lab.Get("/orders"))
				b.Run.Profile.Client.Connections = 0
				b.RampTo(0.3*rate, 1.6*rate, 18*time.Second)
				b.Onset(rate, 0.1)
				return nil
			}),
		},
		{
			Name: "keep-alive-race-get", Family: "keep-alive", Cause: "idle-timeout-race",
			About: "a server closes idle connections just when the client uses them again (GET)",
			Needs: []lab.Need{lab.NeedLinux},
			Start: lab.Setup("keep-alive-race-get", func(b *lab.Bench) error { return teach.KeepAliveRace(b, lab.Get("/orders")) }),
		},
		{
			Name: "crash-early", Family: "crash", Cause: "process-crash",
			About: "a service with a quick supervisor crashes at a small number of requests in flight",
			Needs: []lab.Need{lab.NeedLinux},
			Start: lab.Setup("crash-early", func(b *lab.Bench) error {
				at, work := b.Whole(12, 18), b.Millis(30, 50)
				c, err := b.Supervised("", []string{lab.Arg("pause", "50ms")}, "api", lab.Arg("crash-at", at), lab.Arg("work", work))
				if err != nil {
					return err
				}
				b.Simple(c, "orders", lab.Get("/orders"))
				load := float64(at) / work.Seconds()
				b.RampTo(0.3*load, 1.3*load, 18*time.Second)
				b.Onset(load, 0.3)
				return nil
			}),
		},
		{
			Name: "worker-killed", Family: "worker-killed", Cause: "worker-killed",
			About: "a service deadlocks under concurrency and its watchdog kills it",
			Needs: []lab.Need{lab.NeedLinux},
			Start: lab.Setup("worker-killed", func(b *lab.Bench) error {
				c, load, err := teach.Deadlocking(b)
				if err != nil {
					return err
				}
				b.Simple(c, "payments", lab.Post("/payments", 2000))
				b.RampTo(0.3*load, 1.3*load, 18*time.Second)
				return nil
			}),
		},
		{
			Name: "restart", Family: "restart", Cause: "ungraceful-restart",
			About: "a service is killed and started again on a clock, whatever the load",
			Needs: []lab.Need{lab.NeedLinux},
			Start: lab.Setup("restart", func(b *lab.Bench) error {
				c, err := b.Supervised("", []string{lab.Arg("kill-after", b.Millis(4000, 6000)), lab.Arg("kill-every", b.Millis(4000, 5000)), lab.Arg("pause", "150ms")},
					"api", lab.Arg("work", b.Millis(30, 60)))
				if err != nil {
					return err
				}
				b.Simple(c, "orders", lab.Post("/orders", 600))
				b.RampTo(100, 400, 18*time.Second)
				return nil
			}),
		},
		{
			Name: "restart-queued", Family: "restart", Cause: "ungraceful-restart",
			About: "a service with a queue is killed on a clock: what it has not read yet is reset",
			Needs: []lab.Need{lab.NeedLinux},
			Start: lab.Setup("restart-queued", func(b *lab.Bench) error {
				c, err := b.Supervised("", []string{lab.Arg("kill-after", b.Millis(3000, 5000)), lab.Arg("kill-every", b.Millis(3500, 4500)), lab.Arg("pause", "100ms")},
					"api", lab.Arg("workers", 12), lab.Arg("work", b.Millis(30, 40)))
				if err != nil {
					return err
				}
				b.Simple(c, "orders", lab.Post("/orders", 3000))
				b.RampTo(100, 280, 18*time.Second)
				return nil
			}),
		},
		{
			Name: "gateway-descriptors", Family: "gateway", Cause: "upstream-file-descriptors",
			About: "orders needs a payment service that runs out of descriptors",
			Needs: []lab.Need{lab.NeedLinux},
			Start: lab.Setup("gateway-descriptors", func(b *lab.Bench) error {
				p := services.Payments{NoFile: uint64(b.Whole(120, 200)), Hold: b.Millis(100, 150), Growth: 0.2, Ledgers: 1}
				c, err := b.Child("", "payments", p.Args()...)
				if err != nil {
					return err
				}
				b.Run.Expect.Host, b.Run.Expect.Resource = "payments-1", "open-files"
				b.Onset(p.OnsetLoad(), 0.2)
				return teach.Gateway(b, c, p.OnsetLoad())
			}),
		},
		{
			Name: "gateway-abort", Family: "gateway", Cause: "upstream-application-abort",
			About: "orders needs a payment service that resets a constant share of its requests",
			Needs: []lab.Need{lab.NeedLinux},
			Start: lab.Setup("gateway-abort", func(b *lab.Bench) error {
				c, err := b.Child("", "api", lab.Arg("abort-every", b.Whole(50, 120)), lab.Arg("work", "10ms"))
				if err != nil {
					return err
				}
				b.Run.Expect.Host = "payments-1"
				return teach.Gateway(b, c, 350)
			}),
		},
	}
}

// steadyFault starts a service whose fault does not depend on load.
func steadyFault(b *lab.Bench, service string, args ...string) error {
	c, err := b.Child("", service, args...)
	if err != nil {
		return err
	}
	b.Simple(c, "orders", lab.Post("/orders", 400))
	b.RampTo(100, b.Between(400, 600), 18*time.Second)
	return nil
}
