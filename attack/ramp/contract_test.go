package ramp

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/schedule"
	"github.com/rampload/rampload/profiles"
)

// forEngines runs a test of the contract over both drivers, in fake time.
func forEngines(t *testing.T, test func(t *testing.T, engine string)) {
	for name := range engines {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, name) })
		})
	}
}

func always(d time.Duration, f attack.Fault) func(*attack.Attempt) (time.Duration, attack.Fault) {
	return func(*attack.Attempt) (time.Duration, attack.Fault) { return d, f }
}

func TestEveryRequestOfTheScheduleIsSent(t *testing.T) {
	forEngines(t, func(t *testing.T, engine string) {
		p := testProfile(
			profiles.Ramp{From: 0, To: 400, For: 5 * time.Second},
			holdStage(0, time.Second),
			profiles.Burst{Size: 7, Every: 300 * time.Millisecond, Jitter: 50 * time.Millisecond, For: 2 * time.Second},
			holdStage(400, 2*time.Second),
		)
		p.Targets = append(p.Targets, p.Targets[0])
		p.Targets[0].Share, p.Targets[1].Share = 0.7, 0.3
		p.Targets[1].Name = "b"
		cfg := Config{Profile: p, RunID: attack.RunID{5}}
		rec, fakes, summary := drive(t, t.Context(), engine, cfg, always(7*time.Millisecond, attack.None))

		s, err := schedule.New(p.Load, 5, 0)
		if err != nil {
			t.Fatal(err)
		}
		c := rec.sum(t, -1)
		if c.scheduled != s.Total() || c.sent != s.Total() || c.ok != s.Total() {
			t.Errorf("%d scheduled, %d sent, %d succeeded of %d", c.scheduled, c.sent, c.ok, s.Total())
		}
		if summary.Interrupted || summary.Ended < s.End() {
			t.Errorf("summary %+v of a load of %v", summary, s.End())
		}
		if want := int(s.End()/defaultWindow) * 2; len(rec.windows) < want || len(rec.windows) > want+2 {
			t.Errorf("%d windows, want %d", len(rec.windows), want)
		}
		// Windows hold exactly what was due in them, to the right target.
		m, _ := schedule.NewMix([]float64{0.7, 0.3}, [][]float64{{1}, {1}})
		want := make([]uint64, len(rec.windows))
		for n := range s.Total() {
			due, _ := s.Due(n)
			target, _ := m.Pick(n)
			want[2*int(due/defaultWindow)+int(target)]++
		}
		for i, w := range rec.windows {
			if w.Scheduled != want[i] {
				t.Errorf("window %d of target %d: %d scheduled, want %d", w.Index, w.Target, w.Scheduled, want[i])
			}
		}
		// Nothing begins before it is due, or more than a batch later.
		for i, f := range fakes {
			slices.Sort(f.begun)
			k := 0
			for n := range s.Total() {
				if target, _ := m.Pick(n); int(target) != i {
					continue
				}
				due, _ := s.Due(n)
				if late := f.begun[k] - due; late < 0 || late > time.Microsecond {
					t.Fatalf("request %d due at %v began at %v", n, due, f.begun[k])
				}
				k++
			}
			if k != len(f.begun) {
				t.Errorf("target %d: %d attempts, want %d", i, len(f.begun), k)
			}
		}
		for _, w := range rec.windows {
			if q, ok := w.FromDue.Quantile(1); ok && (q < 7000 || q > 7300) {
				t.Errorf("window %d: latency of %dµs, want 7ms", w.Index, q)
			}
		}
	})
}

func TestStalledTargetDoesNotSlowTheSchedule(t *testing.T) {
	forEngines(t, func(t *testing.T, engine string) {
		p := testProfile(holdStage(200, 5*time.Second))
		p.Client.MaxInFlight = 150
		rec, fakes, _ := drive(t, t.Context(), engine, Config{Profile: p}, always(2*time.Second, attack.Timeout))
		c := rec.sum(t, -1)
		// 150 at once, again when they time out at 2 s, and at 4 s.
		if c.scheduled != 1000 || c.sent != 450 || c.unsent != 550 {
			t.Errorf("%d scheduled, %d sent, %d unsent; want 1000, 450, 550", c.scheduled, c.sent, c.unsent)
		}
		if got := fakes[0].busiest.Load(); got != 150 {
			t.Errorf("%d in flight at most, want 150", got)
		}
		if c.byFault[attack.Timeout] != 450 {
			t.Errorf("%d timeouts, want 450", c.byFault[attack.Timeout])
		}
		// Timeouts are held against the load two seconds before.
		for _, w := range rec.windows {
			for _, cell := range w.Cells {
				if w.Index-cell.DueWindow != 8 {
					t.Errorf("window %d: timeouts of window %d", w.Index, cell.DueWindow)
				}
			}
		}
	})
}

