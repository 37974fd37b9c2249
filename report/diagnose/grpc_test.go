package diagnose_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/report/diagnose"
)

// TestStatusesOfGRPC: what a gRPC service answers is judged as the statuses of HTTP that
// say the same, and told by its own name.
func TestStatusesOfGRPC(t *testing.T) {
	said := func(r *request, code uint32, words string) {
		answer(r, 200, words)
		r.detail = attack.GRPCCode(code)
	}
	late := func(w *world, r *request) bool { return r.due > 0.5*w.length }
	for _, test := range []struct {
		name  string
		fail  func(w *world, r *request)
		cause string
		says  string
	}{
		{
			name: "too much", cause: "rate-limit-policy", says: "grpc resource-exhausted",
			fail: func(w *world, r *request) {
				if limit := 0.55 * w.to; r.load > limit && w.rng.Float64() < 1-limit/r.load {
					said(r, 8, "too many calls")
				}
			},
		},
		{
			name: "tokens that expire", cause: "credentials", says: "grpc unauthenticated",
			fail: func(w *world, r *request) {
				if late(w, r) {
					said(r, 16, "token expired")
				}
			},
		},
		{
			name: "connections that end at an age", cause: "connection-age-limit", says: "GOAWAY max_age",
			fail: func(w *world, r *request) {
				if w.rng.Float64() < 0.05 {
					r.fault, r.detail, r.phase, r.latency = attack.HTTP2GoAway, attack.GoAway(0, "max_age"), attack.PhaseAwait, 0.05
				}
			},
		},
	} {
		w := newWorld(rand.New(rand.NewPCG(3, 77)))
		w.length = 24
		w.fail = func(r *request) { test.fail(w, r) }
		w.background()
		w.play()
		w.complete()
		f := diagnose.Analyze(w.log).Findings[0]
		var evidence []string
		for _, e := range f.Evidence {
			evidence = append(evidence, e.Text)
		}
		told := f.Summary + " " + strings.Join(evidence, " ")
		if f.Cause != test.cause || !strings.Contains(told, test.says) || strings.Contains(told, "status (200)") {
			t.Errorf("%s: %s %s %.2f, want %s: %s", test.name, f.Verdict, f.Cause, f.Confidence, test.cause, told)
		}
	}
}
