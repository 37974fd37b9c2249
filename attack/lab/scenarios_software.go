package lab

import (
	"time"

	"github.com/rampload/rampload/profiles"
)

// softwareScenarios are faults of server software and policies, and restarts, on
// this machine's loopback: they need no privileges.
func softwareScenarios() []Scenario {
	return []Scenario{
		{
			Name: "abort-before-response", Family: "application-abort", Cause: "application-abort",
			About: "an application resets a constant share of its requests instead of answering",
			Needs: []Need{NeedLinux},
			Start: setup("abort-before-response", func(b *bench) error {
				return b.steadyFault("api", arg("abort-every", b.whole(60, 200)), arg("work", b.millis(1, 5)))
			}),
		},
		{
			Name: "abort-in-body", Family: "application-abort", Cause: "application-abort",
			About: "an application resets a constant share of its responses in the middle",
			Needs: []Need{NeedLinux},
			Start: setup("abort-in-body", func(b *bench) error {
				return b.steadyFault("injector", arg("place", InBody), arg("every", b.whole(60, 200)), arg("size", 20_000), arg("hold", b.millis(1, 5)))
			}),
		},
		{
			Name: "abort-beside-climb", Family: "confounders", Cause: "application-abort",
			About: "an application resets a constant share while its descriptors climb, harmlessly, to just below their limit",
			Needs: []Need{NeedLinux},
			Start: setup("abort-beside-climb", func(b *bench) error {
				return b.steadyFault("api", arg("abort-every", b.whole(80, 200)), arg("work", "2ms"),
					arg("nofile", 700), arg("hoard", 12), arg("hoard-max", b.whole(500, 560)))
			}),
		},
		{
			Name: "hidden-step", Family: "confounders", Cause: "unexplained",
			About: "an application begins to reset at a moment that has nothing to do with load or any resource",
			Needs: []Need{NeedLinux},
			Start: setup("hidden-step", func(b *bench) error {
				b.run.Expect.Causes = []string{"application-abort"}
				return b.steadyFault("api", arg("abort-every", b.whole(20, 60)), arg("abort-after", b.millis(8000, 14000)), arg("work", "3ms"))
			}),
		},
		{
			Name: "unread-body", Family: "early-response", Cause: "early-response-unread-body",
			About: "a server answers 413 to large uploads and closes without reading them",
			Needs: []Need{NeedLinux},
			Start: setup("unread-body", func(b *bench) error { return b.unreadBody(1<<20, 0.05) }),
		},
		{
			Name: "unread-body-small", Family: "early-response", Cause: "early-response-unread-body",
			About: "a server refuses uploads of a few hundred kilobytes without reading them",
			Needs: []Need{NeedLinux},
			Start: setup("unread-body-small", func(b *bench) error { return b.unreadBody(200<<10, 0.1) }),
		},
		{
			Name: "http2-streams", Family: "http2", Cause: "application-abort",
			About: "an HTTP/2 server answers a constant share of its requests with RST_STREAM",
			Needs: []Need{NeedLinux},
			Start: setup("http2-streams", func(b *bench) error {
				b.run.Profile.Client.Protocol = profiles.ProtocolH2C
				return b.steadyFault("injector", "-http2", arg("place", StreamReset), arg("every", b.whole(40, 150)), arg("hold", "3ms"))
			}),
		},
		{
			Name: "http2-connections", Family: "http2", Cause: "application-abort",
			About: "an HTTP/2 server resets the whole connection now and then, with all its streams",
			Needs: []Need{NeedLinux},
			Start: setup("http2-connections", func(b *bench) error {
				b.run.Profile.Client.Protocol = profiles.ProtocolH2C
				return b.steadyFault("injector", "-http2", arg("place", BeforeResponseReused), arg("every", b.whole(150, 300)), arg("hold", "3ms"))
			}),
		},
		{
			Name: "rate-limit", Family: "rate-limit", Cause: "rate-limit-policy",
			About: "a server resets what exceeds its rate limit",
			Needs: []Need{NeedLinux},
			Start: setup("rate-limit", func(b *bench) error {
				rate := b.between(200, 400)
				c, err := b.child("", "api", arg("rate", rate), arg("work", "2ms"))
				if err != nil {
					return err
				}
				b.simple(c, "orders", post("/orders", 600))
				b.rampTo(0.3*rate, 1.6*rate, 18*time.Second)
				b.onset(rate, 0.1)
				return nil
			}),
		},
		{
			Name: "rate-limit-connections", Family: "rate-limit", Cause: "rate-limit-policy",
			About: "a server resets new connections beyond a rate, whatever they ask for",
			Needs: []Need{NeedLinux},
			Start: setup("rate-limit-connections", func(b *bench) error {
				rate := b.between(120, 250)
				c, err := b.child("", "api", arg("conn-rate", rate))
				if err != nil {
					return err
				}
				b.simple(c, "orders", get("/orders"))
				b.run.Profile.Client.Connections = 0
				b.rampTo(0.3*rate, 1.6*rate, 18*time.Second)
				b.onset(rate, 0.1)
				return nil
			}),
		},
		{
			Name: "keep-alive-race", Family: "keep-alive", Cause: "idle-timeout-race",
			About: "a server closes idle connections just when the client uses them again (POST)",
			Needs: []Need{NeedLinux},
			Start: setup("keep-alive-race", func(b *bench) error { return b.keepAliveRace(post("/orders", 300)) }),
		},
		{
			Name: "keep-alive-race-get", Family: "keep-alive", Cause: "idle-timeout-race",
			About: "a server closes idle connections just when the client uses them again (GET)",
			Needs: []Need{NeedLinux},
			Start: setup("keep-alive-race-get", func(b *bench) error { return b.keepAliveRace(get("/orders")) }),
		},
		{
			Name: "crash", Family: "crash", Cause: "process-crash",
			About: "a service crashes at a number of requests in flight and is started again",
			Needs: []Need{NeedLinux},
			Start: setup("crash", func(b *bench) error {
				at, work := b.whole(25, 45), b.millis(80, 120)
				c, err := b.supervised("", []string{arg("pause", b.millis(200, 500))}, "api", arg("crash-at", at), arg("work", work))
				if err != nil {
					return err
				}
				b.simple(c, "orders", post("/orders", 600))
				load := float64(at) / work.Seconds()
				b.rampTo(0.3*load, 1.4*load, 18*time.Second)
				b.onset(load, 0.25)
				return nil
			}),
		},
		{
			Name: "crash-early", Family: "crash", Cause: "process-crash",
			About: "a service with a quick supervisor crashes at a small number of requests in flight",
			Needs: []Need{NeedLinux},
			Start: setup("crash-early", func(b *bench) error {
				at, work := b.whole(12, 18), b.millis(30, 50)
				c, err := b.supervised("", []string{arg("pause", "50ms")}, "api", arg("crash-at", at), arg("work", work))
				if err != nil {
					return err
				}
				b.simple(c, "orders", get("/orders"))
				load := float64(at) / work.Seconds()
				b.rampTo(0.3*load, 1.3*load, 18*time.Second)
				b.onset(load, 0.3)
				return nil
			}),
		},
		{
			Name: "worker-killed", Family: "worker-killed", Cause: "worker-killed",
			About: "a service deadlocks under concurrency and its watchdog kills it",
			Needs: []Need{NeedLinux},
			Start: setup("worker-killed", func(b *bench) error {
				c, load, err := b.deadlocking()
				if err != nil {
					return err
				}
				b.simple(c, "payments", post("/payments", 2000))
				b.rampTo(0.3*load, 1.3*load, 18*time.Second)
				return nil
			}),
		},
		{
			Name: "restart", Family: "restart", Cause: "ungraceful-restart",
			About: "a service is killed and started again on a clock, whatever the load",
			Needs: []Need{NeedLinux},
			Start: setup("restart", func(b *bench) error {
				c, err := b.supervised("", []string{arg("kill-after", b.millis(4000, 6000)), arg("kill-every", b.millis(4000, 5000)), arg("pause", "150ms")},
					"api", arg("work", b.millis(30, 60)))
				if err != nil {
					return err
				}
				b.simple(c, "orders", post("/orders", 600))
				b.rampTo(100, 400, 18*time.Second)
				return nil
			}),
		},
		{
			Name: "restart-queued", Family: "restart", Cause: "ungraceful-restart",
			About: "a service with a queue is killed on a clock: what it has not read yet is reset",
			Needs: []Need{NeedLinux},
			Start: setup("restart-queued", func(b *bench) error {
				c, err := b.supervised("", []string{arg("kill-after", b.millis(3000, 5000)), arg("kill-every", b.millis(3500, 4500)), arg("pause", "100ms")},
					"api", arg("workers", 12), arg("work", b.millis(30, 40)))
				if err != nil {
					return err
				}
				b.simple(c, "orders", post("/orders", 3000))
				b.rampTo(100, 280, 18*time.Second)
				return nil
			}),
		},
		{
			Name: "gateway", Family: "gateway", Cause: "upstream-worker-killed",
			About: "orders needs a payment service that deadlocks under concurrency, is killed by its watchdog, and resets",
			Needs: []Need{NeedLinux},
			Start: setup("gateway", func(b *bench) error {
				payments, load, err := b.deadlocking()
				if err != nil {
					return err
				}
				b.run.Expect.Host = "payments-1"
				return b.gateway(payments, load)
			}),
		},
		{
			Name: "gateway-descriptors", Family: "gateway", Cause: "upstream-file-descriptors",
			About: "orders needs a payment service that runs out of descriptors",
			Needs: []Need{NeedLinux},
			Start: setup("gateway-descriptors", func(b *bench) error {
				p := Payments{NoFile: uint64(b.whole(120, 200)), Hold: b.millis(100, 150), Growth: 0.2, Ledgers: 1}
				c, err := b.child("", "payments", p.Args()...)
				if err != nil {
					return err
				}
				b.run.Expect.Host, b.run.Expect.Resource = "payments-1", "open-files"
				b.onset(p.OnsetLoad(), 0.2)
				return b.gateway(c, p.OnsetLoad())
			}),
		},
		{
			Name: "gateway-abort", Family: "gateway", Cause: "upstream-application-abort",
			About: "orders needs a payment service that resets a constant share of its requests",
			Needs: []Need{NeedLinux},
			Start: setup("gateway-abort", func(b *bench) error {
				c, err := b.child("", "api", arg("abort-every", b.whole(50, 120)), arg("work", "10ms"))
				if err != nil {
					return err
				}
				b.run.Expect.Host = "payments-1"
				return b.gateway(c, 350)
			}),
		},
	}
}

