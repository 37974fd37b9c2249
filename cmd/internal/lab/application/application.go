package application

import (
	"time"

	"github.com/rampload/rampload/attack/fault"
	"github.com/rampload/rampload/cmd/internal/lab"
	"github.com/rampload/rampload/profiles"
)

// applicationScenarios are faults of application code on this machine's loopback:
// they need no privileges.
func applicationScenarios() []lab.Scenario {
	scenario := lab.Needing()
	return []lab.Scenario{
		scenario("application-abort", "application-abort", "handler-panics",
			"handlers of a net/http server panic now and then, which closes their connections", func(b *lab.Bench) error {
				return steadyFault(b, "web", lab.Arg("panic-every", b.Whole(40, 120)), lab.Arg("work", b.Millis(3, 10)))
			}),
		scenario("application-abort", "application-abort", "abort-one-endpoint",
			"one of a service's endpoints resets all its callers, the others are well", func(b *lab.Bench) error {
				if err := steadyFault(b, "web", lab.Arg("abort-path", "/export"), lab.Arg("work", b.Millis(3, 10))); err != nil {
					return err
				}
				requests := append(lab.Get("/orders"), append(lab.Get("/customers"), append(lab.Post("/invoices", 500), lab.Get("/export")...)...)...)
				share := b.Between(0.01, 0.04)
				requests[0].Weight, requests[1].Weight, requests[2].Weight, requests[3].Weight = 0.5, 0.3, 0.2-share, share
				b.Run.Profile.Targets[0].Requests = requests
				return nil
			}),
		scenario("application-abort", "application-abort", "abort-after-response",
			"a server resets connections right behind a share of its responses", func(b *lab.Bench) error {
				// To the client they are idle when it happens.
				b.Run.Expect.Causes = []string{"idle-timeout-race"}
				return steadyFault(b, "injector", lab.Arg("place", fault.AfterResponse), lab.Arg("every", b.Whole(20, 60)), lab.Arg("hold", b.Millis(3, 10)))
			}),
		scenario("keep-alive", "idle-timeout-race", "keep-alive-requests-silent",
			"a server closes connections after a number of requests and does not say so", func(b *lab.Bench) error {
				// The same race, begun by a count instead of a clock, which the catalogue has
				// no key for; the software is at fault, not the setting.
				b.Run.Expect.Causes = []string{"application-abort"}
				c, err := b.Child("", "api", lab.Arg("silent-per-conn", b.Whole(30, 60)), lab.Arg("idle-lag", "3ms"), lab.Arg("work", "4ms"))
				if err != nil {
					return err
				}
				b.Simple(c, "orders", lab.Post("/orders", 400))
				b.Run.Profile.Client.Connections = 8 // busy ones: the next request comes at once
				b.RampTo(150, b.Between(900, 1100), 18*time.Second)
				return nil
			}),
		scenario("connection-slots", "server-connection-limit", "bulkhead-reset",
			"a service resets requests beyond a number in progress", func(b *lab.Bench) error {
				// With one latency all the time a rate and a number in progress look the same.
				b.Run.Expect.Causes = []string{"rate-limit-policy", "server-threads"}
				return bulkhead(b, "reset")
			}),
		scenario("connection-slots", "server-connection-limit", "bulkhead-503",
			"a service answers 503 beyond a number of requests in progress", func(b *lab.Bench) error {
				b.Run.Expect.Causes = []string{"rate-limit-policy", "server-threads"}
				return bulkhead(b, "503")
			}),
		scenario("pool", "server-connection-limit", "pool-exhausted-503",
			"a service's pool of database connections is too small: requests wait for one and get 503", func(b *lab.Bench) error {
				b.Run.Expect.Causes = []string{"server-threads", "proxy-queue-limit", "upstream-connection-limit"}
				return databasePool(b, "503")
			}),
		scenario("pool", "server-connection-limit", "pool-exhausted-reset",
			"a service's pool of database connections is too small: requests wait for one and are reset", func(b *lab.Bench) error {
				b.Run.Expect.Causes = []string{"server-threads", "proxy-queue-limit", "upstream-connection-limit", "rate-limit-policy"}
				return databasePool(b, "reset")
			}),
		scenario("application-abort", "application-abort", "write-timeout",
			"a server's own time limit cuts off responses when its workers are busy (net/http's WriteTimeout)", func(b *lab.Bench) error {
				// More workers would help as well.
				b.Run.Expect.Causes = []string{"server-threads", "server-connection-limit"}
				slots, work := b.Whole(8, 14), b.Millis(40, 60)
				c, err := b.Child("", "web", lab.Arg("slots", slots), lab.Arg("work", work), lab.Arg("write-timeout", b.Millis(400, 600)))
				if err != nil {
					return err
				}
				b.Simple(c, "orders", lab.Post("/orders", 500))
				b.Run.Profile.Client.Timeout = 5 * time.Second
				load := float64(slots) / work.Seconds()
				b.RampTo(0.4*load, 1.2*load, 18*time.Second)
				b.Onset(load, 0.25)
				return nil
			}),
		scenario("application-abort", "application-abort", "stop-the-world",
			"a service stands still now and then and resets requests that have become too old meanwhile", func(b *lab.Bench) error {
				b.Run.Expect.Causes = []string{"server-cpu-shedding"}
				return steadyFault(b, "web", lab.Arg("work", "5ms"), lab.Arg("stop-every", b.Millis(2500, 3500)), lab.Arg("stop-for", b.Millis(250, 400)), lab.Arg("deadline", "200ms"))
			}),
		scenario("confounders", "unexplained", "scheduled-job",
			"a job inside the service resets all requests for a moment on a clock, whatever the load", func(b *lab.Bench) error {
				b.Run.Expect.Causes = []string{"application-abort"}
				return steadyFault(b, "web", lab.Arg("work", "5ms"), lab.Arg("job-every", b.Millis(4500, 6000)), lab.Arg("job-for", b.Millis(200, 400)))
			}),
		scenario("http2", "application-abort", "http2-max-age",
			"an HTTP/2 server closes connections at a certain age behind a GOAWAY without waiting for open streams", func(b *lab.Bench) error {
				b.Run.Expect.Causes = []string{"worker-recycling"}
				b.Run.Profile.Client.Protocol = profiles.ProtocolH2C
				if err := steadyFault(b, "web", lab.Arg("max-age", b.Millis(1200, 2000)), lab.Arg("work", b.Millis(60, 100))); err != nil {
					return err
				}
				return nil
			}),
	}
}