func TestInterrupt(t *testing.T) {
	forEngines(t, func(t *testing.T, engine string) {
		p := testProfile(holdStage(100, 10*time.Second))
		p.Client.Timeout = time.Second
		ctx, cancel := context.WithTimeout(t.Context(), 3333*time.Millisecond)
		defer cancel()
		// Every tenth request never ends by itself.
		script := func(a *attack.Attempt) (time.Duration, attack.Fault) {
			if a.Request%10 == 0 {
				return time.Hour, attack.Timeout
			}
			return 5 * time.Millisecond, attack.None
		}
		rec, fakes, summary := drive(t, ctx, engine, Config{Profile: p}, script)
		if !summary.Interrupted {
			t.Error("not interrupted")
		}
		if summary.Ended < 4333*time.Millisecond || summary.Ended > 4500*time.Millisecond {
			t.Errorf("ended at %v, want the interrupt and a timeout later", summary.Ended)
		}
		last := slices.Max(fakes[0].begun)
		if last > 3433*time.Millisecond {
			t.Errorf("still sending at %v", last)
		}
		c := rec.sum(t, -1)
		if c.scheduled < 334 || c.scheduled > 339 || c.canceled != (c.sent+9)/10 {
			t.Errorf("%d scheduled, %d sent, %d canceled", c.scheduled, c.sent, c.canceled)
		}
		if len(rec.failures) != 0 {
			t.Errorf("%d failures kept of a stopped run", len(rec.failures))
		}
	})
}

func TestInterruptBeforeTheStart(t *testing.T) {
	forEngines(t, func(t *testing.T, engine string) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		cfg := Config{Profile: testProfile(holdStage(100, time.Second)), Start: func() time.Time { return time.Now().Add(time.Hour) }}
		rec, fakes, summary := drive(t, ctx, engine, cfg, always(0, attack.None))
		if !summary.Interrupted || len(rec.windows) != 0 || fakes[0].attempts.Load() != 0 {
			t.Errorf("%+v, %d windows, %d attempts", summary, len(rec.windows), fakes[0].attempts.Load())
		}
	})
}

func TestStartInTheFuture(t *testing.T) {
	forEngines(t, func(t *testing.T, engine string) {
		began := time.Now()
		cfg := Config{Profile: testProfile(holdStage(10, time.Second)), Start: func() time.Time { return began.Add(time.Minute).Round(0) }}
		rec, _, summary := drive(t, t.Context(), engine, cfg, always(0, attack.None))
		if took := time.Since(began); took < 61*time.Second || took > 62*time.Second {
			t.Errorf("took %v", took)
		}
		if c := rec.sum(t, -1); c.sent != 10 || summary.Ended < time.Second || summary.Ended > 2*time.Second {
			t.Errorf("%d sent, %+v", c.sent, summary)
		}
	})
}

