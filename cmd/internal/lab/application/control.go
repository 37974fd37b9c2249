package application

import (
	"time"

	"github.com/rampload/rampload/cmd/internal/lab"
	"github.com/rampload/rampload/cmd/internal/lab/teach"
	"github.com/rampload/rampload/profiles"
)

// controlScenarios are healthy, whatever climbs, or limited by the generator.
func controlScenarios() []lab.Scenario {
	healthy := func(name, about string, fill func(*lab.Bench) error) lab.Scenario {
		return lab.Scenario{Name: name, About: about, Family: "controls", Cause: "healthy", Needs: []lab.Need{lab.NeedLinux}, Start: lab.Setup(name, fill)}
	}
	serve := func(b *lab.Bench, requests []profiles.Request, args ...string) error {
		c, err := b.Child("", "api", args...)
		if err != nil {
			return err
		}
		b.Simple(c, "orders", requests)
		b.RampTo(100, b.Between(500, 700), 18*time.Second)
		return nil
	}
	return []lab.Scenario{
		healthy("healthy-keep-alive-requests", "a server closes each connection after a number of requests, and says so", func(b *lab.Bench) error {
			return serve(b, lab.Get("/orders"), lab.Arg("per-conn", b.Whole(20, 100)), lab.Arg("work", "5ms"))
		}),
		healthy("healthy-time-wait", "a new connection for every request leaves thousands of sockets in TIME_WAIT", func(b *lab.Bench) error {
			b.Run.Profile.Client.Connections = 0
			return serve(b, lab.Get("/orders"), "-close")
		}),
		healthy("healthy-busy", "a server on one core gets slow near its capacity but answers everyone", func(b *lab.Bench) error {
			work := time.Duration(b.Between(2, 3) * float64(time.Millisecond))
			c, err := b.Child("", "api", lab.Arg("cores", 1), lab.Arg("workers", 1), lab.Arg("cpu", work))
			if err != nil {
				return err
			}
			b.Simple(c, "orders", lab.Get("/orders"))
			b.Run.Profile.Client.Timeout = 15 * time.Second
			b.RampTo(0.3/work.Seconds(), 1.02/work.Seconds(), 18*time.Second)
			return nil
		}),
		healthy("healthy-descriptors-grow", "descriptors grow all the time and stay far from their limit", func(b *lab.Bench) error {
			return serve(b, lab.Get("/orders"), lab.Arg("nofile", 16384), lab.Arg("hoard", b.Whole(4, 10)), lab.Arg("work", "5ms"))
		}),
		healthy("healthy-leak", "memory grows with every request and stays far from the machine's", func(b *lab.Bench) error {
			return serve(b, lab.Get("/orders"), lab.Arg("leak", b.Whole(10_000, 20_000)))
		}),
		healthy("healthy-bursts", "bursts with rests that the server's idle timeout outlasts", func(b *lab.Bench) error {
			c, err := b.Child("", "api", lab.Arg("idle", "60s"), lab.Arg("work", "10ms"))
			if err != nil {
				return err
			}
			b.Simple(c, "orders", lab.Get("/orders"))
			b.Bursts(b.Whole(40, 80), 300*time.Millisecond, 50*time.Millisecond, 20*time.Second)
			return nil
		}),
		healthy("healthy-gateway", "orders and payments, both well", func(b *lab.Bench) error {
			c, err := b.Child("", "api", lab.Arg("work", b.Millis(10, 30)))
			if err != nil {
				return err
			}
			return teach.Gateway(b, c, 350)
		}),
	}
}
