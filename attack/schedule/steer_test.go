package schedule_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/rampload/rampload/attack/schedule"
	"github.com/rampload/rampload/profiles"
)

func randomStage(r *rand.Rand) profiles.Stage {
	d := time.Duration(1 + r.Int64N(int64(3*time.Second)))
	switch r.IntN(6) {
	case 0:
		return hold(r.Float64()*50, d)
	case 1:
		return stairs(1+r.Float64()*40, 1+r.Float64()*40, 1+r.Float64()*9, time.Duration(1+r.Int64N(int64(time.Second))))
	case 2:
		return burst(r.IntN(20), time.Duration(1+r.Int64N(int64(time.Second))), 0, d)
	case 3:
		return conns(r.IntN(40), r.IntN(40), d)
	case 4:
		return profiles.Max{For: d}
	}
	return ramp(r.Float64()*50, r.Float64()*50, d)
}

// A schedule that is cut anywhere and goes on with its own rest is the same schedule.
func TestRestIsWhatIsLeft(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 3))
	for range 400 {
		stages := []profiles.Stage{randomStage(r), randomStage(r), randomStage(r)}
		whole := build(t, stages...)
		g, err := schedule.NewChangeable(stages, 1, 2)
		if err != nil {
			t.Fatal(err)
		}
		at := 1 + time.Duration(r.Int64N(int64(whole.End()-1)))
		before := g.Now()
		if err := g.Change(at, g.Now().Rest(at)...); err != nil {
			t.Fatalf("%v at %v: %v", stages, at, err)
		}
		if g.Now() == before {
			t.Fatal("the change does not show")
		}
		if g.End() != whole.End() {
			t.Fatalf("%v cut at %v ends at %v, not %v", stages, at, g.End(), whole.End())
		}
		for n := uint64(0); n < whole.Count(at-1); n++ {
			got, _ := g.Due(n)
			if want, _ := whole.Due(n); got != want {
				t.Fatalf("%v cut at %v: request %d was due at %v, now at %v", stages, at, n, want, got)
			}
		}
		for range 50 {
			x := time.Duration(r.Int64N(int64(whole.End())))
			if got, want := g.Count(x), whole.Count(x); max(got, want)-min(got, want) > 1 {
				t.Fatalf("%v cut at %v: %d due by %v, want %d", stages, at, got, x, want)
			}
			if got, want := g.Rate(x), whole.Rate(x); math.Abs(got-want) > 2.1 && !burstAt(stages, x) { // a connection, rounded, is 2/s
				t.Fatalf("%v cut at %v: %v/s at %v, want %v/s", stages, at, got, x, want)
			}
			got, on := g.Conns(x)
			if want, wanted := whole.Conns(x); on != wanted || got-want > 1 || want-got > 1 {
				t.Fatalf("%v cut at %v: %d connections at %v, want %d", stages, at, got, x, want)
			}
			_, on = g.MaxAt(x)
			if _, want := whole.MaxAt(x); on != want {
				t.Fatalf("%v cut at %v: closed loop at %v: %v, want %v", stages, at, x, on, want)
			}
		}
	}
}

// burstAt reports whether a burst stage is on, whose rate is a mean.
func burstAt(stages []profiles.Stage, at time.Duration) bool {
	for _, s := range stages {
		if at -= s.Duration(); at < 0 {
			_, ok := s.(profiles.Burst)
			return ok
		}
	}
	return false
}

