package session

import (
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/profiles"
)

// nowhere is a recorder that keeps nothing, as the run log on disk does.
type nowhere struct{}

func (nowhere) Address(attack.Address) {}
func (nowhere) Failure(attack.Failure) {}
func (nowhere) Window(attack.Window)   {}
func (nowhere) Samples([]probe.Sample) {}
func (nowhere) Event(probe.Event)      {}

// A soak takes no more memory at its end than after its beginning: 500 requests a
// second with some failures, under abort conditions over a span, over the whole run
// and of a percentile. RAMPLOAD_SOAK=1 makes it the 24 hours that a soak lasts.
func TestSoakGrowsByNothing(t *testing.T) {
	length := time.Hour
	if os.Getenv("RAMPLOAD_SOAK") != "" {
		length = 24 * time.Hour
	}
	const interval = 250 * time.Millisecond
	var gates []profiles.Gate
	for _, text := range []string{"failures within 30s > 20%", "wire-resets > 1000000", "p99 within 10s > 5s"} {
		g, err := profiles.ParseGate(text)
		if err != nil {
			t.Fatal(err)
		}
		gates = append(gates, g)
	}
	var told Progress
	l := newLive(Config{
		Interval: interval, Targets: []string{"a", "b"}, AbortIf: gates, Recorder: nowhere{},
		Offered: func(time.Duration) float64 { return 500 }, Progress: func(p Progress) { told = p },
	}, func() { t.Error("stopped") })
	memory := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	var early, most int64
	end := int32(length / interval)
	for i := range end {
		for target := range uint16(2) {
			n := uint64(500 * interval / time.Second / 2)
			l.Window(attack.Window{
				Target: target, Index: i, Scheduled: n, Sent: n,
				Cells: []attack.Cell{
					{DueWindow: max(i-1, 0), Fault: attack.Reset, Phase: attack.PhaseAwait, Attempts: 1, Requests: 1, WireResets: 1},
					{DueWindow: i, Phase: attack.PhaseDone, Attempts: n - 1, Requests: n - 1},
				},
				FromDue: attack.Histogram{{Value: 1000 + int64(i%500), Count: n - 10}, {Value: 9000, Count: 9}},
			})
		}
		switch {
		case i == end/8:
			early = memory()
		case i > end/8 && i%(end/16) == 0:
			most = max(most, memory())
		}
	}
	t.Logf("%v: %d kB after an eighth, %d kB at most later; %d windows kept of %d", length, early>>10, most>>10, l.series.Len(), end)
	// What is kept grows to twice as much and falls again.
	if grown := most - early; grown > 2<<20 {
		t.Errorf("%d kB more than after an eighth", grown>>10)
	}
	if kept := l.series.Len(); kept > 3000 {
		t.Errorf("%d windows are kept", kept)
	}
	if want := uint64(end) * 2 * uint64(500*interval/time.Second/2); told.Requests != want {
		t.Errorf("%d requests were told, want %d", told.Requests, want)
	}
}
