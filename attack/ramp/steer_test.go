package ramp

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/schedule"
	"github.com/rampload/rampload/profiles"
)

// A load that is changed by hand while it is sent loses no request and sends none
// twice, and each is sent when the schedule wants it at last.
func TestChangedLoadIsSentAsChanged(t *testing.T) {
	forEngines(t, func(t *testing.T, engine string) {
		random := rand.New(rand.NewPCG(17, 5))
		for range 20 {
			p := testProfile(
				profiles.Ramp{From: 5, To: 20 + 300*random.Float64(), For: 2 * time.Second},
				profiles.Max{For: 500 * time.Millisecond},
				profiles.Connections{From: 2, To: 2 + random.IntN(50), For: time.Second},
				holdStage(1, 5*time.Second),
			)
			p.Client.PerConnection = 3
			g, err := schedule.NewChangeable(p.Load, 7, p.Client.PerConnection)
			if err != nil {
				t.Fatal(err)
			}
			steering := schedule.NewSteering(g)
			over := make(chan struct{})
			var hand sync.WaitGroup
			began := time.Now()
			hand.Go(func() {
				for step := 0; ; step++ {
					timer := time.NewTimer(time.Duration(100+random.IntN(900)) * time.Millisecond)
					select {
					case <-over:
						timer.Stop()
						return
					case <-timer.C:
					}
					at := (time.Since(began) + 500*time.Millisecond).Truncate(defaultWindow)
					// What is refused, such as holding a closed loop, changes nothing.
					switch held, _ := steering.Held(); {
					case step > 12:
						_ = g.Change(at) // ends it
					case held && random.IntN(2) == 0:
						_, _ = steering.Resume(at)
					case random.IntN(3) == 0:
						_, _ = steering.Skip(at)
					case random.IntN(2) == 0:
						_, _ = steering.Scale(at, 0.5+random.Float64())
					default:
						_, _ = steering.Hold(at)
					}
				}
			})
			var mu sync.Mutex
			begun := map[uint64]time.Duration{}
			rec, fakes, summary := drive(t, t.Context(), engine, Config{Profile: p, RunID: attack.RunID{7}, Schedule: g, Engines: 2}, func(a *attack.Attempt) (time.Duration, attack.Fault) {
				mu.Lock()
				defer mu.Unlock()
				if _, twice := begun[a.Request]; twice {
					t.Errorf("request %d was sent twice", a.Request)
				}
				begun[a.Request] = a.Start
				return 3 * time.Millisecond, attack.None
			})
			close(over)
			hand.Wait()
			if summary.Interrupted {
				t.Error("a load that was changed counts as interrupted")
			}
			for n := range g.Total() {
				due, _ := g.Due(n)
				at, sent := begun[n]
				if !sent {
					t.Fatalf("request %d of %d was not sent", n, g.Total())
				}
				if at < due || at > due+2*time.Millisecond {
					t.Fatalf("request %d was sent at %v and due at %v", n, at, due)
				}
			}
			if c := rec.sum(t, 0); c.scheduled != uint64(len(begun)) || c.sent != c.scheduled {
				t.Errorf("%d scheduled, %d sent, want %d", c.scheduled, c.sent, len(begun))
			}
			if n := fakes[0].slots.Load(); n != 0 {
				t.Errorf("%d slots are left open", n)
			}
			for n := range begun {
				if n >= g.Total() && n < changedTotal {
					t.Fatalf("request %d is beyond the schedule's %d", n, g.Total())
				}
			}
		}
	})
}

// A closed loop that is skipped ends when it is, and what follows comes earlier.
func TestClosedLoopIsSkipped(t *testing.T) {
	forEngines(t, func(t *testing.T, engine string) {
		p := testProfile(profiles.Max{For: time.Hour}, holdStage(10, time.Second))
		g, err := schedule.NewChangeable(p.Load, 7, 0)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		time.AfterFunc(2*time.Second, func() {
			if _, err := schedule.NewSteering(g).Skip(3 * time.Second); err != nil {
				t.Error(err)
			}
		})
		var mu sync.Mutex
		var last time.Duration
		rec, _, _ := drive(t, t.Context(), engine, Config{Profile: p, Schedule: g, Engines: 2}, func(a *attack.Attempt) (time.Duration, attack.Fault) {
			mu.Lock()
			defer mu.Unlock()
			if a.Request >= changedTotal {
				last = max(last, a.Start)
			}
			return 10 * time.Millisecond, attack.None
		})
		if last < 2900*time.Millisecond || last > 3*time.Second {
			t.Errorf("the closed loop's last request began at %v", last)
		}
		if c := rec.sum(t, 0); c.sent < 2000 || g.Total() != 10 {
			t.Errorf("%d sent, %d of the open loop", c.sent, g.Total())
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// The connections that are held follow a change.
func TestHeldConnectionsFollowAChange(t *testing.T) {
	forEngines(t, func(t *testing.T, engine string) {
		p := testProfile(profiles.Connections{From: 0, To: 100, For: 10 * time.Second})
		p.Client.PerConnection = 1
		g, err := schedule.NewChangeable(p.Load, 7, 1)
		if err != nil {
			t.Fatal(err)
		}
		steering := schedule.NewSteering(g)
		time.AfterFunc(2*time.Second, func() {
			if _, err := steering.Hold(3 * time.Second); err != nil {
				t.Error(err)
			}
		})
		time.AfterFunc(20*time.Second, func() {
			if _, err := steering.Scale(21*time.Second, 2); err != nil {
				t.Error(err)
			}
			if err := g.Change(25 * time.Second); err != nil {
				t.Error(err)
			}
		})
		_, fakes, _ := drive(t, t.Context(), engine, Config{Profile: p, Schedule: g, Engines: 2}, always(time.Millisecond, attack.None))
		held := fakes[0].held
		if n := len(held); n < 32 || held[29] != 30 || held[30] != 60 || held[n-1] != 0 {
			t.Errorf("held %v, want up to 30, then 60, then none", held)
		}
	})
}
