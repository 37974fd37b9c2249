package lab

import (
	"time"

	"github.com/rampload/rampload/profiles"
)

// applicationScenarios are faults of application code on this machine's loopback:
// they need no privileges.
func applicationScenarios() []Scenario {
	scenario := needing()
	return []Scenario{
		scenario("application-abort", "application-abort", "handler-panics",
			"handlers of a net/http server panic now and then, which closes their connections", func(b *bench) error {
				return b.steadyFault("web", arg("panic-every", b.whole(40, 120)), arg("work", b.millis(3, 10)))
			}),
		scenario("application-abort", "application-abort", "abort-one-endpoint",
			"one of a service's endpoints resets all its callers, the others are well", func(b *bench) error {
				if err := b.steadyFault("web", arg("abort-path", "/export"), arg("work", b.millis(3, 10))); err != nil {
					return err
				}
				requests := append(get("/orders"), append(get("/customers"), append(post("/invoices", 500), get("/export")...)...)...)
				share := b.between(0.01, 0.04)
				requests[0].Weight, requests[1].Weight, requests[2].Weight, requests[3].Weight = 0.5, 0.3, 0.2-share, share
				b.run.Profile.Targets[0].Requests = requests
				return nil
			}),
		scenario("application-abort", "application-abort", "abort-after-response",
			"a server resets connections right behind a share of its responses", func(b *bench) error {
				// To the client they are idle when it happens.
				b.run.Expect.Causes = []string{"idle-timeout-race"}
				return b.steadyFault("injector", arg("place", AfterResponse), arg("every", b.whole(20, 60)), arg("hold", b.millis(3, 10)))
			}),
		scenario("keep-alive", "idle-timeout-race", "keep-alive-requests-silent",
			"a server closes connections after a number of requests and does not say so", func(b *bench) error {
				// The same race, begun by a count instead of a clock, which the catalogue has
				// no key for; the software is at fault, not the setting.
				b.run.Expect.Causes = []string{"application-abort"}
				c, err := b.child("", "api", arg("silent-per-conn", b.whole(30, 60)), arg("idle-lag", "3ms"), arg("work", "4ms"))
				if err != nil {
					return err
				}
				b.simple(c, "orders", post("/orders", 400))
				b.run.Profile.Client.Connections = 8 // busy ones: the next request comes at once
				b.rampTo(150, b.between(900, 1100), 18*time.Second)
				return nil
			}),
		scenario("connection-slots", "server-connection-limit", "bulkhead-reset",
			"a service resets requests beyond a number in progress", func(b *bench) error {
				// With one latency all the time a rate and a number in progress look the same.
				b.run.Expect.Causes = []string{"rate-limit-policy", "server-threads"}
				return b.bulkhead("reset")
			}),
		scenario("connection-slots", "server-connection-limit", "bulkhead-503",
			"a service answers 503 beyond a number of requests in progress", func(b *bench) error {
				b.run.Expect.Causes = []string{"rate-limit-policy", "server-threads"}
				return b.bulkhead("503")
			}),
		scenario("pool", "server-connection-limit", "pool-exhausted-503",
			"a service's pool of database connections is too small: requests wait for one and get 503", func(b *bench) error {
				b.run.Expect.Causes = []string{"server-threads", "proxy-queue-limit", "upstream-connection-limit"}
				return b.databasePool("503")
			}),
		scenario("pool", "server-connection-limit", "pool-exhausted-reset",
			"a service's pool of database connections is too small: requests wait for one and are reset", func(b *bench) error {
				b.run.Expect.Causes = []string{"server-threads", "proxy-queue-limit", "upstream-connection-limit", "rate-limit-policy"}
				return b.databasePool("reset")
			}),
		scenario("application-abort", "application-abort", "write-timeout",
			"a server's own time limit cuts off responses when its workers are busy (net/http's WriteTimeout)", func(b *bench) error {
				// More workers would help as well.
				b.run.Expect.Causes = []string{"server-threads", "server-connection-limit"}
				slots, work := b.whole(8, 14), b.millis(40, 60)
				c, err := b.child("", "web", arg("slots", slots), arg("work", work), arg("write-timeout", b.millis(400, 600)))
				if err != nil {
					return err
				}
				b.simple(c, "orders", post("/orders", 500))
				b.run.Profile.Client.Timeout = 5 * time.Second
				load := float64(slots) / work.Seconds()
				b.rampTo(0.4*load, 1.2*load, 18*time.Second)
				b.onset(load, 0.25)
				return nil
			}),
		scenario("application-abort", "application-abort", "stop-the-world",
			"a service stands still now and then and resets requests that have become too old meanwhile", func(b *bench) error {
				b.run.Expect.Causes = []string{"server-cpu-shedding"}
				return b.steadyFault("web", arg("work", "5ms"), arg("stop-every", b.millis(2500, 3500)), arg("stop-for", b.millis(250, 400)), arg("deadline", "200ms"))
			}),
		scenario("confounders", "unexplained", "scheduled-job",
			"a job inside the service resets all requests for a moment on a clock, whatever the load", func(b *bench) error {
				b.run.Expect.Causes = []string{"application-abort"}
				return b.steadyFault("web", arg("work", "5ms"), arg("job-every", b.millis(4500, 6000)), arg("job-for", b.millis(200, 400)))
			}),
		scenario("http2", "application-abort", "http2-max-age",
			"an HTTP/2 server closes connections at a certain age behind a GOAWAY without waiting for open streams", func(b *bench) error {
				b.run.Expect.Causes = []string{"worker-recycling"}
				b.run.Profile.Client.Protocol = profiles.ProtocolH2C
				if err := b.steadyFault("web", arg("max-age", b.millis(1200, 2000)), arg("work", b.millis(60, 100))); err != nil {
					return err
				}
				return nil
			}),
	}
}

// bulkhead ramps beyond the load at which a service has as many requests in
// progress as it takes.
func (b *bench) bulkhead(turnAway string) error {
	limit, work := b.whole(25, 45), b.millis(70, 120)
	c, err := b.child("", "web", arg("bulkhead", limit), arg("work", work), arg("turn-away", turnAway))
	if err != nil {
		return err
	}
	b.simple(c, "orders", post("/orders", 600))
	load := float64(limit) / work.Seconds()
	b.rampTo(0.3*load, 1.5*load, 18*time.Second)
	b.onset(load, 0.2)
	return nil
}

// databasePool puts a service with a few connections before its database and
// ramps beyond what these can carry.
func (b *bench) databasePool(turnAway string) error {
	conns, query := b.whole(8, 14), b.millis(30, 50)
	database, err := b.child("", "api", arg("work", query))
	if err != nil {
		return err
	}
	c, err := b.child("", "web", arg("pool", conns), arg("database", database.URL()), arg("pool-wait", b.millis(250, 400)),
		arg("turn-away", turnAway), arg("work", "3ms"))
	if err != nil {
		return err
	}
	b.target("orders", c.URL(), post("/orders", 600), "orders-1", "database-1")
	b.host("orders-1", "", c.Addr().Port())
	b.host("database-1", "", database.Addr().Port())
	b.run.Expect.Host = "orders-1"
	load := float64(conns) / query.Seconds()
	b.rampTo(0.4*load, 1.4*load, 18*time.Second)
	b.onset(load, 0.25)
	return nil
}
