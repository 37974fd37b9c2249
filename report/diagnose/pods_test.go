package diagnose_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose"
	"github.com/rampload/rampload/report/runlog"
)

// pod adds what an API server told of a pod of the serving host. Its times are whole
// seconds: the middle of one is meant.
func (w *world) pod(state, name, why string, at float64, ready int) {
	w.event(probe.Event{
		Kind: probe.PodChange, At: dur(math.Floor(at) + 0.5), Host: serverHost, Source: probe.Source{Host: serverHost, Name: "pod events"},
		Process: name, Comm: serverName, State: state, Reason: why, Value: float64(ready),
	})
}

// TestPodsAccount holds verdicts against what an API server told of pods, with agents on
// their nodes and without: one world for each cause that it proves, and some that its word
// only tempts to.
func TestPodsAccount(t *testing.T) {
	const a, b, c = "orders-6d4cf56db6-x7k2p", "orders-6d4cf56db6-9qz4h", "orders-7c9f8b6d5-bcdfg"
	// gone refuses for a while from a time on, after what was open broke off.
	gone := func(w *world, at, length float64) {
		w.fail = func(r *request) {
			if d := r.due - at; d > -0.02 && d < length {
				r.fault, r.phase, r.status, r.reused = attack.Refused, attack.PhaseDial, 0, false
				if d < 0.03 {
					r.fault, r.phase, r.reused = attack.EOF, attack.PhaseAwait, true
				}
			}
		}
	}
	answered := func(w *world, from, to float64) {
		w.fail = func(r *request) {
			if r.due > from && r.due < to {
				r.fault, r.status, r.latency = attack.Status, 503, 0.001
			}
		}
	}
	for _, test := range []struct {
		name    string
		play    func(w *world, at float64)
		after   func(w *world, at float64)
		want    string
		says    string
		refused []string
	}{
		{
			name: "killed for memory", play: func(w *world, at float64) { gone(w, at, 4) },
			after: func(w *world, at float64) {
				w.pod(probe.PodOOMKilled, a, "killed for memory, exit status 137", at, 0)
				if len(w.log.Series) > 0 {
					w.event(probe.Event{Kind: probe.OOMKill, At: dur(at), Host: serverHost, Process: serverName, PID: 100})
				}
				w.pod(probe.PodNotReady, a, "containers with unready status: [orders]", at, 0)
				w.pod(probe.PodReady, a, "after 4.0 s", at+4, 1)
			},
			want: "server-memory-oom", says: " was killed for memory", refused: []string{"pods-not-ready"},
		},
		{
			name: "all pods are taken out of service", play: func(w *world, at float64) { answered(w, at, at+6) },
			after: func(w *world, at float64) {
				w.pod(probe.PodProbeFailed, a, "Readiness probe failed: context deadline exceeded", at-1, 2)
				w.pod(probe.PodNotReady, a, "ContainersNotReady", at-0.5, 1)
				w.pod(probe.PodNotReady, b, "ContainersNotReady", at-0.4, 0)
				w.pod(probe.PodReady, a, "after 6.0 s", at+6, 1)
				w.pod(probe.PodReady, b, "after 6.0 s", at+6, 2)
			},
			want: "pods-not-ready", says: "down to 0 pods ready (Readiness probe failed",
		},
		{
			name: "a rolling update", play: func(w *world, at float64) { gone(w, at, 3) },
			after: func(w *world, at float64) {
				w.pod(probe.PodUpdate, c, "revision 7c9f8b6d5 takes the place of 6d4cf56db6", at-3, 2)
				w.pod(probe.PodEnding, a, "", at, 1)
				w.pod(probe.PodExited, a, "exit status 143", at, 1)
				w.pod(probe.PodReady, c, "it is new", at+3, 2)
			},
			want: "ungraceful-restart", says: "a rolling update (revision 7c9f8b6d5 takes the place of 6d4cf56db6) ended 1 pod",
		},
		{
			name: "an eviction", play: func(w *world, at float64) { gone(w, at, 5) },
			after: func(w *world, at float64) {
				w.pod(probe.PodEvicted, a, "The node was low on resource: memory.", at, 1)
				w.pod(probe.PodEnding, a, "", at, 0)
				w.pod(probe.PodReady, b, "it is new", at+5, 1)
			},
			want: "pod-evicted", says: "was evicted: The node was low on resource: memory.",
		},
		{
			name: "ended for its liveness probe", play: func(w *world, at float64) {
				w.fail = func(r *request) {
					switch d := r.due - at; {
					case d > -8 && d < 0:
						timeout(r, attack.PhaseAwait, 5)
					case d >= 0 && d < 3:
						r.fault, r.phase, r.status, r.reused = attack.Refused, attack.PhaseDial, 0, false
					}
				}
			},
			after: func(w *world, at float64) {
				w.pod(probe.PodProbeFailed, a, "Liveness probe failed: context deadline exceeded", at-2, 1)
				w.pod(probe.PodProbeKilled, a, "Container orders failed liveness probe, will be restarted", at, 1)
				w.pod(probe.PodExited, a, "SIGKILL, exit status 137", at, 0)
				w.pod(probe.PodReady, a, "after 3.0 s", at+3, 1)
			},
			want: "worker-killed", says: "failed liveness probe",
		},
		{
			name: "an update long before, and a pod that was out for a moment: the application aborts",
			play: func(w *world, _ float64) {
				w.fail = func(r *request) {
					if w.rng.Float64() < 0.03 {
						reset(r, attack.PhaseAwait)
					}
				}
			},
			after: func(w *world, at float64) {
				w.traced(serverHost, "TCP_STATE", "TCP_ESTABLISHED")
				w.pod(probe.PodUpdate, c, "revision 7c9f8b6d5 takes the place of 6d4cf56db6", -1.5, 2)
				w.pod(probe.PodEnding, a, "", -1.2, 1)
				w.pod(probe.PodNotReady, b, "ContainersNotReady", at, 1)
				w.pod(probe.PodReady, b, "after 2.0 s", at+2, 2)
			},
			refused: []string{"pods-not-ready", "ungraceful-restart", "pod-evicted", "worker-killed"},
		},
		{
			name: "pods go out because the service is slow",
			play: func(w *world, at float64) {
				w.fail = func(r *request) {
					if r.due > at {
						timeout(r, attack.PhaseAwait, 5)
					}
				}
			},
			after: func(w *world, at float64) {
				w.pod(probe.PodNotReady, a, "ContainersNotReady", at+5, 1)
				w.pod(probe.PodNotReady, b, "ContainersNotReady", at+6, 0)
			},
			refused: []string{"pods-not-ready", "pod-evicted", "ungraceful-restart"},
		},
	} {
		for seed := range uint64(4) {
			w := newWorld(rand.New(rand.NewPCG(seed, 1199)))
			w.length = 30
			agents := seed%2 == 0
			at := w.length * (0.45 + 0.2*w.rng.Float64())
			test.play(w, at)
			if agents {
				w.background()
			}
			w.play()
			test.after(w, at)
			slices.SortStableFunc(w.log.Events, func(x, y probe.Event) int { return int(x.At - y.At) })
			w.log.Trailer.Sources = append(w.log.Trailer.Sources, probe.Status{Source: probe.Source{Host: serverHost, Name: "pod events"}, State: probe.Measured})
			if agents {
				w.traced(serverHost, "NO_SOCKET", "")
				w.complete()
			} else {
				w.log.Series = slices.DeleteFunc(w.log.Series, func(s runlog.Series) bool { return s.Metric.Host == serverHost })
				w.log.Events = slices.DeleteFunc(w.log.Events, func(e probe.Event) bool { return e.Kind == probe.RSTSent || e.Kind == probe.OOMKill })
			}
			f := diagnose.Analyze(w.log).Findings[0]
			said := func(e diagnose.Evidence) bool { return strings.Contains(e.Text, test.says) }
			switch {
			case test.want != "" && (f.Cause != test.want || f.Verdict != diagnose.Explains):
				t.Errorf("%s, agents %t, seed %d: %s %s, want %s: %s", test.name, agents, seed, f.Verdict, f.Cause, test.want, f.Summary)
			case test.want != "" && !slices.ContainsFunc(f.Evidence, said):
				t.Errorf("%s, agents %t, seed %d: no evidence says %q: %+v", test.name, agents, seed, test.says, f.Evidence)
			case f.Verdict == diagnose.Explains && slices.Contains(test.refused, f.Cause):
				t.Errorf("%s, agents %t, seed %d: claims %s: %s", test.name, agents, seed, f.Cause, f.Summary)
			}
		}
	}
}
