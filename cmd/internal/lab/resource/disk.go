package resource

import (
	"context"
	"time"

	"github.com/rampload/rampload/cmd/internal/lab"
)

// diskScenarios are services whose disk does not answer.
func diskScenarios() []lab.Scenario {
	scenario := lab.InNetwork("mkfs.ext4", "mount", "fsfreeze")
	return []lab.Scenario{
		scenario("standing", "disk-saturated", "disk-stalls",
			"a service writes each order to a disk that stands still for some seconds: its tasks wait for it in the kernel", func(b *lab.Bench) error {
				disk, err := b.Disk(48)
				if err != nil {
					return err
				}
				n, c, err := b.NetworkService("api", lab.Arg("write-to", disk.Dir), lab.Arg("work", "2ms"))
				if err != nil {
					return err
				}
				b.Remote(c, "orders", lab.Post("/orders", 400), n)
				b.Run.Profile.Client.Timeout = 1500 * time.Millisecond
				b.RampTo(60, b.Between(90, 120), 18*time.Second)
				b.Run.Expect.Host = "orders-1"
				after, length := b.Millis(6500, 9000), b.Millis(6000, 8000)
				return b.OnTraffic(n.Server, func(ctx context.Context) error {
					if !lab.Wait(ctx, after) {
						return nil
					}
					if err := disk.Freeze(); err != nil {
						return err
					}
					b.Tally.Harm("stalls")
					lab.Wait(ctx, length)
					return disk.Thaw()
				})
			}),
	}
}