func TestRetries(t *testing.T) {
	forEngines(t, func(t *testing.T, engine string) {
		p := testProfile(holdStage(10, 3*time.Second))
		p.Targets[0].Requests = append(p.Targets[0].Requests, profiles.Request{Method: "POST", Path: "/", Weight: 1})
		p.Client.Retries = profiles.Retries{Max: 2, Base: 100 * time.Millisecond, Exponential: true}
		// The first try of each request is reset, the second refused, and the
		// third succeeds, but for every third request.
		script := func(a *attack.Attempt) (time.Duration, attack.Fault) {
			switch {
			case a.Try == 0:
				return time.Millisecond, attack.Reset
			case a.Try == 1:
				return time.Millisecond, attack.Refused
			case a.Request%3 == 0:
				return time.Millisecond, attack.EOF
			}
			return time.Millisecond, attack.None
		}
		rec, _, _ := drive(t, t.Context(), engine, Config{Profile: p}, script)
		var gets, lost uint64 // GETs, and those that fail for good
		m, _ := schedule.NewMix([]float64{1}, [][]float64{{1, 1}})
		for n := range uint64(30) {
			if _, e := m.Pick(n); e == 0 {
				gets++
				if n%3 == 0 {
					lost++
				}
			}
		}
		c := rec.sum(t, 0)
		if c.sent != 30 || c.retries != 2*gets || c.attempts != 30+2*gets {
			t.Errorf("%d sent, %d retries, %d attempts of 30 requests, %d of them GETs", c.sent, c.retries, c.attempts, gets)
		}
		if c.resets != 30 || c.byFault[attack.Refused] != gets || c.byFault[attack.EOF] != lost || c.ok != gets-lost {
			t.Errorf("%d resets, %v, %d succeeded; want %d refused, %d EOF", c.resets, c.byFault, c.ok, gets, lost)
		}
		visible := uint64(0)
		for _, w := range rec.windows {
			for _, cell := range w.Cells {
				if cell.Fault == attack.Reset {
					visible += cell.Requests
				}
			}
			// Latency from due time spans all tries: 3 ms and 100 + 200 ms.
			if q, ok := w.FromDue.Quantile(0); ok && (q < 303_000 || q > 306_000) {
				t.Errorf("latency from due time %dµs", q)
			}
			if q, ok := w.FromSend.Quantile(1); ok && q > 1100 {
				t.Errorf("latency from the last send %dµs", q)
			}
		}
		if visible != 30-gets {
			t.Errorf("%d visible resets, want those of %d POSTs", visible, 30-gets)
		}
		for _, f := range rec.failures {
			_, e := m.Pick(f.Request)
			if retried := e == 0 && f.Try < 2; f.Last == retried || f.Fault == attack.None {
				t.Errorf("failure %+v", f)
			}
		}
	})
}

func TestInterruptDuringBackoff(t *testing.T) {
	forEngines(t, func(t *testing.T, engine string) {
		p := testProfile(holdStage(10, 10*time.Second))
		p.Client.Retries = profiles.Retries{Max: 5, Base: time.Hour}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		rec, _, summary := drive(t, ctx, engine, Config{Profile: p}, always(time.Millisecond, attack.Reset))
		c := rec.sum(t, 0)
		if c.attempts != c.sent || c.requests != c.sent || c.retries != 0 || summary.Ended > 1100*time.Millisecond {
			t.Errorf("%+v, %+v", c, summary)
		}
	})
}

func TestClosedLoopKeepsEveryConnectionBusy(t *testing.T) {
	forEngines(t, func(t *testing.T, engine string) {
		p := testProfile(holdStage(100, time.Second), profiles.Max{For: 2 * time.Second}, holdStage(100, time.Second))
		rec, fakes, summary := drive(t, t.Context(), engine, Config{Profile: p}, always(10*time.Millisecond, attack.None))
		c := rec.sum(t, 0)
		if c.sent != 100+10*200+100 || c.unsent != 0 {
			t.Errorf("%d sent, want 2200", c.sent)
		}
		if f := fakes[0]; f.busiest.Load() > 11 || f.slots.Load() != 0 {
			t.Errorf("%d at once, %d slots left open", f.busiest.Load(), f.slots.Load())
		}
		for _, w := range rec.windows {
			if at := time.Duration(w.Index) * defaultWindow; at >= time.Second && at < 3*time.Second {
				if w.Sent < 240 || w.Sent > 260 || w.Scheduled != w.Sent || w.Lag.Total() > 1 {
					t.Errorf("window %d: %d sent, %d scheduled, %d lags", w.Index, w.Sent, w.Scheduled, w.Lag.Total())
				}
			}
		}
		if summary.Ended < 4*time.Second || summary.Ended > 4100*time.Millisecond {
			t.Errorf("ended at %v", summary.Ended)
		}
	})
}

