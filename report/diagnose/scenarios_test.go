package diagnose_test

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/runlog"
)

// scenario is one kind of fault in the synthetic world. make returns the time at
// which it began, NaN where that has no meaning.
type scenario struct {
	cause string
	also  []string // causes that are right too
	onset bool     // an onset is to be found at the returned time
	make  func(w *world) float64
}

func build(s scenario, rng *rand.Rand) (*runlog.Log, float64) {
	w := newWorld(rng)
	w.background()
	at := s.make(w)
	w.complete()
	return w.log, at
}

// excess returns the share of requests beyond a capacity.
func excess(load, capacity float64) float64 { return max(0, 1-capacity/load) }

func reset(r *request, phase attack.Phase) {
	r.fault, r.phase, r.status = attack.Reset, phase, 0
}

func timeout(r *request, phase attack.Phase, after float64) {
	r.fault, r.phase, r.status, r.latency = attack.Timeout, phase, 0, after
}

func scenarios() []scenario {
	return []scenario{
		{cause: "server-file-descriptors", onset: true, make: func(w *world) float64 {
			limit := float64(60 + w.rng.IntN(400))
			c := w.loadBetween(0.4, 0.8)
			w.fail = func(r *request) {
				if w.rng.Float64() < excess(r.load, c) {
					reset(r, attack.PhaseAwait)
					if r.reused = w.rng.Float64() < 0.3; w.rng.Float64() < 0.2 {
						r.fault = attack.EOF
					}
					r.latency = 0.002
				}
			}
			w.play()
			w.series(serverHost, serverName, probe.OpenFiles, limit, func(t float64) float64 {
				return min(limit, math.Round(10+(limit-10)*w.loadAt(min(max(t, 0), w.duration()-0.01))/c+w.rng.NormFloat64()))
			})
			w.traced(serverHost, "TCP_ABORT_ON_CLOSE", "TCP_ESTABLISHED")
			w.captured(aborted)
			return w.timeOf(c)
		}},
		{cause: "server-file-descriptors", onset: true, make: func(w *world) float64 {
			// Accept fails: callers wait in the queue until they give up.
			w.pooled = false
			w.log.Header.Generator.Timeout = dur(1)
			limit := float64(100 + w.rng.IntN(200))
			c := w.loadBetween(0.4, 0.8)
			at := w.timeOf(c)
			w.fail = func(r *request) {
				if r.due >= at && w.rng.Float64() < 0.8 {
					timeout(r, attack.PhaseAwait, 1)
				}
			}
			w.play()
			w.series(serverHost, serverName, probe.OpenFiles, limit, func(t float64) float64 { return min(limit, math.Round(10+(limit-10)*max(0, t)/at)) })
			w.series(serverHost, "", probe.ListenQueue, 128, func(t float64) float64 { return min(129, max(0, math.Round(200*(t-at)))) })
			w.counter(serverHost, probe.ListenOverflows, func(t float64) float64 {
				if t > at+0.7 {
					return 80
				}
				return 0
			})
			return at
		}},
		{cause: "server-connection-limit", onset: true, make: func(w *world) float64 {
			c := w.loadBetween(0.4, 0.75)
			slots := math.Round(1.3*c*w.latency) + 30
			w.fail = func(r *request) {
				if w.rng.Float64() < excess(r.load, c) {
					reset(r, attack.PhaseAwait)
					if w.rng.Float64() < 0.45 {
						r.fault = attack.EOF
					}
					r.reused, r.latency = false, 0.001
				}
			}
			w.play()
			for i := range w.windows {
				w.windows[i].Open = int64(slots * min(1, w.loadAt(float64(i)*0.25)/c))
			}
			level := func(extra float64) func(t float64) float64 {
				return func(t float64) float64 {
					return extra + math.Round(slots*min(1, w.loadAt(min(max(t, 0), w.duration()-0.01))/c))
				}
			}
			w.series(serverHost, serverName, probe.OpenFiles, 4096, level(12))
			w.traced(serverHost, "TCP_ABORT_ON_CLOSE", "TCP_ESTABLISHED")
			w.captured(aborted)
			return w.timeOf(c)
		}},
		{cause: "listen-backlog", onset: true, make: func(w *world) float64 {
			w.pooled = false
			c := w.loadBetween(0.4, 0.8)
			w.log.Header.Generator.Timeout = dur(1)
			w.fail = func(r *request) {
				if w.rng.Float64() < excess(r.load, c) {
					timeout(r, attack.PhaseDial, 1)
				}
			}
			w.play()
			backlog := float64(16 + w.rng.IntN(100))
			w.series(serverHost, "", probe.ListenQueue, backlog, func(t float64) float64 {
				return min(backlog+1, max(0, math.Round(backlog+40*(t-w.timeOf(c)))))
			})
			for _, name := range []string{probe.ListenOverflows, probe.ListenDrops} {
				w.counter(serverHost, name, func(t float64) float64 {
					if t > w.timeOf(c) && t < w.duration() {
						return 2 * w.loadAt(t) * excess(w.loadAt(t), c)
					}
					return 0
				})
			}
			return w.timeOf(c)
		}},
		{cause: "listen-backlog", onset: true, make: func(w *world) float64 {
			// tcp_abort_on_overflow
			w.pooled = false
			c := w.loadBetween(0.4, 0.8)
			w.fail = func(r *request) {
				if w.rng.Float64() < excess(r.load, c) {
					reset(r, attack.PhaseDial)
				}
			}
			w.play()
			w.series(serverHost, "", probe.ListenQueue, 64, func(t float64) float64 { return min(65, max(0, math.Round(64+40*(t-w.timeOf(c))))) })
			moves := func(t float64) float64 {
				if t > w.timeOf(c) && t < w.duration() {
					return w.loadAt(t) * excess(w.loadAt(t), c)
				}
				return 0
			}
			w.counter(serverHost, probe.ListenOverflows, moves)
			w.counter(serverHost, probe.EmbryonicRsts, moves)
			w.traced(serverHost, "INVALID_SYN", "TCP_LISTEN")
			w.captured(bare)
			return w.timeOf(c)
		}},
		{cause: "conntrack-table", onset: true, make: func(w *world) float64 {
			w.pooled = false
			c := w.loadBetween(0.4, 0.8)
			w.log.Header.Hosts = append(w.log.Header.Hosts, runlog.Host{Name: "router"})
			w.log.Header.Generator.Timeout = dur(2)
			w.fail = func(r *request) {
				if w.rng.Float64() < excess(r.load, c) {
					timeout(r, attack.PhaseDial, 2)
				}
			}
			w.play()
			limit := 4000.0
			w.series("router", "", probe.Conntrack, limit, func(t float64) float64 {
				return min(limit, math.Round(limit*w.loadAt(min(max(t, 0), w.duration()-0.01))/c))
			})
			w.counter("router", probe.ConntrackDrop, func(t float64) float64 {
				if t > w.timeOf(c) {
					return 100
				}
				return 0
			})
			w.counter(serverHost, probe.SynRetrans, func(float64) float64 { return 0 })
			return w.timeOf(c)
		}},
		{cause: "server-memory-oom", make: func(w *world) float64 {
			at := w.length * (0.4 + 0.3*w.rng.Float64())
			w.fail = func(r *request) {
				if d := r.due - at; d > -0.02 && d < 1.2 {
					r.fault, r.phase, r.status, r.reused = attack.Refused, attack.PhaseDial, 0, false
					if d < 0.03 {
						r.fault, r.phase, r.reused = attack.EOF, attack.PhaseAwait, true
					}
				}
			}
			w.play()
			w.event(probe.Event{Kind: probe.OOMKill, At: dur(at), Host: serverHost, Process: serverName, PID: 100})
			w.restart(serverHost, serverName, 100, at+0.05, 1.1, "killed by SIGKILL")
			w.traced(serverHost, "NO_SOCKET", "")
			return at
		}},
		{cause: "server-cpu-shedding", onset: true, make: func(w *world) float64 {
			c := w.loadBetween(0.45, 0.75)
			w.log.Series = slices.DeleteFunc(w.log.Series, func(s runlog.Series) bool {
				return s.Metric.Host == serverHost && (s.Metric.Name == probe.CPU || s.Metric.Name == probe.ProcessCPU)
			})
			use := func(t float64) float64 {
				return min(0.99, w.loadAt(min(max(t, 0), w.duration()-0.01))/(0.97*c)) * (1 - 0.01*w.rng.Float64())
			}
			w.series(serverHost, "", probe.CPU, math.NaN(), use)
			w.series(serverHost, serverName, probe.ProcessCPU, math.NaN(), use)
			w.fail = func(r *request) {
				r.latency *= 1 + 8*max(0, (r.load-0.8*c)/(0.2*c))
				r.latency = min(r.latency, 0.4)
				if w.rng.Float64() < excess(r.load, c) {
					reset(r, attack.PhaseAwait)
				}
			}
			w.play()
			w.traced(serverHost, "TCP_ABORT_ON_CLOSE", "TCP_ESTABLISHED")
			w.captured(aborted)
			return w.timeOf(c)
		}},
		{cause: "client-timeout", onset: true, make: func(w *world) float64 {
			c := w.loadBetween(0.45, 0.75)
			w.log.Header.Generator.Timeout = dur(0.4)
			w.fail = func(r *request) {
				slow := 0.35 * max(0, (r.load-0.7*c)/(0.3*c))
				r.latency += slow * (0.8 + 0.2*w.rng.Float64())
				if r.latency >= 0.4 {
					timeout(r, attack.PhaseAwait, 0.4)
				}
			}
			w.play()
			return math.NaN()
		}},
		{cause: "application-abort", make: func(w *world) float64 {
			p := 0.004 + 0.012*w.rng.Float64()
			w.fail = func(r *request) {
				if w.rng.Float64() < p {
					reset(r, attack.PhaseAwait)
				}
			}
			w.play()
			w.counter(serverHost, probe.AbortOnData, func(t float64) float64 { return p * w.loadAt(max(0, t)) })
			w.traced(serverHost, "TCP_STATE", "TCP_ESTABLISHED")
			w.captured(aborted)
			return math.NaN()
		}},
		{cause: "application-abort", make: func(w *world) float64 {
			// On this machine, descriptors climbing to just below their limit.
			w.onLoopback()
			p := 0.006 + 0.02*w.rng.Float64()
			w.fail = func(r *request) {
				if w.rng.Float64() < p {
					r.fault, r.phase, r.status = attack.EOF, attack.PhaseBody, 0
				}
			}
			w.play()
			w.series(serverHost, serverName, probe.OpenFiles, 700, func(t float64) float64 { return math.Round(100 + 540*max(0, t)/w.duration()) })
			return math.NaN()
		}},
		{cause: "early-response-unread-body", make: func(w *world) float64 {
			w.fail = func(r *request) {
				if w.rng.Float64() < 0.06 {
					if w.rng.Float64() < 0.6 {
						reset(r, attack.PhaseWrite)
						r.status = 0
					} else {
						r.fault, r.phase, r.status = attack.Status, attack.PhaseDone, 413
					}
				}
			}
			w.play()
			w.traced(serverHost, "TCP_ABORT_ON_CLOSE", "TCP_ESTABLISHED")
			w.captured(aborted)
			return math.NaN()
		}},
		{cause: "process-crash", also: []string{"worker-killed"}, onset: true, make: func(w *world) float64 {
			c := w.loadBetween(0.5, 0.8)
			at := w.timeOf(c)
			var downs [][2]float64
			for t := at; t < w.length; t += 0.8 + 0.6*w.rng.Float64() {
				downs = append(downs, [2]float64{t, t + 0.35})
			}
			w.fail = crashes(downs)
			w.play()
			for i, d := range downs {
				w.restart(serverHost, serverName, int32(100+i), d[0], d[1]-d[0], "killed by SIGSEGV")
			}
			w.traced(serverHost, "NO_SOCKET", "")
			return at
		}},
		{cause: "ungraceful-restart", make: func(w *world) float64 {
			period := 4 + w.rng.Float64()
			var downs [][2]float64
			for t := period; t < w.length-1; t += period {
				downs = append(downs, [2]float64{t, t + 0.2})
			}
			w.fail = crashes(downs)
			w.play()
			for i, d := range downs {
				w.restart(serverHost, serverName, int32(100+i), d[0], d[1]-d[0], "killed by SIGTERM")
			}
			return math.NaN()
		}},
		{cause: "rate-limit-policy", onset: true, make: func(w *world) float64 {
			c := w.loadBetween(0.4, 0.75)
			w.fail = func(r *request) {
				if w.rng.Float64() < excess(r.load, c) {
					reset(r, attack.PhaseAwait)
					r.latency = 0.001
				}
			}
			w.play()
			w.counter(serverHost, probe.AbortOnData, func(t float64) float64 {
				return w.loadAt(max(0, t)) * excess(max(1, w.loadAt(max(0, t))), c)
			})
			w.traced(serverHost, "TCP_STATE", "TCP_ESTABLISHED")
			w.captured(aborted)
			return w.timeOf(c)
		}},
		{cause: "path-rate-limit", onset: true, make: func(w *world) float64 {
			c := w.loadBetween(0.4, 0.75)
			w.fail = func(r *request) {
				if w.rng.Float64() < excess(r.load, c) {
					reset(r, attack.PhaseAwait)
					r.latency = 0.001
				}
			}
			w.play()
			w.captured(rejected)
			return w.timeOf(c)
		}},
		{cause: "path-reset", make: func(w *world) float64 {
			p := 0.005 + 0.01*w.rng.Float64()
			w.fail = func(r *request) {
				if w.rng.Float64() < p {
					reset(r, attack.PhaseAwait)
				}
			}
			w.play()
			w.captured(rejected)
			return math.NaN()
		}},
		{cause: "host-firewall", make: func(w *world) float64 {
			p := 0.005 + 0.01*w.rng.Float64()
			w.fail = func(r *request) {
				if w.rng.Float64() < p {
					reset(r, attack.PhaseAwait)
				}
			}
			w.play()
			w.captured(bare)
			return math.NaN()
		}},
		{cause: "idle-timeout-race", make: func(w *world) float64 {
			idle := 0.2 + 0.3*w.rng.Float64()
			w.fail = func(r *request) {
				r.reused = w.rng.Float64() < 0.9
				r.idle = idle + 0.004*w.rng.NormFloat64() - 0.004
				if !r.reused {
					r.idle = 0
				}
				if r.reused && r.idle > idle && w.rng.Float64() < 0.7 {
					reset(r, attack.PhaseAwait)
					if w.rng.Float64() < 0.5 {
						r.fault = attack.EOF
					}
					r.latency = 0.0005
				}
			}
			w.play()
			w.traced(serverHost, "TCP_ABORT_ON_DATA", "TCP_CLOSE")
			return math.NaN()
		}},
		{cause: "path-idle-expiry", make: func(w *world) float64 {
			idle := 0.5 + 0.5*w.rng.Float64()
			w.fail = func(r *request) {
				r.reused = w.rng.Float64() < 0.9
				r.idle = w.rng.ExpFloat64() * 0.2
				if !r.reused {
					r.idle = 0
				}
				if r.reused && r.idle > idle {
					reset(r, attack.PhaseAwait)
				}
			}
			w.play()
			w.captured(rejected)
			return math.NaN()
		}},
		{cause: "tls-shedding", onset: true, make: func(w *world) float64 {
			w.pooled = false
			c := w.loadBetween(0.4, 0.75)
			w.fail = func(r *request) {
				if w.rng.Float64() < excess(r.load, c) {
					reset(r, attack.PhaseTLS)
				}
			}
			w.play()
			w.traced(serverHost, "TCP_ABORT_ON_CLOSE", "TCP_ESTABLISHED")
			return w.timeOf(c)
		}},
		{cause: "application-abort", make: func(w *world) float64 {
			w.fail = func(r *request) {
				if w.rng.Float64() < 0.01 {
					r.fault, r.phase, r.status = attack.HTTP2Reset, attack.PhaseAwait, 0
				}
			}
			w.play()
			return math.NaN()
		}},
		{cause: "packet-loss", make: func(w *world) float64 {
			w.pooled = false
			w.log.Header.Generator.Timeout = dur(0.5)
			w.fail = func(r *request) {
				if w.rng.Float64() < 0.01 {
					ph := attack.PhaseAwait
					if w.rng.Float64() < 0.5 {
						ph = attack.PhaseDial
					}
					timeout(r, ph, 0.5)
					r.retrans = 1 + uint32(w.rng.IntN(2))
				}
			}
			w.play()
			w.counter(serverHost, probe.RetransSegs, func(t float64) float64 { return 0.02 * w.loadAt(max(0, t)) })
			return math.NaN()
		}},
		{cause: "upstream-file-descriptors", onset: true, make: func(w *world) float64 {
			w.behindProxy()
			c := w.loadBetween(0.4, 0.75)
			w.fail = func(r *request) {
				if w.rng.Float64() < excess(r.load, c) {
					r.fault, r.phase, r.status = attack.Status, attack.PhaseDone, 502
				}
			}
			w.play()
			w.series("payments-1", "payments", probe.OpenFiles, 128, func(t float64) float64 {
				return min(128, math.Round(128*w.loadAt(min(max(t, 0), w.duration()-0.01))/c))
			})
			return w.timeOf(c)
		}},
		{cause: "upstream-application-abort", make: func(w *world) float64 {
			w.behindProxy()
			w.fail = func(r *request) {
				if w.rng.Float64() < 0.015 {
					r.fault, r.phase, r.status = attack.Status, attack.PhaseDone, 502
				}
			}
			w.play()
			w.series("payments-1", "payments", probe.OpenFiles, 1024, func(float64) float64 { return 40 })
			for _, f := range w.log.Failures {
				w.event(probe.Event{
					Kind: probe.RSTSent, At: f.End, Host: "payments-1", Reason: "TCP_STATE", State: "TCP_ESTABLISHED",
					Local: addrPort("10.0.0.3", 9090), Remote: addrPort("10.0.0.2", uint16(30000+w.rng.IntN(9000))),
				})
			}
			return math.NaN()
		}},
		{cause: "upstream-process-crash", also: []string{"upstream-worker-killed"}, onset: true, make: func(w *world) float64 {
			w.behindProxy()
			at := w.timeOf(w.loadBetween(0.5, 0.75))
			var downs [][2]float64
			for t := at; t < w.length; t += 0.9 + 0.5*w.rng.Float64() {
				downs = append(downs, [2]float64{t, t + 0.4})
			}
			w.fail = func(r *request) {
				for _, d := range downs {
					if r.due >= d[0]-0.02 && r.due < d[1] {
						r.fault, r.phase, r.status = attack.Status, attack.PhaseDone, 502
					}
				}
			}
			w.play()
			w.series("payments-1", "payments", probe.OpenFiles, 1024, func(float64) float64 { return 40 })
			for i, d := range downs {
				w.restart("payments-1", "payments", int32(200+i), d[0], d[1]-d[0], "exit status 2")
			}
			return at
		}},
		{cause: "unexplained", also: []string{"application-abort"}, onset: true, make: func(w *world) float64 {
			at := w.length * (0.35 + 0.4*w.rng.Float64())
			w.fail = func(r *request) {
				if r.due >= at && w.rng.Float64() < 0.03 {
					reset(r, attack.PhaseAwait)
				}
			}
			w.play()
			w.traced(serverHost, "TCP_STATE", "TCP_ESTABLISHED")
			w.counter(serverHost, probe.AbortOnData, func(t float64) float64 {
				if t > at {
					return 0.03 * w.loadAt(t)
				}
				return 0
			})
			return at
		}},
	}
}

