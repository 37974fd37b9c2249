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
// references in its requests, in turns of a quarter of a second: -benchtime 40x gives
// forty pairs, and the ratio of all of them.
func BenchmarkFilled(b *testing.B) {
	url := startNginx(b, "")
	var ratios []float64
	for b.Loop() {
		const turn = 250 * time.Millisecond
		plain, filled := perProcessor(b, url, false, turn), perProcessor(b, url, true, turn)
		ratios = append(ratios, filled/plain)
	}
	b.ReportMetric(middle(slices.Clone(ratios)), "filled/plain")
	b.Log(strings.Trim(fmt.Sprintf("%.3f", ratios), "[]"))
}

// perProcessor returns how many requests a second of processor time sends, which bounds the
// throughput and does not depend on what else the machine does. Filled requests have a row
// of a table, an id and a number in them; others as many bytes.
func perProcessor(b *testing.B, url string, filled bool, length time.Duration) float64 {
	b.Helper()
	return perProcessorSecond(b, url, length, func(r *profiles.Request) {
		r.Headers = []profiles.Header{{Name: "X-User", Value: "u-42"}}
		if r.Path, r.Filled = "/?id=42&uuid=0f8fad5b-d9cb-469f-a165-70867728950e", filled; filled {
			r.Path, r.Headers[0].Value = "/?id=${users.id}&uuid=${random.uuid}", "u-${random.int(1..100)}"
		}
	})
}

// perProcessorSecond returns how many of a request a second of processor time sends.
func perProcessorSecond(b *testing.B, url string, length time.Duration, write func(*profiles.Request)) float64 {
	b.Helper()
	p := dataProfile(1000, profiles.PickSequential, profiles.Max{For: length})
	p.Targets[0].URL, p.Client.Connections = url, 32
	p.Targets[0].Expect = profiles.StatusSet{{Low: 100, High: 599}}
	write(&p.Targets[0].Requests[0])
	loader, err := NewDirect(Config{Profile: p, Open: openWire})
	if err != nil {
		b.Fatal(err)
	}
	before := processorTime()
	rec := &record{}
	if _, err = loader.Run(b.Context(), rec); err != nil {
		b.Fatal(err)
	}
	var sent uint64
	for _, w := range rec.windows {
		sent += w.Sent
	}
	return float64(sent) / (processorTime() - before).Seconds()
}

// processorTime is what this process has used.
func processorTime() time.Duration {
	var use unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &use) // of itself it always can
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}

// BenchmarkIDs compares requests with an id and a trace context of their own with the same
// requests whose profile leaves both empty, in turns of a tenth of a second: -benchtime
// 200x. Of each it takes the tenth best turn in a hundred, which others of a busy machine
// disturbed the least.
func BenchmarkIDs(b *testing.B) {
	url := startNginx(b, "")
	var with, without []float64
	for b.Loop() {
		const turn = 100 * time.Millisecond
		without = append(without, perProcessorSecond(b, url, turn, withoutIDs))
		with = append(with, perProcessorSecond(b, url, turn, withIDs))
	}
	b.ReportMetric(nearBest(with)/nearBest(without), "with/without")
	b.ReportMetric(1e6/nearBest(with), "µs/request")
}

func nearBest(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)*9/10]
}

func withIDs(r *profiles.Request) { r.Path, r.Filled = "/", false }

// withoutIDs has the profile's own headers replace what would be filled in.
func withoutIDs(r *profiles.Request) {
	withIDs(r)
	r.Headers = []profiles.Header{{Name: "X-Transaction-Id"}, {Name: "traceparent"}}
}
