package lab

import (
	"time"

	"github.com/rampload/rampload/profiles"
)

// controlScenarios are healthy, whatever climbs, or limited by the generator.
func controlScenarios() []Scenario {
	healthy := func(name, about string, fill func(*bench) error) Scenario {
		return Scenario{Name: name, About: about, Family: "controls", Cause: "healthy", Needs: []Need{NeedLinux}, Start: setup(name, fill)}
	}
	serve := func(b *bench, requests []profiles.Request, args ...string) error {
		c, err := b.child("", "api", args...)
		if err != nil {
			return err
		}
		b.simple(c, "orders", requests)
		b.rampTo(100, b.between(500, 700), 18*time.Second)
		return nil
	}
	return []Scenario{
		healthy("healthy", "the payment service with enough descriptors", func(b *bench) error {
			p := Payments{NoFile: 4096, Hold: b.millis(60, 100), Growth: 0.3, Ledgers: 1}
			c, err := b.child("", "payments", p.Args()...)
			if err != nil {
				return err
			}
			b.simple(c, "payments", post("/payments", 2000))
			b.rampTo(200, b.between(700, 1000), 18*time.Second)
			return nil
		}),
		healthy("healthy-keep-alive-requests", "a server closes each connection after a number of requests, and says so", func(b *bench) error {
			return serve(b, get("/orders"), arg("per-conn", b.whole(20, 100)), arg("work", "5ms"))
		}),
		healthy("healthy-time-wait", "a new connection for every request leaves thousands of sockets in TIME_WAIT", func(b *bench) error {
			b.run.Profile.Client.Connections = 0
			return serve(b, get("/orders"), "-close")
		}),
		healthy("healthy-busy", "a server on one core gets slow near its capacity but answers everyone", func(b *bench) error {
			work := time.Duration(b.between(2, 3) * float64(time.Millisecond))
			c, err := b.child("", "api", arg("cores", 1), arg("workers", 1), arg("cpu", work))
			if err != nil {
				return err
			}
			b.simple(c, "orders", get("/orders"))
			b.run.Profile.Client.Timeout = 15 * time.Second
			b.rampTo(0.3/work.Seconds(), 1.02/work.Seconds(), 18*time.Second)
			return nil
		}),
		healthy("healthy-descriptors-grow", "descriptors grow all the time and stay far from their limit", func(b *bench) error {
			return serve(b, get("/orders"), arg("nofile", 16384), arg("hoard", b.whole(4, 10)), arg("work", "5ms"))
		}),
		healthy("healthy-leak", "memory grows with every request and stays far from the machine's", func(b *bench) error {
			return serve(b, get("/orders"), arg("leak", b.whole(10_000, 20_000)))
		}),
		healthy("healthy-bursts", "bursts with rests that the server's idle timeout outlasts", func(b *bench) error {
			c, err := b.child("", "api", arg("idle", "60s"), arg("work", "10ms"))
			if err != nil {
				return err
			}
			b.simple(c, "orders", get("/orders"))
			b.bursts(b.whole(40, 80), 300*time.Millisecond, 50*time.Millisecond, 20*time.Second)
			return nil
		}),
		healthy("healthy-gateway", "orders and payments, both well", func(b *bench) error {
			c, err := b.child("", "api", arg("work", b.millis(10, 30)))
			if err != nil {
				return err
			}
			return b.gateway(c, 350)
		}),
		{
			Name: "client-descriptors", Family: "client", Cause: "client-file-descriptors",
			About: "the load generator runs out of descriptors, the server is well",
			Needs: []Need{NeedLinux},
			Start: setup("client-descriptors", func(b *bench) error {
				files, work := b.whole(100, 160), b.millis(150, 250)
				c, err := b.child("", "api", arg("work", work))
				if err != nil {
					return err
				}
				b.simple(c, "orders", get("/orders"))
				b.run.ClientFiles = uint64(files)
				b.run.Profile.Client.Connections = 2000
				load := float64(files) / work.Seconds()
				b.rampTo(0.2*load, 1.6*load, 18*time.Second)
				b.run.Expect.Resource = "open-files"
				b.run.Expect.Host = "local"
				return nil
			}),
		},
	}
}