// crashes fails what is in flight at each end and refuses until it is back.
func crashes(downs [][2]float64) func(r *request) {
	return func(r *request) {
		for _, d := range downs {
			switch {
			case r.due < d[0] && r.due+r.latency >= d[0]:
				r.fault, r.phase, r.status, r.latency = attack.EOF, attack.PhaseAwait, 0, d[0]-r.due
			case r.due >= d[0] && r.due < d[1]:
				r.fault, r.phase, r.status, r.reused, r.latency = attack.Refused, attack.PhaseDial, 0, false, 0.0002
			}
		}
	}
}

// controls have no fault of the target.
func controls() []scenario {
	healthy := func(w *world) float64 {
		w.play()
		return math.NaN()
	}
	return []scenario{
		{cause: "healthy", make: healthy},
		{cause: "healthy", make: func(w *world) float64 {
			w.pooled = false
			return healthy(w)
		}},
		{cause: "healthy", make: func(w *world) float64 {
			// Both share one small machine, which is busy to the brim.
			w.onLoopback()
			w.log.Series = slices.DeleteFunc(w.log.Series, func(s runlog.Series) bool { return s.Metric.Name == probe.CPU })
			full := func(t float64) float64 { return min(1, 0.4+t/w.length) }
			w.series("local", "", probe.CPU, math.NaN(), full)
			w.fail = func(r *request) { r.latency *= 1 + 5*max(0, r.due/w.length-0.5) }
			return healthy(w)
		}},
		{cause: "healthy", make: func(w *world) float64 {
			// Descriptors fill up and nothing comes of it.
			w.series(serverHost, serverName, probe.OpenFiles, 256, func(t float64) float64 { return min(256, math.Round(40+300*max(0, t)/w.length)) })
			return healthy(w)
		}},
		{cause: "healthy", make: func(w *world) float64 {
			// A hiccup in the first window and one at the end of the ramp.
			w.down = 8
			w.fail = func(r *request) {
				if r.due < 0.06 || math.Abs(r.due-w.length) < 0.012 {
					r.latency += 0.4
				}
				if r.due < 0.02 {
					r.fault, r.phase, r.status, r.reused = attack.Refused, attack.PhaseDial, 0, false
				}
			}
			return healthy(w)
		}},
		{cause: "healthy", make: func(w *world) float64 {
			// Idle connections are reset without a request in flight.
			w.play()
			for i := 20; i < len(w.windows)-30; i += 7 {
				w.windows[i].Cells = append(w.windows[i].Cells, attack.Cell{DueWindow: int32(i), Remote: 1, Fault: attack.Reset, Phase: attack.PhaseIdle, Reused: true, WireResets: 2})
			}
			return math.NaN()
		}},
		{cause: "healthy", make: func(w *world) float64 {
			p := []float64{1e-5, 1e-4}[w.rng.IntN(2)]
			w.fail = func(r *request) {
				if w.rng.Float64() < p {
					reset(r, attack.PhaseAwait)
				}
			}
			w.play()
			w.traced(serverHost, "TCP_ABORT_ON_CLOSE", "TCP_ESTABLISHED")
			return math.NaN()
		}},
	}
}
