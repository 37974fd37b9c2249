package diagnose_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose"
)

// Answers that come late in the steps of a timer, together, or behind a quota are no pass,
// though nothing failed; those that are late here and there are one.
func TestDegradedKinds(t *testing.T) {
	count := func(host, name string, each float64) func(*world) {
		return func(w *world) {
			w.counter(host, name, func(t float64) float64 {
				if t < 0 {
					return 0
				}
				return each
			})
		}
	}
	for _, test := range []struct {
		name  string
		fail  func(w *world, r *request)
		after func(*world)
		want  string // empty: healthy
		says  string
	}{
		{
			name: "SYNs that are lost", want: "packet-loss", says: "SYNs were sent again",
			fail: func(_ *world, r *request) {
				if r.number%50 == 0 {
					r.latency += 1.002
				}
			},
			after: count("local", probe.SynRetrans, 4),
		},
		{
			name: "an accept queue that overflows", want: "listen-backlog", says: "overflowed",
			fail: func(_ *world, r *request) {
				if r.number%50 == 0 {
					r.latency += 1.002
				}
			},
			after: func(w *world) {
				count("local", probe.SynRetrans, 4)(w)
				count(serverHost, probe.ListenOverflows, 4)(w)
			},
		},
		{
			name: "an accept queue that overflows while all wait for it", want: "listen-backlog", says: "overflowed",
			fail: func(w *world, r *request) {
				if r.number%20 == 0 {
					r.latency += 0.3 + w.rng.Float64()
				}
			},
			after: func(w *world) {
				count("local", probe.RetransSegs, 12)(w)
				count(serverHost, probe.ListenOverflows, 10)(w)
			},
		},
		{
			name: "an accept queue that overflows for want of descriptors", want: "server-file-descriptors", says: "no file descriptor left to accept with",
			fail: func(w *world, r *request) {
				if r.number%20 == 0 {
					r.latency += 0.3 + w.rng.Float64()
				}
			},
			after: func(w *world) {
				count("local", probe.RetransSegs, 12)(w)
				count(serverHost, probe.ListenOverflows, 10)(w)
				w.series(serverHost, "orders", probe.OpenFiles, 64, func(t float64) float64 { return min(64, 20+2*max(0, t)) })
			},
		},
		{
			name: "pauses of a fifth of a second", want: "process-paused", says: "waited",
			fail: func(_ *world, r *request) {
				if in := r.due - 2*float64(int(r.due/2)); in < 0.24 {
					r.latency += 0.24 - in
				}
			},
		},
		{
			name: "a processor quota", want: "processor-throttled", says: "quota",
			fail: func(_ *world, r *request) {
				if r.number%20 == 0 {
					r.latency += 0.06
				}
			},
			after: count(serverHost, probe.CPUThrottled, 3),
		},
		{
			name: "delayed acknowledgements", want: "delayed-ack", says: "40 ms",
			fail: func(_ *world, r *request) {
				r.latency = 0.002
				if r.number%10 == 0 {
					r.latency = 0.0415
				}
			},
		},
		{
			name: "a slow request now and then",
			fail: func(w *world, r *request) {
				if r.number%40 == 0 {
					r.latency += 0.1 + w.rng.Float64()
				}
			},
		},
	} {
		w := newWorld(rand.New(rand.NewPCG(8, 4711)))
		w.length = 24
		w.fail = func(r *request) { test.fail(w, r) }
		w.background()
		w.play()
		if test.after != nil {
			test.after(w)
		}
		w.complete()
		result := diagnose.Analyze(w.log)
		f := result.Findings[0]
		if f.Verdict == diagnose.Degraded && f.Resource != "" && !slices.ContainsFunc(result.Resources, func(r diagnose.Resource) bool {
			return r.Metric.Name == f.Resource && r.Metric.Process == f.Process && r.Verdict == diagnose.Cause
		}) {
			t.Errorf("%s: %s of %q is named, and no resource is marked", test.name, f.Resource, f.Process)
		}
		want := diagnose.Degraded
		if test.want == "" {
			test.want, want = "healthy", diagnose.Healthy
		}
		if f.Verdict != want || f.Cause != test.want || !strings.Contains(f.Summary, test.says) {
			t.Errorf("%s: %s %s, want %s: %s", test.name, f.Verdict, f.Cause, test.want, f.Summary)
		}
		if f.Verdict == diagnose.Degraded && !strings.Contains(f.Summary, "from the start") && test.want != "process-paused" {
			t.Errorf("%s: nothing says since when: %s", test.name, f.Summary)
		}
	}
}