// With a connection for each request a closed loop keeps as many in flight as the profile
// allows, or the number that package ramp names.
func TestClosedLoopOfFreshConnections(t *testing.T) {
	for allowed, want := range map[int]uint64{12: 12, 1000: 1000, 0: unboundedLoop, defaultMaxInFlight: unboundedLoop} {
		t.Run(fmt.Sprint(allowed), func(t *testing.T) {
			forEngines(t, func(t *testing.T, engine string) {
				p := testProfile(profiles.Max{For: time.Second})
				p.Client.Connections, p.Client.MaxInFlight = 0, allowed
				rec, _, _ := drive(t, t.Context(), engine, Config{Profile: p}, always(100*time.Millisecond, attack.None))
				if c := rec.sum(t, 0); c.sent != 10*want || c.unsent != 0 {
					t.Errorf("%d sent, %d unsent; want %d", c.sent, c.unsent, 10*want)
				}
			})
		})
	}
}

func TestInterruptedClosedLoop(t *testing.T) {
	forEngines(t, func(t *testing.T, engine string) {
		p := testProfile(profiles.Max{For: time.Hour}, holdStage(100, time.Second))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		rec, fakes, summary := drive(t, ctx, engine, Config{Profile: p}, always(10*time.Millisecond, attack.None))
		if c := rec.sum(t, 0); c.sent < 1000 || c.sent > 1010 || c.unsent != 0 {
			t.Errorf("%d sent, %d unsent", c.sent, c.unsent)
		}
		if !summary.Interrupted || summary.Ended > 1100*time.Millisecond || fakes[0].slots.Load() != 0 {
			t.Errorf("%+v, %d slots left open", summary, fakes[0].slots.Load())
		}
	})
}

func TestRequestNumbersAreUnique(t *testing.T) {
	forEngines(t, func(t *testing.T, engine string) {
		p := testProfile(holdStage(50, time.Second), profiles.Max{For: time.Second}, holdStage(50, time.Second))
		seen := make(chan uint64, 10_000)
		rec, _, _ := drive(t, t.Context(), engine, Config{Profile: p}, func(a *attack.Attempt) (time.Duration, attack.Fault) {
			seen <- a.Request
			return 10 * time.Millisecond, attack.None
		})
		close(seen)
		var all []uint64
		for n := range seen {
			all = append(all, n)
		}
		slices.Sort(all)
		for i, n := range all {
			if i > 0 && n == all[i-1] || n >= 100 && i < 100 {
				t.Fatalf("request %d is the %d-th", n, i)
			}
		}
		if uint64(len(all)) != rec.sum(t, 0).sent {
			t.Errorf("%d requests", len(all))
		}
	})
}

func TestHeldConnections(t *testing.T) {
	forEngines(t, func(t *testing.T, engine string) {
		p := testProfile(
			profiles.Connections{From: 100, To: 200, For: 10 * time.Second},
			holdStage(10, time.Second))
		p.Client.PerConnection = 2
		p.Targets = append(p.Targets, p.Targets[0])
		p.Targets[0].Share, p.Targets[1].Share = 0.75, 0.25
		rec, fakes, _ := drive(t, t.Context(), engine, Config{Profile: p}, always(time.Millisecond, attack.None))
		if c := rec.sum(t, -1); c.sent != 150*2*10+10 {
			t.Errorf("%d sent, want 3010", c.sent)
		}
		for i, want := range []int{150, 50} {
			held := fakes[i].held
			if held[0] != want/2 || slices.Max(held) != want || held[len(held)-1] != 0 || !slices.IsSorted(held[:len(held)-1]) {
				t.Errorf("target %d held %v, want %d to %d and none after", i, held, want/2, want)
			}
		}
	})
}