// bulkhead ramps beyond the load at which a service has as many requests in
// progress as it takes.
func bulkhead(b *lab.Bench, turnAway string) error {
	limit, work := b.Whole(25, 45), b.Millis(70, 120)
	c, err := b.Child("", "web", lab.Arg("bulkhead", limit), lab.Arg("work", work), lab.Arg("turn-away", turnAway))
	if err != nil {
		return err
	}
	b.Simple(c, "orders", lab.Post("/orders", 600))
	load := float64(limit) / work.Seconds()
	b.RampTo(0.3*load, 1.5*load, 18*time.Second)
	b.Onset(load, 0.2)
	return nil
}

// databasePool puts a service with a few connections before its database and
// ramps beyond what these can carry.
func databasePool(b *lab.Bench, turnAway string) error {
	conns, query := b.Whole(8, 14), b.Millis(30, 50)
	database, err := b.Child("", "api", lab.Arg("work", query))
	if err != nil {
		return err
	}
	c, err := b.Child("", "web", lab.Arg("pool", conns), lab.Arg("database", database.URL()), lab.Arg("pool-wait", b.Millis(250, 400)),
		lab.Arg("turn-away", turnAway), lab.Arg("work", "3ms"))
	if err != nil {
		return err
	}
	b.Target("orders", c.URL(), lab.Post("/orders", 600), "orders-1", "database-1")
	b.Host("orders-1", "", c.Addr().Port())
	b.Host("database-1", "", database.Addr().Port())
	b.Run.Expect.Host = "orders-1"
	load := float64(conns) / query.Seconds()
	b.RampTo(0.4*load, 1.4*load, 18*time.Second)
	b.Onset(load, 0.25)
	return nil
}
