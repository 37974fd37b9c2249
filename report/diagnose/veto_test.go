package diagnose_test

import (
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose"
)

// TestPhysics holds plausible verdicts against what cannot be: each world tempts to the
// refused cause, and has another one or none.
func TestPhysics(t *testing.T) {
	always := func(become func(r *request)) func(*world) {
		return func(w *world) { w.fail = become }
	}
	status := func(code uint16) func(*request) {
		return func(r *request) {
			r.fault, r.phase, r.status, r.latency = attack.Status, attack.PhaseDone, code, 0.002
		}
	}
	from := func(w *world, share float64, become func(*request)) {
		at := w.timeOf(w.loadBetween(0.4, 0.7))
		w.fail = func(r *request) {
			if r.due >= at && w.rng.Float64() < share {
				become(r)
			}
		}
	}
	for _, test := range []struct {
		name    string
		make    func(w *world)
		after   func(w *world)
		refused []string // never claimed
		want    string   // empty: any other
	}{
		{
			name: "all refused while some other listener overflows",
			make: always(func(r *request) {
				r.fault, r.phase, r.latency, r.reused = attack.Refused, attack.PhaseDial, 0.001, false
			}),
			after: func(w *world) {
				w.counter(serverHost, probe.ListenOverflows, func(t float64) float64 { return 50 * max(t, 0) })
			},
			refused: []string{"listen-backlog", "syn-backlog"}, want: "service-down",
		},
		{
			name: "a certificate that this side does not accept",
			make: always(func(r *request) {
				r.fault, r.phase, r.latency, r.reused = attack.TLS, attack.PhaseTLS, 0.004, false
			}),
			after: func(w *world) {
				detail(w, attack.TLS, attack.Detail{Kind: attack.CertificateDetail, Code: attack.CertificateExpired})
			},
			refused: []string{"tls-shedding", "server-cpu-shedding"}, want: "certificate",
		},
		{
			name: "a server that wants another version of TLS, and shows no certificate",
			make: always(func(r *request) {
				r.fault, r.phase, r.latency, r.reused = attack.TLS, attack.PhaseTLS, 0.004, false
			}),
			after: func(w *world) {
				detail(w, attack.TLS, attack.Alert(70))
			},
			refused: []string{"certificate", "tls-shedding"}, want: "tls-mismatch",
		},
		{
			name: "404 to GETs without one reset",
			make: func(w *world) {
				w.fail = func(r *request) {
					if r.number%5 == 0 {
						status(404)(r)
					}
				}
			},
			refused: []string{"early-response-unread-body", "application-abort"},
		},
		{
			name:    "500 answered by a service: no path does that",
			make:    func(w *world) { from(w, 0.3, status(500)) },
			refused: []string{"path-reset", "path-rate-limit", "path-connection-limit", "packet-loss"},
		},
		{
			name:    "a share of 401 from a moment on",
			make:    func(w *world) { from(w, 1, status(401)) },
			refused: []string{"rate-limit-policy", "early-response-unread-body"}, want: "credentials",
		},
		{
			name: "413 with every connection whole",
			make: func(w *world) {
				w.fail = func(r *request) {
					if r.number%4 == 0 {
						status(413)(r)
					}
				}
			},
			refused: []string{"early-response-unread-body"}, want: "request-too-large",
		},
		{
			name: "the kernel had no memory for sockets",
			make: func(w *world) { from(w, 0.4, func(r *request) { reset(r, attack.PhaseAwait) }) },
			after: func(w *world) {
				w.counter(serverHost, probe.AbortOnMemory, func(t float64) float64 { return 100 * max(0, t-firstFailure(w)) })
			},
			refused: []string{"rate-limit-policy", "application-abort", "path-rate-limit"},
		},
		{
			name:    "answers come late for everybody: the client's timeout only shows it",
			make:    func(w *world) { from(w, 1, func(r *request) { timeout(r, attack.PhaseAwait, 2) }) },
			refused: []string{"client-timeout"},
		},
		{
			name:    "resets while packets are also sent again",
			make:    func(w *world) { from(w, 0.3, func(r *request) { reset(r, attack.PhaseAwait); r.retrans = 2 }) },
			refused: []string{"packet-loss"},
		},
	} {
		for seed := range uint64(3) {
			w := newWorld(rand.New(rand.NewPCG(seed, 4711)))
			w.length = 24
			test.make(w)
			w.background()
			w.play()
			if test.after != nil {
				test.after(w)
			}
			w.complete()
			f := diagnose.Analyze(w.log).Findings[0]
			if f.Verdict == diagnose.Explains && slices.Contains(test.refused, f.Cause) {
				t.Errorf("%s, seed %d: claims %s: %s", test.name, seed, f.Cause, f.Summary)
			}
			if f.Verdict == diagnose.Healthy {
				t.Errorf("%s, seed %d: called healthy", test.name, seed)
			}
			if test.want != "" && f.Cause != test.want {
				t.Errorf("%s, seed %d: %s %s, want %s", test.name, seed, f.Verdict, f.Cause, test.want)
			}
		}
	}
}

// detail gives every cell and failure of a fault what its protocol said.
func detail(w *world, fault attack.Fault, d attack.Detail) {
	for _, windows := range w.log.Windows {
		for i := range windows {
			for j := range windows[i].Cells {
				if windows[i].Cells[j].Fault == fault {
					windows[i].Cells[j].Detail = d
				}
			}
		}
	}
	for i := range w.log.Failures {
		if w.log.Failures[i].Fault == fault {
			w.log.Failures[i].Detail = d
		}
	}
}

// firstFailure is when the first request failed that was kept, in seconds.
func firstFailure(w *world) float64 {
	first := math.Inf(1)
	for _, f := range w.log.Failures {
		first = min(first, f.End.Seconds())
	}
	return first
}

// One of several addresses that refuses everything is named, and is no crash.
func TestAddressDown(t *testing.T) {
	w := newWorld(rand.New(rand.NewPCG(5, 4711)))
	w.length = 24
	w.log.Addresses = append(w.log.Addresses, attack.Address{Index: 2, Addr: netip.MustParseAddrPort("10.0.0.3:8080")})
	w.fail = func(r *request) {
		if r.remote = 1 + int(r.number%2); r.remote == 2 {
			r.fault, r.phase, r.latency, r.reused = attack.Refused, attack.PhaseDial, 0.001, false
		}
	}
	w.background()
	w.play()
	w.complete()
	if f := diagnose.Analyze(w.log).Findings[0]; f.Cause != "address-down" || f.Verdict != diagnose.Explains {
		t.Errorf("%s %s: %s", f.Verdict, f.Cause, f.Summary)
	}
}

// Nothing failed, but a few in a hundred waited for a retransmission: that is no pass.
func TestDegraded(t *testing.T) {
	for _, lossy := range []bool{true, false} {
		w := newWorld(rand.New(rand.NewPCG(6, 4711)))
		w.length = 24
		w.fail = func(r *request) {
			if lossy && r.number%40 == 0 {
				r.latency = 0.21
			}
		}
		w.background()
		w.play()
		w.counter(serverHost, probe.RetransSegs, func(t float64) float64 {
			if !lossy {
				return 0
			}
			return 10 * max(t, 0)
		})
		w.complete()
		want := diagnose.Healthy
		if lossy {
			want = diagnose.Degraded
		}
		if f := diagnose.Analyze(w.log).Findings[0]; f.Verdict != want {
			t.Errorf("lossy %v: %s %s: %s", lossy, f.Verdict, f.Cause, f.Summary)
		}
	}
}
