//go:build bench && linux

package ramp

import (
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire/protocol"
	"github.com/rampload/rampload/profiles"
)

// BenchmarkHeldConnections prints the bytes a held connection alone.
func BenchmarkHeldConnections(b *testing.B) {
	url := startNginx(b, "")
	for b.Loop() {
		b.ReportMetric(heldBytes(b, url), "B/connection")
	}
}

// heldBytes is what a held connection that has served a request takes of this
// process's memory. It holds as many as descriptors allow, 20,000 at most.
func heldBytes(b *testing.B, url string) float64 {
	b.Helper()
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		b.Fatal(err)
	}
	// nginx closes idle connections from 15/16 of its descriptors on.
	n := min(20_000, int(limit.Cur)/8*7)
	start := time.Now()
	client, err := protocol.Open(attack.ClientConfig{
		Profile: profiles.Target{Name: "nginx", URL: url}, Client: profiles.Client{Connections: n, Timeout: 10 * time.Second},
		Clock:  func() time.Duration { return time.Since(start) },
		OnIdle: func(attack.Attempt) {}, OnAddress: nil,
	})
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	req, err := client.Compile(profiles.Request{Method: "GET", Path: "/", Weight: 1})
	if err != nil {
		b.Fatal(err)
	}
	memory := func() float64 {
		runtime.GC()
		runtime.GC() // pools keep what was used last for one more
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapInuse + m.StackInuse + m.MSpanInuse + m.OtherSys) // the poller's own lie in the last
	}
	before := memory()
	client.HoldAt(n, time.Since(start))
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for until := time.Now().Add(30 * time.Second); client.Stats().Idle < int64(n); <-tick.C {
		if time.Now().After(until) {
			b.Fatalf("%+v of %d held", client.Stats(), n)
		}
	}
	var a attack.Attempt
	for i := range n {
		if client.Do(req, &a); a.Fault != attack.None || a.Conn.Served != 0 {
			b.Fatalf("request %d: %v, the %d-th of its connection", i, a.Fault, a.Conn.Served)
		}
	}
	return (memory() - before) / float64(n)
}
