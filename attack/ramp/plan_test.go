package ramp

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
)

// What cannot be carried out is refused before any load.
func TestPlansRefused(t *testing.T) {
	tests := map[string]struct {
		spoil func(*Config)
		want  string
	}{
		"stages":        {func(c *Config) { c.Profile.Load = nil }, "no stages"},
		"targets":       {func(c *Config) { c.Profile.Targets = nil }, "no request has a share"},
		"window":        {func(c *Config) { c.Window = 1 }, "shorter than 1ms"},
		"retries":       {func(c *Config) { c.Profile.Client.Retries = profiles.Retries{Max: -1} }, "not between"},
		"retried fault": {func(c *Config) { c.Profile.Client.Retries = profiles.Retries{Faults: []string{"nap"}} }, `"nap"`},
		"file":          {func(c *Config) { c.Profile.Targets[0].File = "/nonexistent" }, "has not been read"},
		"URL":           {func(c *Config) { c.Profile.Targets[0].URL = "gopher://a" }, "target a"},
	}
	for name, tt := range tests {
		for engine, build := range engines {
			cfg := Config{Profile: testProfile(holdStage(1, time.Second))}
			tt.spoil(&cfg)
			if _, _, err := build(cfg, openWire); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s, %s: error %v, want one with %q", name, engine, err, tt.want)
			}
		}
	}
}

func TestBackoff(t *testing.T) {
	constant := retryPolicy{Retries: profiles.Retries{Base: 50 * time.Millisecond}}
	doubling := retryPolicy{Retries: profiles.Retries{Base: 50 * time.Millisecond, Exponential: true, Cap: 300 * time.Millisecond}}
	jittered := retryPolicy{Retries: profiles.Retries{Base: 50 * time.Millisecond, FullJitter: true}}
	for try, want := range []time.Duration{50, 100, 200, 300, 300} {
		if got := constant.backoff(uint16(try)); got != 50*time.Millisecond {
			t.Errorf("constant, try %d: %v", try, got)
		}
		if got := doubling.backoff(uint16(try)); got != want*time.Millisecond {
			t.Errorf("exponential, try %d: %v, want %v", try, got, want*time.Millisecond)
		}
	}
	if got := doubling.backoff(60_000); got != 300*time.Millisecond {
		t.Errorf("after many tries: %v", got)
	}
	lowest, highest, sum := time.Hour, time.Duration(0), time.Duration(0)
	for range 1000 {
		d := jittered.backoff(0)
		lowest, highest, sum = min(lowest, d), max(highest, d), sum+d
	}
	if lowest < 0 || lowest > 2*time.Millisecond || highest > 50*time.Millisecond || highest < 48*time.Millisecond ||
		sum/1000 < 22*time.Millisecond || sum/1000 > 28*time.Millisecond {
		t.Errorf("full jitter: %v to %v, mean %v", lowest, highest, sum/1000)
	}
}

// instant is a transport that answers at once and allocates nothing.
type instant struct{ cfg attack.ClientConfig }

func (f *instant) Do(_ attack.Request, a *attack.Attempt) {
	a.Start = f.cfg.Clock()
	a.Fault, a.Phase, a.Status, a.Conn = attack.None, attack.PhaseDone, 200, attack.Conn{ID: 1, Reused: true, RemoteIndex: 1}
	a.End = f.cfg.Clock()
}
func (f *instant) Compile(profiles.Request) (attack.Request, error) { return fakeRequest{}, nil }
func (f *instant) Slot() attack.Slot                                { return instantSlot{f} }
func (f *instant) Stats() attack.ClientStats                        { return attack.ClientStats{} }
func (f *instant) HoldAt(int, time.Duration)                        {}
func (f *instant) Drain()                                           {}
func (f *instant) Abort()                                           {}
func (f *instant) Close() error                                     { return nil }

type instantSlot struct{ *instant }

func (instantSlot) Close() {}

// The direct loop allocates nothing for a request, the Attacker what vegeta,
// http.Client and url.Parse do.
func TestAllocationsOfARequest(t *testing.T) {
	tests := []struct {
		engine string
		stage  profiles.Stage
		most   float64
	}{
		{"direct", profiles.Max{For: 300 * time.Millisecond}, 0.1},
		{"direct", holdStage(50_000, 300*time.Millisecond), 0.1},
		{"vegeta", profiles.Max{For: 300 * time.Millisecond}, 17.1},
		{"vegeta", holdStage(50_000, 300*time.Millisecond), 17.1},
	}
	for _, tt := range tests {
		p := testProfile(tt.stage)
		p.Client.MaxInFlight = 100 // a worker allocates once, and after a pause of the machine all of them begin
		loader, _, err := engines[tt.engine](Config{Profile: p}, func(c attack.ClientConfig) (attack.Client, error) {
			return &instant{c}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		rec := &record{}
		runtime.ReadMemStats(&before)
		if _, err := loader.Run(t.Context(), rec); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		c := rec.sum(t, 0)
		perRequest := float64(after.Mallocs-before.Mallocs) / float64(c.sent)
		t.Logf("%s %v: %d requests, %.3f allocations for each", tt.engine, tt.stage, c.sent, perRequest)
		if c.sent < 1000 {
			t.Errorf("%s: only %d requests", tt.engine, c.sent)
		}
		if fixed := 3000 / float64(c.sent); perRequest > tt.most+fixed {
			t.Errorf("%s: %.2f allocations for a request, want at most %v", tt.engine, perRequest, tt.most)
		}
	}
}

// BenchmarkEngine is the cost of an engine alone, over a transport that answers
// at once: a closed loop of half a second.
func BenchmarkEngine(b *testing.B) {
	for engine, build := range engines {
		b.Run(engine, func(b *testing.B) {
			sent := uint64(0)
			for b.Loop() {
				loader, _, err := build(Config{Profile: testProfile(profiles.Max{For: 500 * time.Millisecond})},
					func(c attack.ClientConfig) (attack.Client, error) { return &instant{c}, nil })
				if err != nil {
					b.Fatal(err)
				}
				rec := &record{}
				if _, err := loader.Run(b.Context(), rec); err != nil {
					b.Fatal(err)
				}
				sent += rec.sum(b, 0).sent
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(sent), "ns/request")
		})
	}
}
