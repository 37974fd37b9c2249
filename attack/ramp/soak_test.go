package ramp

import (
	"context"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
)

// soaked is a client whose attempts take two milliseconds, and of which some fail; it
// keeps nothing.
type soaked struct{ clock func() time.Duration }

func (c soaked) Do(_ attack.Request, a *attack.Attempt) {
	a.Start = c.clock()
	timer := time.NewTimer(2 * time.Millisecond)
	<-timer.C
	a.End, a.Status, a.Fault, a.Phase = c.clock(), 200, attack.None, attack.PhaseDone
	a.Conn = attack.Conn{ID: a.Request % 64, Reused: true, Served: uint32(a.Request / 64), Idle: 30 * time.Millisecond, RemoteIndex: 1}
	if a.Request%97 == 0 {
		a.Status, a.Fault, a.Phase, a.WireReset = 0, attack.Reset, attack.PhaseAwait, true
	}
}

func (soaked) Compile(profiles.Request) (attack.Request, error) { return endlessRequest{}, nil }
func (c soaked) Slot() attack.Slot                              { return soakedSlot{c} }
func (soaked) Stats() attack.ClientStats                        { return attack.ClientStats{Open: 64} }
func (soaked) HoldAt(int, time.Duration)                        {}
func (soaked) Drain()                                           {}
func (soaked) Abort()                                           {}
func (soaked) Close() error                                     { return nil }

type soakedSlot struct{ soaked }

func (soakedSlot) Close() {}

type endlessRequest struct{}

func (endlessRequest) Repeatable() bool { return true }

// heaps is a sink that keeps nothing but how much is on the heap, now and then.
type heaps struct {
	every    int32 // windows
	sizes    []uint64
	requests uint64
}

func (*heaps) Address(attack.Address) {}
func (*heaps) Failure(attack.Failure) {}
func (s *heaps) Window(w attack.Window) {
	for _, c := range w.Cells {
		s.requests += c.Requests
	}
	if w.Index%s.every == s.every-1 {
		runtime.GC()
		runtime.GC() // pools keep what was used last for one more
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		s.sizes = append(s.sizes, m.HeapAlloc)
	}
}

// A load does not grow with its length: what is on the heap after a tenth of it is there
// at its end. It is five minutes of 500 requests a second; RAMPLOAD_SOAK sets another
// time, 24h for instance, which takes a quarter of an hour.
func TestSoak(t *testing.T) {
	length := 5 * time.Minute
	if text := os.Getenv("RAMPLOAD_SOAK"); text != "" {
		var err error
		if length, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	const parts, rate, most = 10, 500, 128 << 10
	forEngines(t, func(t *testing.T, engine string) {
		p := testProfile(holdStage(rate, length))
		p.Client.Retries = profiles.Retries{Max: 1, Base: 50 * time.Millisecond, Cap: time.Second}
		loader, r, err := engines[engine](Config{Profile: p}, func(cfg attack.ClientConfig) (attack.Client, error) {
			return soaked{cfg.Clock}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		r.sleep = time.Sleep
		sink := &heaps{every: int32(length / defaultWindow / parts)}
		if _, err := loader.Run(context.Background(), sink); err != nil {
			t.Fatal(err)
		}
		if want := uint64(rate * length.Seconds()); sink.requests != want || len(sink.sizes) < parts {
			t.Fatalf("%d requests of %d, %d looks at the heap", sink.requests, want, len(sink.sizes))
		}
		first, last := sink.sizes[0], sink.sizes[parts-1]
		if last > first+most {
			t.Errorf("the heap has grown from %d to %d bytes over %v: %d", first, last, length, sink.sizes)
		}
		t.Logf("%d bytes on the heap, %d at the end", first, last)
	})
}
