package diagnose_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose"
)

// overdriven is a service without descriptors at which requests stall in spells of a quarter
// of a second from a time on, under a generator that sends late and has everything time out
// from its limit on.
func overdriven(seed uint64, from, limit float64) *world {
	w := plain(seed)
	w.from, w.to, w.length, w.pooled = 100, 900, 28, false
	w.fail = func(r *request) {
		spell := r.due >= from && math.Mod(r.due, 1.25) < windowLength && w.rng.Float64() < 0.3
		if r.due >= limit || spell {
			r.fault, r.phase, r.status, r.latency, r.reused = attack.Timeout, attack.PhaseAwait, 0, 1, false
		}
	}
	w.log.Header.Generator.Timeout = time.Second
	w.play()
	for i := range w.windows {
		if float64(i)*windowLength >= limit && len(w.windows[i].Lag) > 0 {
			w.windows[i].Lag = attack.Histogram{{Value: 90_000, Count: w.windows[i].Lag.Total()}}
		}
	}
	return w
}

// What was found at loads that the generator bore stands, though its limit was reached later.
func TestFoundBelowTheGeneratorsLimit(t *testing.T) {
	for seed := range uint64(4) {
		const from, limit = 12.0, 24.0
		w := overdriven(seed, from, limit)
		w.series(serverHost, serverName, probe.OpenFiles, 64, func(t float64) float64 { return math.Round(min(64, 64*t/from)) })
		w.event(probe.Event{
			Kind: probe.LogLine, At: dur(from + 0.1), Host: serverHost, Process: serverName, Count: 200,
			Source: probe.Source{Host: serverHost, Name: "log"}, Line: &probe.Line{File: "orders.log", Level: "error"},
			Reason: "http: Accept error: accept tcp 10.0.0.2:8080: accept4: too many open files; retrying in 5ms",
		})
		w.complete()
		r := diagnose.Analyze(w.log)
		f := r.Findings[0]
		if f.Cause != "server-file-descriptors" || f.Host != serverHost || f.Verdict != diagnose.Explains && f.Verdict != diagnose.Ambiguous {
			t.Errorf("seed %d: %s %s on %q: %s", seed, f.Verdict, f.Cause, f.Host, f.Summary)
		}
		if !r.Generator.Limited || math.Abs(r.Generator.At.Seconds()-limit) > 0.5 {
			t.Errorf("seed %d: the generator's limit is %v at %v, want %v s", seed, r.Generator.Limited, r.Generator.At, limit)
		}
		for _, o := range r.Targets[0].Onsets {
			if o.At.High > limit {
				t.Errorf("seed %d: an onset at %.1f s (to %.1f s) was read above the generator's limit", seed, o.At.Value, o.At.High)
			}
		}
	}
}

// What only the generator's limit brings is the generator's, also what leads up to it.
func TestNothingFoundBelowTheGeneratorsLimit(t *testing.T) {
	for name, lead := range map[string]float64{"nothing before": 0, "what leads up to it": 0.9} {
		for seed := range uint64(4) {
			const limit = 24.0
			w := overdriven(seed, limit-lead, limit)
			w.complete()
			f := diagnose.Analyze(w.log).Findings[0]
			if f.Verdict != diagnose.GeneratorLimited || !strings.HasPrefix(f.Cause, "client-") {
				t.Errorf("%s, seed %d: %s %s: %s", name, seed, f.Verdict, f.Cause, f.Summary)
			}
		}
	}
}
