//go:build bench && linux

package ramp

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/profiles"
)

// BenchmarkFilled compares the closed loop of the direct engine with and without
// references in its requests by the processor time of a request, which bounds the
// throughput and does not depend on what else the machine does: -benchtime 5x gives five
// pairs.
func BenchmarkFilled(b *testing.B) {
	url := startNginx(b, "")
	ratios := []float64{}
	for b.Loop() {
		var rate [2]float64
		for i, filled := range []bool{false, true} {
			p := dataProfile(1000, profiles.PickSequential, profiles.Max{For: time.Second})
			p.Targets[0].URL, p.Client.Connections = url, 32
			p.Targets[0].Expect = profiles.StatusSet{{Low: 100, High: 599}}
			r := &p.Targets[0].Requests[0]
			r.Headers = []profiles.Header{{Name: "X-User", Value: "u-42"}}
			if r.Path, r.Filled = "/?id=42&uuid=0f8fad5b-d9cb-469f-a165-70867728950e", filled; filled {
				r.Path, r.Headers[0].Value = "/?id=${users.id}&uuid=${random.uuid}", "u-${random.int(1..100)}"
			}
			loader, err := NewDirect(Config{Profile: p, Open: openWire})
			if err != nil {
				b.Fatal(err)
			}
			before := processorTime()
			rec := &record{}
			_, err = loader.Run(b.Context(), rec)
			if err != nil {
				b.Fatal(err)
			}
			var sent uint64
			for _, w := range rec.windows {
				sent += w.Sent
			}
			rate[i] = float64(sent) / (processorTime() - before).Seconds()
		}
		ratios = append(ratios, rate[1]/rate[0])
		b.ReportMetric(rate[0], "plain/cpu-s")
		b.ReportMetric(rate[1], "filled/cpu-s")
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "filled/plain")
	b.Log(strings.Trim(fmt.Sprintf("%.3f", ratios), "[]"))
}

// processorTime is what this process has used.
func processorTime() time.Duration {
	var use unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &use) // of itself it always can
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}
