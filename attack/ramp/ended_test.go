package ramp

import (
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
)

// Whoever wants the attempts that ended gets every failure that is kept, and of the good
// ones those that services were asked to record: each once, from both engines.
func TestEndedAttempts(t *testing.T) {
	for _, engine := range []string{"vegeta", "direct"} {
		t.Run(engine, func(t *testing.T) {
			p := testProfile(holdStage(1000, time.Second))
			p.Traces = profiles.Traces{Sample: 0.2, Sampled: true}
			run, sampling := attack.RunID{7}, attack.TracingOf(p.Traces)
			good, bad, unasked := map[uint64]int{}, map[uint64]int{}, 0
			cfg := Config{Profile: p, RunID: run, Ended: func(a attack.Attempt) {
				switch {
				case a.Fault != attack.None:
					bad[a.Request]++
				case sampling.Samples(run, a.Request):
					good[a.Request]++
				default:
					unasked++
				}
			}}
			rec, _, _ := drive(t, t.Context(), engine, cfg, func(a *attack.Attempt) (time.Duration, attack.Fault) {
				if a.Request%10 == 0 {
					return time.Millisecond, attack.Reset
				}
				return time.Millisecond, attack.None
			})
			want := 0
			for n := range uint64(1000) {
				if n%10 != 0 && sampling.Samples(run, n) {
					want++
				}
			}
			if len(bad) != len(rec.failures) || len(bad) != 100 || len(good) != want || unasked != 0 {
				t.Errorf("got %d failures of %d, %d good ones of %d, %d that nobody asked for", len(bad), len(rec.failures), len(good), want, unasked)
			}
			for _, of := range []map[uint64]int{good, bad} {
				for n, times := range of {
					if times != 1 {
						t.Errorf("request %d came %d times", n, times)
					}
				}
			}
		})
	}
}
