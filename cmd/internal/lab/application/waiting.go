package application

import (
	"time"

	"github.com/rampload/rampload/cmd/internal/lab"
	"github.com/rampload/rampload/profiles"
)

// waitingScenarios are services whose requests wait for each other: nothing is full, and
// nobody ends a connection but those who wait.
func waitingScenarios() []lab.Scenario {
	scenario := lab.Needing(lab.NeedLinux)
	return []lab.Scenario{
		scenario("standing", "deadlock", "deadlock",
			"a service takes two locks in opposite order under concurrency and stands still from then on, without a watchdog", func(b *lab.Bench) error {
				at, work := b.Whole(16, 30), b.Millis(40, 80)
				c, err := b.Child("", "api", lab.Arg("deadlock-at", at), lab.Arg("work", work))
				if err != nil {
					return err
				}
				b.Simple(c, "orders", lab.Post("/orders", 400))
				b.Run.Profile.Client.Timeout = 2 * time.Second
				load := float64(at) / work.Seconds()
				b.RampTo(0.3*load, 1.3*load, 18*time.Second)
				b.Onset(load, 0.3)
				return nil
			}),
		scenario("standing", "retry-storm", "retry-storm",
			"callers give up and try again while the service goes on working for those that are gone: it stays down at a load that it bore before", func(b *lab.Bench) error {
				workers, work := b.Whole(6, 10), b.Millis(25, 35)
				capacity := float64(workers) / work.Seconds()
				c, err := b.Child("", "api", lab.Arg("workers", workers), lab.Arg("work", work))
				if err != nil {
					return err
				}
				b.Simple(c, "orders", lab.Get("/orders"))
				client := &b.Run.Profile.Client
				client.Timeout = 400 * time.Millisecond
				client.Connections = 3000
				client.Retries = profiles.Retries{Max: 3, Base: 50 * time.Millisecond, Faults: []string{"timeout", "reset", "eof"}}
				b.Run.Profile.Load = profiles.Load{
					profiles.Ramp{From: 0.5 * capacity, To: 1.25 * capacity, For: 10 * time.Second},
					profiles.Hold{Rate: 0.55 * capacity, For: 14 * time.Second},
				}
				b.Onset(capacity, 0.25)
				return nil
			}),
	}
}
