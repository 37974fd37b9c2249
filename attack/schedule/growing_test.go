package schedule_test

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/rampload/rampload/attack/schedule"
	"github.com/rampload/rampload/profiles"
)

// A schedule that was extended bit by bit is the schedule of all stages, and
// nothing that was due before moves.
func TestGrowingIsTheWholeSchedule(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var stages []profiles.Stage
	for range 60 {
		d := time.Duration(1 + r.Int64N(int64(3*time.Second)))
		switch r.IntN(3) {
		case 0:
			stages = append(stages, hold(0, d))
		case 1:
			stages = append(stages, hold(r.Float64()*50, d))
		default:
			stages = append(stages, ramp(r.Float64()*50, r.Float64()*50, d))
		}
	}
	var g schedule.Growing
	var dues []time.Duration
	for i, s := range stages {
		if err := g.Extend(s); err != nil {
			t.Fatal(err)
		}
		whole := build(t, stages[:i+1]...)
		if g.Total() != whole.Total() || g.End() != whole.End() {
			t.Fatalf("after %d stages: %d requests to %v, want %d to %v", i+1, g.Total(), g.End(), whole.Total(), whole.End())
		}
		for n, due := range dues {
			if again, ok := g.Due(uint64(n)); !ok || again != due {
				t.Fatalf("after %d stages: request %d is due at %v, was at %v", i+1, n, again, due)
			}
		}
		for n := uint64(len(dues)); n < g.Total(); n++ {
			due, _ := g.Due(n)
			if want, _ := whole.Due(n); due != want || g.Count(due) < n+1 || g.Count(due-1) > n {
				t.Fatalf("request %d is due at %v, want %v", n, due, want)
			}
			dues = append(dues, due)
		}
		at := time.Duration(r.Int64N(int64(g.End())))
		if g.Rate(at) != whole.Rate(at) {
			t.Errorf("rate at %v: %v, want %v", at, g.Rate(at), whole.Rate(at))
		}
	}
}

func TestGrowingTellsOfItsGrowth(t *testing.T) {
	var g schedule.Growing
	if _, ok := g.Due(0); ok || g.Total() != 0 || g.End() != 0 || g.Rate(0) != 0 || g.Count(time.Hour) != 0 || g.Final() {
		t.Error("an empty schedule has something")
	}
	told := func(c <-chan struct{}) bool {
		select {
		case <-c:
			return true
		default:
			return false
		}
	}
	first := g.Grown()
	if told(first) || g.Grown() != first {
		t.Error("told before it grew, or two channels for one growth")
	}
	if err := g.Extend(hold(1, time.Second)); err != nil || !told(first) {
		t.Errorf("not told, error %v", err)
	}
	if err := g.Extend(hold(1, time.Second), burst(1, time.Second, 0, time.Second)); err == nil || g.End() != time.Second {
		t.Errorf("error %v, %v long; want an error and no growth", err, g.End())
	}
	if err := g.Extend(hold(-1, time.Second)); err == nil || g.End() != time.Second {
		t.Errorf("error %v, %v long; want an error and no growth", err, g.End())
	}
	last := g.Grown()
	g.Finish()
	g.Finish()
	if !told(last) || !g.Final() {
		t.Error("the end was not told")
	}
	if err := g.Extend(hold(1, time.Second)); !errors.Is(err, schedule.ErrEnded) {
		t.Errorf("error %v, want ErrEnded", err)
	}
}