func TestSteering(t *testing.T) {
	const s = time.Second
	plan := []profiles.Stage{ramp(0, 100, 10*s), hold(50, 10*s), stairs(10, 40, 10, 5*s)}
	type steered = *schedule.Steering
	do := func(change func(steered) (schedule.Change, error)) func(*testing.T, steered) {
		return func(t *testing.T, on steered) {
			t.Helper()
			if _, err := change(on); err != nil {
				t.Fatal(err)
			}
		}
	}
	hold := func(at time.Duration) func(*testing.T, steered) {
		return do(func(s steered) (schedule.Change, error) { return s.Hold(at) })
	}
	resume := func(at time.Duration) func(*testing.T, steered) {
		return do(func(s steered) (schedule.Change, error) { return s.Resume(at) })
	}
	skip := func(at time.Duration) func(*testing.T, steered) {
		return do(func(s steered) (schedule.Change, error) { return s.Skip(at) })
	}
	scale := func(at time.Duration, f float64) func(*testing.T, steered) {
		return do(func(s steered) (schedule.Change, error) { return s.Scale(at, f) })
	}
	tests := map[string]struct {
		do    []func(*testing.T, steered)
		rates map[time.Duration]float64
		end   time.Duration // 0: not of interest
	}{
		"untouched":     {nil, map[time.Duration]float64{5 * s: 50, 15 * s: 50, 22 * s: 10, 39 * s: 40}, 40 * s},
		"held":          {[]func(*testing.T, steered){hold(5 * s)}, map[time.Duration]float64{4 * s: 40, 6 * s: 50, 500 * s: 50}, 0},
		"held and on":   {[]func(*testing.T, steered){hold(5 * s), resume(9 * s)}, map[time.Duration]float64{8 * s: 50, 10 * s: 60, 15 * s: 50, 26 * s: 10}, 44 * s},
		"held and skip": {[]func(*testing.T, steered){hold(5 * s), skip(9 * s)}, map[time.Duration]float64{8 * s: 50, 10 * s: 50, 20 * s: 10}, 39 * s},
		"skip":          {[]func(*testing.T, steered){skip(2 * s)}, map[time.Duration]float64{1 * s: 10, 3 * s: 50, 13 * s: 10}, 32 * s},
		"skip twice":    {[]func(*testing.T, steered){skip(2 * s), skip(3 * s)}, map[time.Duration]float64{2500 * time.Millisecond: 50, 4 * s: 10}, 23 * s},
		"scale":         {[]func(*testing.T, steered){scale(5*s, 2)}, map[time.Duration]float64{4 * s: 40, 7 * s: 140, 15 * s: 100, 26 * s: 40}, 40 * s},
		"scale held":    {[]func(*testing.T, steered){hold(5 * s), scale(6*s, 0.5), resume(9 * s)}, map[time.Duration]float64{5500 * time.Millisecond: 50, 8 * s: 25, 10 * s: 30, 20 * s: 25}, 44 * s},
		// What is left of a staircase is two stages of the schedule, and one of the plan.
		"scale and skip stairs": {[]func(*testing.T, steered){scale(22*s, 2), skip(23 * s)}, map[time.Duration]float64{21 * s: 10, 22500 * time.Millisecond: 20}, 23 * s},
		"hold stairs":           {[]func(*testing.T, steered){hold(26 * s), resume(36 * s)}, map[time.Duration]float64{30 * s: 20, 37 * s: 20, 41 * s: 30, 49 * s: 40}, 50 * s},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			g, err := schedule.NewChangeable(plan, 1, 2)
			if err != nil {
				t.Fatal(err)
			}
			on := schedule.NewSteering(g)
			for _, do := range tt.do {
				do(t, on)
			}
			for at, want := range tt.rates {
				if got := g.Rate(at); math.Abs(got-want) > 1e-3 {
					t.Errorf("%v/s at %v, want %v/s", got, at, want)
				}
			}
			if tt.end != 0 && g.End() != tt.end {
				t.Errorf("ends at %v, want %v", g.End(), tt.end)
			}
		})
	}
}

func TestSteeringRefuses(t *testing.T) {
	g, err := schedule.NewChangeable([]profiles.Stage{hold(10, time.Second), profiles.Max{For: time.Second}}, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	s := schedule.NewSteering(g)
	tests := map[string]struct {
		do   func() (schedule.Change, error)
		want error
	}{
		"closed loop": {func() (schedule.Change, error) { return s.Hold(1500 * time.Millisecond) }, schedule.ErrClosedLoop},
		"not held":    {func() (schedule.Change, error) { return s.Resume(time.Second) }, schedule.ErrNotHeld},
		"late hold":   {func() (schedule.Change, error) { return s.Hold(2 * time.Second) }, schedule.ErrOver},
		"late skip":   {func() (schedule.Change, error) { return s.Skip(3 * time.Second) }, schedule.ErrOver},
		"before":      {func() (schedule.Change, error) { return s.Skip(0) }, schedule.ErrOver},
	}
	before := g.Now()
	for name, tt := range tests {
		if _, err := tt.do(); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
	for _, factor := range []float64{0, -1, 1000, math.NaN(), math.Inf(1)} {
		if _, err := s.Scale(time.Second/2, factor); err == nil {
			t.Errorf("scaled by %v", factor)
		}
	}
	if g.Now() != before {
		t.Error("what was refused has changed the schedule")
	}
	if _, err := s.Hold(time.Second / 2); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Hold(time.Second / 2); !errors.Is(err, schedule.ErrHeld) {
		t.Errorf("held twice: %v", err)
	}
}
