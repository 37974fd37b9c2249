package diagnose_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/report/diagnose"
	"github.com/rampload/rampload/report/runlog"
)

// answer makes a request fail with a status and what was answered.
func answer(r *request, code uint16, body string, headers ...string) {
	r.fault, r.phase, r.status, r.latency = attack.Status, attack.PhaseDone, code, 0.003
	r.answer = &attack.Answer{Body: body, Declared: int64(len(body)), Received: int64(len(body))}
	for i := 0; i+1 < len(headers); i += 2 {
		r.answer.Headers = append(r.answer.Headers, attack.AnswerHeader{Name: headers[i], Value: headers[i+1]})
	}
}

// TestAnswersAreRead plays services that say what they lack.
func TestAnswersAreRead(t *testing.T) {
	excess := func(become func(r *request)) func(w *world, r *request) {
		return func(w *world, r *request) {
			if limit := 0.55 * w.to; r.load > limit && w.rng.Float64() < 1-limit/r.load {
				become(r)
			}
		}
	}
	for _, test := range []struct {
		name  string
		fail  func(w *world, r *request)
		cause string // accepted causes, claimed or first
		says  string // in the evidence or the summary
		open  bool   // it is the first candidate: one request alone is large, so it may be of the request
	}{
		{
			name: "a database that is full", cause: "upstream-connection-limit", says: "too many clients",
			fail: excess(func(r *request) {
				answer(r, 500, fmt.Sprintf("FATAL: sorry, too many clients already (request %d)", r.number), "server", "gunicorn")
			}),
		},
		{
			name: "a pool that is full", cause: "pool-exhausted", says: "QueuePool limit",
			fail: excess(func(r *request) {
				answer(r, 500, "QueuePool limit of size 5 overflow 10 reached, connection timed out")
			}),
		},
		{
			name: "worker_connections", cause: "server-connection-limit", says: "worker_connections",
			fail: excess(func(r *request) { answer(r, 503, "512 worker_connections are not enough") }),
		},
		{
			name: "a rate limit that says when to come again", cause: "rate-limit-policy", says: "come again after 2.0 s",
			fail: excess(func(r *request) { answer(r, 503, "busy", "retry-after", "2") }),
		},
		{
			name: "tokens that expire", cause: "credentials", says: "token expired",
			fail: func(w *world, r *request) {
				if r.due > 0.5*w.length {
					answer(r, 401, `{"error":"token expired"}`)
				}
			},
		},
		{
			name: "a limit on the size of requests", cause: "request-too-large", says: "of 2,200 bytes and more failed", open: true,
			fail: func(_ *world, r *request) {
				sized(r)
				if r.endpoint == 2 {
					answer(r, 400, "no")
				}
			},
		},
		{
			name: "full-size packets that vanish", cause: "mtu-black-hole", says: "of 2,200 bytes and more failed",
			fail: func(_ *world, r *request) {
				sized(r)
				if r.endpoint == 2 {
					timeout(r, attack.PhaseAwait, 5)
					r.retrans, r.unacked = 4, 2
				}
			},
		},
		{
			name: "a length that never comes", cause: "short-response", says: "announced 5,000 bytes and brought 4,900",
			fail: func(_ *world, r *request) {
				sized(r)
				if r.endpoint == 1 {
					timeout(r, attack.PhaseBody, 5)
					r.status = 200
					r.answer = &attack.Answer{Declared: 5000, Received: 4900}
				}
			},
		},
	} {
		for seed := range uint64(2) {
			w := newWorld(rand.New(rand.NewPCG(seed, 77)))
			w.length = 24
			w.log.Header.Targets[0].Endpoints = []runlog.Endpoint{{Name: "GET /small", Share: 0.4}, {Name: "GET /page", Share: 0.3}, {Name: "POST /big", Share: 0.3}}
			w.fail = func(r *request) { test.fail(w, r) }
			w.background()
			w.play()
			w.complete()
			f := diagnose.Analyze(w.log).Findings[0]
			if f.Cause != test.cause || f.Verdict != diagnose.Explains && !test.open {
				t.Errorf("%s, seed %d: %s %s %.2f, want %s: %s", test.name, seed, f.Verdict, f.Cause, f.Confidence, test.cause, f.Summary)
			}
			said := strings.Contains(f.Summary, test.says) || slices.ContainsFunc(f.Evidence, func(e diagnose.Evidence) bool { return strings.Contains(e.Text, test.says) })
			if !said {
				t.Errorf("%s, seed %d: nothing tells of %q: %s %+v", test.name, seed, test.says, f.Summary, f.Evidence)
			}
		}
	}
}

// sized spreads requests over three of different sizes.
func sized(r *request) {
	r.endpoint = uint32(r.number % 3)
	r.sent = []int{180, 190, 2200}[r.endpoint]
	r.received = []int{12, 5000, 20}[r.endpoint]
}