func TestIdleResetsAndAddresses(t *testing.T) {
	forEngines(t, func(t *testing.T, engine string) {
		p := testProfile(holdStage(10, 2*time.Second))
		opened := 0
		loader, r, err := engines[engine](Config{Profile: p}, func(cfg attack.ClientConfig) (attack.Client, error) {
			if opened++; opened == 2 { // the first is a trial
				go func() {
					time.Sleep(600 * time.Millisecond)
					cfg.OnAddress(1, anAddress)
					now := cfg.Clock()
					idle := attack.Attempt{Due: now, Start: now, End: now, Fault: attack.Reset, Phase: attack.PhaseIdle, WireReset: true, Conn: attack.Conn{ID: 4, Reused: true, RemoteIndex: 1}}
					cfg.OnIdle(idle)
					idle.WireReset, idle.Fault = false, attack.EOF
					cfg.OnIdle(idle) // closed properly: nothing to count
				}()
			}
			return &fake{cfg: cfg, script: always(time.Millisecond, attack.None), abort: make(chan struct{})}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		r.sleep = time.Sleep
		rec := &record{}
		if _, err := loader.Run(t.Context(), rec); err != nil {
			t.Fatal(err)
		}
		rec.check(t, 1, 0)
		want := attack.Cell{DueWindow: 2, Remote: 1, Fault: attack.Reset, Phase: attack.PhaseIdle, Reused: true, WireResets: 1}
		if !slices.Contains(rec.windows[2].Cells, want) {
			t.Errorf("cells %+v, want %+v", rec.windows[2].Cells, want)
		}
		if len(rec.failures) != 1 || rec.failures[0].Conn.ID != 4 {
			t.Errorf("failures %+v", rec.failures)
		}
		if len(rec.addresses) != 1 || rec.addresses[0] != (attack.Address{Index: 1, Addr: anAddress}) {
			t.Errorf("addresses %+v", rec.addresses)
		}
	})
}

// Whatever the schedule, the target and the moment of an interrupt, nothing is
// lost: see record.check.
func TestNothingIsLost(t *testing.T) {
	forEngines(t, func(t *testing.T, engine string) {
		r := rand.New(rand.NewPCG(11, 3))
		for range 12 {
			var load []profiles.Stage
			var length time.Duration
			for range 1 + r.IntN(3) {
				d := time.Duration(1+r.IntN(1500)) * time.Millisecond
				length += d
				switch r.IntN(4) {
				case 0:
					load = append(load, profiles.Ramp{From: r.Float64() * 500, To: r.Float64() * 500, For: d})
				case 1:
					load = append(load, profiles.Burst{Size: r.IntN(60), Every: 90 * time.Millisecond, Jitter: 20 * time.Millisecond, For: d})
				case 2:
					load = append(load, profiles.Max{For: d})
				default:
					load = append(load, holdStage(r.Float64()*500, d))
				}
			}
			p := testProfile(load...)
			p.Client.MaxInFlight = 1 + r.IntN(60)
			p.Client.Connections = 1 + r.IntN(20)
			p.Client.Retries = profiles.Retries{Max: r.IntN(3), Base: 20 * time.Millisecond, FullJitter: true}
			seed := r.Uint64()
			script := func(a *attack.Attempt) (time.Duration, attack.Fault) {
				x := rand.New(rand.NewPCG(seed, a.Request<<8+uint64(a.Try)))
				return time.Duration(1+x.IntN(300)) * time.Millisecond, attack.Fault(x.IntN(4))
			}
			ctx, cancel := t.Context(), context.CancelFunc(func() {})
			if r.IntN(2) == 0 {
				ctx, cancel = context.WithTimeout(ctx, time.Duration(r.Int64N(int64(length))))
			}
			rec, fakes, _ := drive(t, ctx, engine, Config{Profile: p, Window: 100 * time.Millisecond}, script)
			cancel()
			if c := rec.sum(t, 0); c.attempts != fakes[0].attempts.Load() || c.attempts != c.sent+c.retries {
				t.Errorf("%d attempts counted, %d sent, %d retries; %d made", c.attempts, c.sent, c.retries, fakes[0].attempts.Load())
			}
		}
	})
}

// A search extends its schedule when its sink has seen a window. However late that
// comes, into windows that are counted already, and whenever the run is stopped:
// scheduled = sent + unsent.
func TestLateExtensionsLoseNothing(t *testing.T) {
	forEngines(t, func(t *testing.T, engine string) {
		r := rand.New(rand.NewPCG(5, 8))
		for range 20 {
			var g schedule.Growing
			ctx, cancel := t.Context(), context.CancelFunc(func() {})
			if r.IntN(2) == 0 {
				ctx, cancel = context.WithTimeout(ctx, time.Duration(r.Int64N(int64(8*time.Second))))
			}
			first := time.Duration(1+r.IntN(1500)) * time.Millisecond
			if err := g.Extend(holdStage(r.Float64()*300, first)); err != nil {
				t.Fatal(err)
			}
			type extension struct {
				after time.Duration
				stage profiles.Stage
			}
			var more []extension
			for range r.IntN(4) {
				more = append(more, extension{
					time.Duration(r.IntN(3000)) * time.Millisecond,
					holdStage(r.Float64()*300, time.Duration(1+r.IntN(1500))*time.Millisecond),
				})
			}
			go func() {
				for _, e := range more {
					time.Sleep(e.after)
					if err := g.Extend(e.stage); err != nil {
						t.Error(err)
					}
				}
				g.Finish()
			}()
			p := testProfile(profiles.Search{From: 1, To: 2})
			p.Client.MaxInFlight = 1 + r.IntN(40)
			rec, _, summary := drive(t, ctx, engine, Config{Profile: p, Schedule: &g, Window: 100 * time.Millisecond}, always(30*time.Millisecond, attack.None))
			cancel()
			c := rec.sum(t, 0)
			if c.scheduled != c.sent+c.unsent || c.requests != c.sent {
				t.Errorf("%d scheduled, %d sent, %d unsent, %d ended", c.scheduled, c.sent, c.unsent, c.requests)
			}
			if !summary.Interrupted && c.scheduled != g.Total() {
				t.Errorf("%d scheduled of %d", c.scheduled, g.Total())
			}
		}
	})
}

// A schedule that grows is carried out as it grows, by one driver, and what it
// counts is what was due.
func TestGrowingSchedule(t *testing.T) {
	forEngines(t, func(t *testing.T, engine string) {
		var g schedule.Growing
		extend := func(stages ...profiles.Stage) {
			if err := g.Extend(stages...); err != nil {
				t.Error(err)
			}
		}
		extend(holdStage(100, 2*time.Second))
		go func() {
			time.Sleep(1500 * time.Millisecond) // before it runs dry
			extend(holdStage(50, 2*time.Second))
			time.Sleep(7 * time.Second) // long after
			extend(holdStage(0, 6*time.Second), profiles.Ramp{From: 0, To: 100, For: time.Second})
			time.Sleep(5 * time.Second)
			g.Finish()
		}()
		cfg := Config{Profile: testProfile(profiles.Search{From: 1, To: 2}), Schedule: &g}
		rec, fakes, summary := drive(t, t.Context(), engine, cfg, always(3*time.Millisecond, attack.None))
		if c := rec.sum(t, -1); c.scheduled != 350 || c.sent != 350 || c.ok != 350 {
			t.Errorf("%d scheduled, %d sent, %d succeeded; want 350", c.scheduled, c.sent, c.ok)
		}
		if summary.Interrupted || summary.Ended < 13500*time.Millisecond || summary.Ended > 13600*time.Millisecond {
			t.Errorf("%+v, want the end of the schedule", summary)
		}
		slices.Sort(fakes[0].begun)
		for n, at := range fakes[0].begun {
			if due, _ := g.Due(uint64(n)); at < due || at > due+time.Microsecond {
				t.Fatalf("request %d due at %v began at %v", n, due, at)
			}
		}
		for _, w := range rec.windows {
			end := time.Duration(w.Index+1)*defaultWindow - 1
			if want := g.Count(end) - g.Count(end-defaultWindow); w.Scheduled != want {
				t.Errorf("window %d: %d scheduled, want %d", w.Index, w.Scheduled, want)
			}
		}
	})
}

// A stop ends the wait for a schedule to grow.
func TestGrowingScheduleStops(t *testing.T) {
	forEngines(t, func(t *testing.T, engine string) {
		var g schedule.Growing
		if err := g.Extend(holdStage(10, time.Second)); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		rec, _, summary := drive(t, ctx, engine, Config{Profile: testProfile(), Schedule: &g}, always(time.Millisecond, attack.None))
		if c := rec.sum(t, -1); c.sent != 10 || !summary.Interrupted || summary.Ended != 5*time.Second {
			t.Errorf("%d sent, %+v", c.sent, summary)
		}
		if len(rec.windows) < 20 {
			t.Errorf("%d windows, want one for every 250 ms until the stop", len(rec.windows))
		}
	})
}
