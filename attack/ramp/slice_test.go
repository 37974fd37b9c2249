package ramp

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/schedule"
	"github.com/rampload/rampload/profiles"
)

// The slices of a load are the load: whatever its stages, the number of generators
// and that of their engines, every request of the schedule is sent by one of them,
// when it is due, and no two requests have one number.
func TestSlicesAreTheWholeLoad(t *testing.T) {
	forEngines(t, func(t *testing.T, engine string) {
		random := rand.New(rand.NewPCG(8, 21))
		for range 12 {
			p := testProfile(
				profiles.Ramp{From: 0, To: 20 + 300*random.Float64(), For: time.Duration(1+random.IntN(2000)) * time.Millisecond},
				profiles.Max{For: 20 * time.Millisecond},
				profiles.Burst{Size: 1 + random.IntN(20), Every: 90 * time.Millisecond, For: 500 * time.Millisecond},
				profiles.Max{For: 20 * time.Millisecond},
				profiles.Connections{From: random.IntN(50), To: random.IntN(50), For: 300 * time.Millisecond},
			)
			p.Client.PerConnection = 3
			p.Targets = append(p.Targets, p.Targets[0])
			p.Targets[0].Share, p.Targets[1].Share = 0.7, 0.3
			s, err := schedule.New(p.Load, 7, p.Client.PerConnection)
			if err != nil {
				t.Fatal(err)
			}
			of := 1 + random.Uint64N(5)
			var mu sync.Mutex
			begun := map[uint64]int{}
			windows := map[int32]uint64{}
			for i := range of {
				cfg := Config{Profile: p, RunID: attack.RunID{7}, Slice: Slice{i, of}, Engines: 1 + random.IntN(4)}
				rec, _, _ := drive(t, t.Context(), engine, cfg, func(a *attack.Attempt) (time.Duration, attack.Fault) {
					mu.Lock()
					begun[a.Request]++
					mu.Unlock()
					return 3 * time.Millisecond, attack.None
				})
				for _, w := range rec.windows {
					windows[w.Index] += w.Scheduled
				}
			}
			for n := range s.Total() {
				if begun[n] != 1 {
					t.Fatalf("%d generators: request %d of %d was sent %d times", of, n, s.Total(), begun[n])
				}
			}
			var all uint64
			for n, times := range begun {
				all += uint64(times)
				if times != 1 {
					t.Fatalf("%d generators: request %d was sent %d times", of, n, times)
				}
			}
			var scheduled uint64
			for _, n := range windows {
				scheduled += n
			}
			if scheduled != all || all <= s.Total() {
				t.Errorf("%d generators: %d scheduled, %d sent, %d of the open loop", of, scheduled, all, s.Total())
			}
		}
	})
}

// A load that is stopped loses nothing, however many engines send it.
func TestStoppedSlices(t *testing.T) {
	forEngines(t, func(t *testing.T, engine string) {
		random := rand.New(rand.NewPCG(4, 2))
		for range 25 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(random.IntN(1500))*time.Millisecond)
			p := testProfile(holdStage(50+500*random.Float64(), time.Second))
			p.Client.MaxInFlight = 1 + random.IntN(40)
			of := 1 + random.Uint64N(3)
			cfg := Config{Profile: p, Slice: Slice{random.Uint64N(of), of}, Engines: 1 + random.IntN(5)}
			slow := time.Duration(random.IntN(200)) * time.Millisecond
			_, fakes, _ := drive(t, ctx, engine, cfg, always(slow, attack.None))
			cancel()
			if most := fakes[0].busiest.Load(); most > int64(p.Client.MaxInFlight) {
				t.Errorf("%d in flight, more than %d", most, p.Client.MaxInFlight)
			}
		}
	})
}

func TestSliceOfNone(t *testing.T) {
	if _, _, err := engines["direct"](Config{Profile: testProfile(holdStage(1, time.Second)), Slice: Slice{3, 3}}, nil); err == nil {
		t.Error("a slice that is not there was planned")
	}
	for of := range uint64(7) {
		for n := range 50 {
			sum := 0
			for i := range max(of, 1) {
				sum += Slice{i, of}.part(n)
			}
			if sum != n {
				t.Errorf("%d parts of %d are %d", of, n, sum)
			}
		}
	}
}