// steadyFault starts a service whose fault does not depend on load.
func (b *bench) steadyFault(service string, args ...string) error {
	c, err := b.child("", service, args...)
	if err != nil {
		return err
	}
	b.simple(c, "orders", post("/orders", 400))
	b.rampTo(100, b.between(400, 600), 18*time.Second)
	return nil
}

func (b *bench) unreadBody(size int, share float64) error {
	c, err := b.child("", "api", arg("early", size/2))
	if err != nil {
		return err
	}
	requests := append(post("/small", 400), post("/upload", size)...)
	requests[0].Weight, requests[1].Weight = 1-share, share
	b.simple(c, "orders", requests)
	b.rampTo(50, b.between(200, 300), 18*time.Second)
	return nil
}

// keepAliveRace lets every connection rest for about as long as the server
// keeps it. Load that never rests could not show the race.
func (b *bench) keepAliveRace(requests []profiles.Request) error {
	idle := b.millis(250, 400)
	c, err := b.child("", "api", arg("idle", idle), arg("idle-lag", "2ms"))
	if err != nil {
		return err
	}
	b.simple(c, "orders", requests)
	b.bursts(b.whole(40, 64), idle+3*time.Millisecond, 4*time.Millisecond, 25*time.Second)
	return nil
}

// deadlocking starts a payment service that deadlocks when too many payments are
// in flight, below a watchdog, and returns the load at which that happens.
func (b *bench) deadlocking() (*Child, float64, error) {
	at, work := b.whole(16, 24), b.millis(50, 70)
	c, err := b.supervised("", []string{"-watch=250ms", arg("hang", b.millis(500, 800)), arg("pause", b.millis(200, 400))},
		"api", arg("deadlock-at", at), arg("workers", 2*at), arg("work", work))
	return c, float64(at) / work.Seconds(), err
}

// gateway puts the order service before a payment service and loads it.
func (b *bench) gateway(payments *Child, load float64) error {
	c, err := b.child("", "orders", arg("upstream", payments.URL()))
	if err != nil {
		return err
	}
	b.target("orders", c.URL(), post("/orders", 2000), "orders-1", "payments-1")
	b.host("orders-1", "", c.Addr().Port())
	b.host("payments-1", "", payments.Addr().Port())
	b.run.Profile.Client.Timeout = 5 * time.Second
	b.rampTo(0.3*load, 1.35*load, 18*time.Second)
	return nil
}
