package profiles

import (
	"math"
	"testing"
	"time"
)

func TestStages(t *testing.T) {
	for _, c := range []struct {
		stage  Stage
		text   string
		length time.Duration
		rate   float64
		ok     bool
	}{
		{Ramp{From: 50, To: 2000, For: 2 * time.Minute}, "ramp 50/s to 2,000/s over 2m", 2 * time.Minute, 2000, true},
		{Ramp{From: 1234567.5, To: 0.25, For: time.Hour}, "ramp 1,234,567.5/s to 0.25/s over 1h", time.Hour, 1234567.5, true},
		{Hold{Rate: 2000, For: time.Minute}, "hold 2,000/s for 1m", time.Minute, 2000, true},
		{Staircase{From: 500, To: 1500, Step: 100, Every: 10 * time.Second}, "staircase 500/s to 1,500/s by 100/s every 10s, 1m50s", 110 * time.Second, 1500, true},
		{Burst{Size: 40, Every: 500 * time.Millisecond, Jitter: 150 * time.Millisecond, For: 25 * time.Second}, "bursts of 40 every 500ms +/- 150ms for 25s", 25 * time.Second, 80, true},
		{Burst{Size: 4000, Every: 2 * time.Second, For: 25 * time.Second}, "bursts of 4,000 every 2s for 25s", 25 * time.Second, 2000, true},
		{Max{For: 10 * time.Second}, "as fast as the connections allow for 10s", 10 * time.Second, 0, false},
		{Search{From: 100, To: 5000, Until: DefaultUntil(), HoldFor: 10 * time.Second, CoolDown: 5 * time.Second, Precision: 0.05}, "search 100/s to 5,000/s until failures < 0.1% breaks, each load for 10s, 5s between, to 5%", 240 * time.Second, 5000, true},
		{Idle{From: time.Second, To: 2 * time.Minute}, "idle connections, 1s to 2m", 372 * time.Second, 0, true},
		{Idle{From: 100 * time.Second, To: 2 * time.Minute}, "idle connections, 1m40s to 2m", 390 * time.Second, 0, true},
		{Idle{To: math.MaxInt64 / 3}, "idle connections, 0s to 854015h55m45.618258602s", math.MaxInt64, 0, true},
		{Connections{From: 100, To: 10000, For: 2 * time.Minute}, "connections 100 to 10,000 over 2m", 2 * time.Minute, 50000, true},
		{Connections{From: 270, To: 270, For: 10 * time.Second}, "hold 270 connections for 10s", 10 * time.Second, 1350, true},
	} {
		rate, ok := c.stage.MaxRate(5)
		if c.stage.String() != c.text || c.stage.Duration() != c.length || rate != c.rate || ok != c.ok {
			t.Errorf("%q lasts %v at most %v/s %v, want %q %v %v %v", c.stage, c.stage.Duration(), rate, ok, c.text, c.length, c.rate, c.ok)
		}
	}
}

func TestStaircaseSteps(t *testing.T) {
	for _, c := range []struct {
		from, to, step float64
		want           int
	}{
		{500, 800, 100, 4},
		{500, 850, 100, 5},
		{800, 500, 100, 4},
		{800, 450, 100, 5},
		{0, 0.3, 0.1, 4}, // 0.3/0.1 is 2.9999999999999996
		{0.5, 1, 0.1, 6}, // (1-0.5)/0.1 is 5
		{5, 5, 1, 1},
		{5, 6, 0, 0},
		{5, math.Inf(1), 1, 0},
	} {
		s := Staircase{From: c.from, To: c.to, Step: c.step, Every: time.Second}
		if s.Steps() != c.want || s.Duration() != time.Duration(c.want)*time.Second {
			t.Errorf("%v: %d steps, %v", c, s.Steps(), s.Duration())
		}
	}
}

func TestProfileLength(t *testing.T) {
	p := Profile{
		Load:   Load{Ramp{To: 70, For: time.Minute}, Connections{To: 20, For: time.Minute}},
		Client: Client{PerConnection: 5},
	}
	if rate, ok := p.MaxRate(); p.Duration() != 2*time.Minute || rate != 100 || !ok {
		t.Errorf("%v at most %v/s %v", p.Duration(), rate, ok)
	}
	p.Load = append(p.Load, Max{For: math.MaxInt64})
	if rate, ok := p.MaxRate(); p.Duration() != math.MaxInt64 || rate != 100 || ok {
		t.Errorf("%v at most %v/s %v", p.Duration(), rate, ok)
	}
}

func TestScale(t *testing.T) {
	p := Profile{Load: Load{
		Ramp{From: 50, To: 2000, For: time.Minute},
		Staircase{From: 500, To: 1500, Step: 100, Every: time.Second},
		Burst{Size: 4, Every: time.Second},
		Connections{To: 100},
	}, Gate: []Gate{{Metric: GateOnset, Value: 1500}}}
	q := Scale(p, 0.1)
	want := []Stage{
		Ramp{From: 5, To: 200, For: time.Minute},
		Staircase{From: 50, To: 150, Step: 10, Every: time.Second},
		Burst{Size: 1, Every: time.Second},
		Connections{To: 10},
	}
	for i := range want {
		if q.Load[i] != want[i] {
			t.Errorf("stage %d: %+v, want %+v", i, q.Load[i], want[i])
		}
	}
	if p.Load[0].(Ramp).To != 2000 || q.Gate[0].Value != 1500 || q.Load[1].Duration() != p.Load[1].Duration() {
		t.Error("scaling changed the original, a gate or the number of steps")
	}
}