// Requests in flight never pass the limit, and come back to nothing, whoever takes
// and gives. Run with -race.
func TestFlights(t *testing.T) {
	for _, limit := range []int64{1, 2, 3, 7, 100} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			const engines = 4
			f := newFlights(limit, engines)
			var wg sync.WaitGroup
			var mu sync.Mutex
			var now, most int64
			for e := range engines {
				wg.Go(func() {
					for range 2000 {
						if !f.take(e) {
							continue
						}
						mu.Lock()
						now++
						most = max(most, now)
						mu.Unlock()
						mu.Lock()
						now--
						mu.Unlock()
						f.land(e)
					}
				})
			}
			wg.Wait()
			if most > limit {
				t.Errorf("%d at once, more than %d", most, limit)
			}
			for range limit { // one engine may have them all
				if !f.take(1) {
					t.Fatal("part of the limit was lost")
				}
			}
			if f.take(0) {
				t.Error("more than the limit")
			}
		})
	}
}

// The even hand of the mix stays when several slots walk it.
func TestLoopSlotsAreFair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := testProfile(profiles.Max{For: time.Second})
		p.Targets[0].Requests = []profiles.Request{{Method: "GET", Path: "/a", Weight: 3}, {Method: "POST", Path: "/b", Weight: 1}}
		var mu sync.Mutex
		var got [2]int
		drive(t, t.Context(), "direct", Config{Profile: p, Engines: 3}, func(a *attack.Attempt) (time.Duration, attack.Fault) {
			mu.Lock()
			got[a.Endpoint]++
			mu.Unlock()
			return 10 * time.Millisecond, attack.None
		})
		if all := got[0] + got[1]; all < 900 || slices.Min(got[:]) < all/4-15 || slices.Min(got[:]) > all/4+15 {
			t.Errorf("%v requests, want 3 to 1", got)
		}
	})
}

// A generator that is lost in the middle and one that takes up its slice later are,
// with what was due in between, the whole load: nothing is sent twice, and nothing
// vanishes.
func TestTakenUp(t *testing.T) {
	forEngines(t, func(t *testing.T, engine string) {
		random := rand.New(rand.NewPCG(5, 6))
		for range 15 {
			p := testProfile(
				profiles.Ramp{From: 0, To: 20 + 300*random.Float64(), For: 2 * time.Second},
				profiles.Burst{Size: 1 + random.IntN(20), Every: 90 * time.Millisecond, For: 2 * time.Second},
			)
			p.Targets = append(p.Targets, p.Targets[0])
			p.Targets[0].Share, p.Targets[1].Share = 0.6, 0.4
			s, err := schedule.New(p.Load, 7, p.Client.PerConnection)
			if err != nil {
				t.Fatal(err)
			}
			of := 1 + random.Uint64N(3)
			lost := random.Uint64N(of)
			at := time.Duration(random.IntN(3000)) * time.Millisecond
			from := int32(at/defaultWindow) + int32(random.IntN(4))
			var mu sync.Mutex
			begun := map[uint64]int{}
			script := func(a *attack.Attempt) (time.Duration, attack.Fault) {
				mu.Lock()
				begun[a.Request]++
				mu.Unlock()
				return 3 * time.Millisecond, attack.None
			}
			var scheduled, unsent uint64
			late := map[int32]uint64{} // what the lost one has counted
			for i := range of {
				ctx, cancel := context.WithCancel(t.Context())
				if i == lost {
					ctx, cancel = context.WithTimeout(t.Context(), at)
				}
				rec, _, _ := drive(t, ctx, engine, Config{Profile: p, RunID: attack.RunID{7}, Slice: Slice{i, of}, Engines: 2}, script)
				cancel()
				for _, w := range rec.windows {
					scheduled += w.Scheduled
					unsent += w.Unsent
					if i == lost {
						late[w.Index] += w.Scheduled
					}
				}
			}
			cfg := Config{Profile: p, RunID: attack.RunID{7}, Slice: Slice{lost, of}, Engines: 2, From: time.Duration(from+1) * defaultWindow}
			rec, _, _ := drive(t, t.Context(), engine, cfg, script)
			for _, w := range rec.windows {
				if w.Index <= from {
					t.Fatalf("a window %d before %d", w.Index, from+1)
				}
				scheduled += w.Scheduled
				unsent += w.Unsent
			}
			missed, err := Missed(cfg, 0, from+1)
			if err != nil {
				t.Fatal(err)
			}
			due := map[int32]uint64{}
			for _, w := range missed {
				due[w.Index] += w.Scheduled
			}
			for index, n := range due {
				if n < late[index] {
					t.Fatalf("window %d: %d due, and %d counted", index, n, late[index])
				}
				scheduled += n - late[index]
				unsent += n - late[index]
			}
			var sent uint64
			for n, times := range begun {
				if sent++; times != 1 {
					t.Fatalf("request %d was sent %d times", n, times)
				}
			}
			if scheduled != s.Total() || sent+unsent != s.Total() {
				t.Fatalf("%d of %d scheduled, %d sent and %d unsent", scheduled, s.Total(), sent, unsent)
			}
		}
	})
}
